//! The live status for the dashboard, and the housekeeping that keeps it and everything else in memory fresh.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use domain::{
    backend::{BackendView, MAX_WARM, WarmModel},
    dashboard::HelpFacts,
    id::BackendId,
    live::LiveStatus,
};
use store::Room;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Actor, Control,
    attention::{Facts, Limits, attention, look},
    by::By,
    clock::Now,
    lock::lock,
    models::words,
    settings,
};

/// A status is sampled at most this often.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// How often is asked whether a sample is due; finer than the samples, so that none comes a whole second late.
const SAMPLE_TICK: Duration = Duration::from_millis(250);
/// How often refusals are written to the audit log.
const AUDIT_EVERY: Duration = Duration::from_secs(1);
const FOLLOW_EVERY: Duration = Duration::from_secs(2);
const TIDY_EVERY: Duration = Duration::from_secs(10);
/// How often the disk is asked for its room.
const ROOM_EVERY: Duration = Duration::from_secs(10);
/// A database that could not be opened again may take ten seconds to say so, in which nobody can read: it is left alone
/// for this long.
const REOPEN_AFTER: Duration = Duration::from_secs(30);

/// The latest status and who waits for the next.
pub(crate) struct Feed {
    latest: watch::Sender<Arc<LiveStatus>>,
    sampled: Mutex<Option<Instant>>,
    /// The disk's room, and when it was asked.
    room: Mutex<Option<(Instant, Option<Room>)>>,
}

impl Feed {
    pub fn new() -> Self {
        Self { latest: watch::Sender::new(Arc::default()), sampled: Mutex::new(None), room: Mutex::new(None) }
    }

    /// It is time for another sample; counts as taken.
    fn is_due(&self, now: Instant) -> bool {
        let mut sampled = lock(&self.sampled);
        let due = sampled.is_none_or(|at| now.duration_since(at) >= SAMPLE_EVERY);
        if due {
            *sampled = Some(now);
        }
        due
    }

    /// The disk's room, asked anew now and then.
    fn room(&self, now: Instant, ask: impl FnOnce() -> Option<Room>) -> Option<Room> {
        let mut room = lock(&self.room);
        match *room {
            Some((at, room)) if now.duration_since(at) < ROOM_EVERY => room,
            _ => room.insert((now, ask())).1,
        }
    }

    /// Sends `status` if it says anything new.
    fn publish(&self, mut status: LiveStatus) {
        self.latest.send_if_modified(|latest| {
            status.sequence = latest.sequence;
            let same = LiveStatus { at: latest.at, ..status.clone() } == **latest;
            if !same {
                status.sequence += 1;
                *latest = Arc::new(std::mem::take(&mut status));
            }
            !same
        });
    }
}

impl Control {
    /// The latest status and every later one; at most one a second.
    pub fn live(&self, _actor: &Actor) -> watch::Receiver<Arc<LiveStatus>> {
        let receiver = self.0.feed.latest.subscribe();
        self.sample();
        receiver
    }

    fn sample(&self) {
        let now = Now::read();
        if !self.0.feed.is_due(now.instant) {
            return;
        }
        let mut status = self.0.gateway.live();
        status.at = now.wall;
        status.minutes = self.0.usage.last_hour(now.wall);
        status.upgrade = self.live_upgrade(now.wall);
        self.fill_backends(&mut status.backends, now.wall);
        status.slow = self.0.usage.slow.latest();
        status.usage_dropped += self.0.usage.lost();
        status.read_only = self.0.store.read_only().map(|why| match self.0.tombstones.owed_to_file().len() {
            0 => why,
            count => format!("{why}; revoked keys that would work again after a restart: {count}"),
        });
        let Limits { reached, in_use } = look(self, &self.state());
        status.limits = in_use;
        status.attention = attention(&Facts {
            live: &status,
            longest_wait_ms: self.0.gateway.longest_wait(),
            reached,
            drift: self.0.gateway.drift(),
            room: self.0.feed.room(now.instant, || self.0.store.room()),
            certificate_end: self.0.pairs.end(),
        });
        self.0.feed.publish(status);
    }

    /// What the gateway does not know of its backends, or has no words for.
    fn fill_backends(&self, backends: &mut [BackendView], now: u64) {
        let mut loaded: HashMap<BackendId, _> = self.0.gateway.in_memory().into_iter().collect();
        let seconds = i64::try_from(now / 1_000).unwrap_or(i64::MAX);
        for backend in backends {
            backend.pace = self.0.usage.pace(&backend.id, now);
            let mut warm = loaded.remove(&backend.id).unwrap_or_default();
            backend.warm_all = warm.len() as u64;
            warm.sort_by_key(|(_, lies)| std::cmp::Reverse(lies.size));
            let told = warm.into_iter().take(MAX_WARM);
            backend.warm = told.map(|(name, lies)| WarmModel { name, text: words::warm(lies, seconds) }).collect();
        }
    }

    /// Samples the live status at most once a second while somebody listens, ends idle sessions, follows a shared
    /// database's revision.
    pub async fn run_housekeeping(&self, stop: CancellationToken) {
        let mut changes = self.0.gateway.changes();
        let every = [SAMPLE_TICK, AUDIT_EVERY, FOLLOW_EVERY, TIDY_EVERY];
        let [mut sample, mut audit, mut follow, mut tidy] = every.map(|every| {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        let mut reopen_from = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = sample.tick() => self.sample_for_listeners(),
                Ok(()) = changes.changed() => self.sample_for_listeners(),
                _ = audit.tick() => self.write_refusals(Now::read(), false).await,
                _ = follow.tick() => {
                    if Instant::now() >= reopen_from && !self.write_again().await {
                        reopen_from = Instant::now() + REOPEN_AFTER;
                    }
                    if self.0.store.is_remote() || self.0.doubtful.load(Ordering::Acquire) {
                        self.follow_store().await;
                    }
                }
                _ = tidy.tick() => self.tidy(Now::read()).await,
            }
        }
    }

    /// Makes the database writable again once a full disk has room, and writes what waited for that. `false` if it could
    /// not be opened.
    async fn write_again(&self) -> bool {
        if self.0.store.read_only().is_none() {
            return true;
        }
        match self.0.store.recover().await {
            Ok(true) => {
                self.write_revoked().await;
                self.sample_for_listeners();
            }
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "the database cannot be opened again yet; inference goes on");
                return false;
            }
        }
        true
    }

    fn sample_for_listeners(&self) {
        if self.0.feed.latest.receiver_count() > 0 {
            self.sample();
        }
    }

    /// Ends what has lapsed and writes when sessions were last used, and what else waits to be written.
    pub(crate) async fn tidy(&self, now: Now) {
        self.0.attempts.prune(now.instant);
        self.0.flash.prune(now.instant);
        self.0.codes.prune(now.instant);
        self.0.tickets.prune(now.instant);
        self.write_sessions(now, false).await;
        self.write_revoked().await;
        self.remind_of_expiry(now);
    }

    /// What cannot be written now is tried again with the next call.
    pub(crate) async fn write_sessions(&self, now: Now, all: bool) {
        // On a shared database what seems to have lapsed may be in use through another gateway.
        if self.0.sessions.any_lapsed(now)
            && let Err(error) = self.follow_sessions(now).await
        {
            tracing::warn!(%error, "it cannot be told which sessions have lapsed");
            return;
        }
        let lapsed = self.0.sessions.lapse(now);
        let used = self.0.sessions.to_write(all);
        if lapsed.is_empty() && used.is_empty() || self.0.store.read_only().is_some() {
            return;
        }
        let result = self
            .mutate(By::nobody("sessions written"), |state| {
                let rows = &state.rows.sessions;
                let stored = |hash: &[u8; 32]| rows.iter().any(|row| row.token_hash == *hash);
                let gone = lapsed.iter().filter(|hash| stored(hash)).map(|hash| store::row::Op::DeleteSession(*hash));
                // A session that ended meanwhile must not come back; one that never had a row gets it now.
                let live = used.iter().filter(|row| self.0.sessions.is_live(&row.token_hash, now));
                let live = live.map(|row| store::row::Op::PutSession(row.clone()));
                Ok((gone.chain(live).collect(), ()))
            })
            .await;
        if let Err(error) = result {
            tracing::warn!(%error, "sessions could not be written");
        }
    }

    /// `host` is the Host header the page was asked under, `scheme` `http` or `https`.
    pub fn help_facts(&self, _actor: &Actor, scheme: &str, host: &str) -> HelpFacts {
        let state = self.state();
        let settings = settings::view(&state, &self.0.environment);
        let address = match self.0.doors.api_address(scheme, host) {
            Some(address) => address,
            None => self.allowed_origins().into_iter().next().unwrap_or_else(|| format!("{scheme}://{host}")),
        };
        HelpFacts {
            address,
            model: self.sample_model(),
            default_limit: settings.default_limit.value,
            catalogue_interval_s: settings.catalogue_interval_s.value,
            backends: state.rows.backends.len() as u64,
            balance: settings.balance.value,
            queue_max: settings.queue_max.value,
            queue_seconds: settings.queue_seconds.value,
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_status_is_sent_once_and_every_other_counts_up() {
        let feed = Feed::new();
        let mut receiver = feed.latest.subscribe();
        let status = |at, in_flight| LiveStatus { at, in_flight, ..Default::default() };
        feed.publish(status(1, 3));
        assert!(receiver.has_changed().unwrap());
        assert_eq!(receiver.borrow_and_update().sequence, 1);
        feed.publish(status(2, 3));
        assert!(!receiver.has_changed().unwrap(), "the time alone is no news");
        feed.publish(status(3, 4));
        assert_eq!((receiver.borrow().sequence, receiver.borrow().at), (2, 3));
    }

    #[test]
    fn the_disk_is_asked_now_and_then() {
        let (feed, now) = (Feed::new(), Instant::now());
        let room = |free| Some(Room { free, total: 9 });
        assert_eq!(feed.room(now, || room(1)), room(1));
        assert_eq!(feed.room(now + ROOM_EVERY / 2, || room(2)), room(1));
        assert_eq!(feed.room(now + ROOM_EVERY, || room(3)), room(3));
    }

    #[test]
    fn samples_are_a_second_apart() {
        let (feed, now) = (Feed::new(), Instant::now());
        assert!(feed.is_due(now));
        assert!(!feed.is_due(now + SAMPLE_EVERY / 2));
        assert!(feed.is_due(now + SAMPLE_EVERY));
    }
}
