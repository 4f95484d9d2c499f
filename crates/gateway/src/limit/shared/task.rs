//! Keeps the connection to Redis: tries once a second, tells it what it missed before anybody asks it, and looks after it
//! while it is asked.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use domain::settings::RedisStatus;
use futures_util::{StreamExt, stream};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{ALONE, ASK, Live, RedisSettings, dial};
use crate::limit::{Limiter, Loan};

/// Pause between two tries, and between two looks; up to a quarter more, so that gateways do not all come at once.
const PAUSE: Duration = Duration::from_secs(1);
/// Keys that are told about at the same time.
const ABREAST: usize = 64;
/// Rounds of telling before Redis is asked again; what is admitted meanwhile goes with the key's next request.
const ROUNDS: usize = 3;

/// The same news is told at most this often: a Redis that is lost and found all the time must not fill the log.
const QUIET: Duration = Duration::from_secs(60);

/// What the log was told last: whether Redis is in use, and when each was said.
#[derive(Default)]
struct Told {
    in_use: Option<bool>,
    said: [Option<Instant>; 2],
}

impl Told {
    /// Whether to tell now; counts as told.
    fn is_news(&mut self, in_use: bool, now: Instant) -> bool {
        let said = &mut self.said[usize::from(in_use)];
        let early = said.is_some_and(|at| now.duration_since(at) < QUIET);
        if self.in_use == Some(in_use) || early {
            return false;
        }
        (self.in_use, *said) = (Some(in_use), Some(now));
        true
    }
}

pub(super) struct Task {
    pub(super) limiter: Weak<Limiter>,
    pub(super) settings: RedisSettings,
    pub(super) stop: CancellationToken,
    pub(super) hurry: Arc<Notify>,
    pub(super) started: Instant,
}

impl Task {
    pub(super) async fn run(self) {
        let stop = self.stop.clone();
        stop.run_until_cancelled_owned(self.keep()).await;
    }

    async fn keep(self) {
        let (mut since, mut told) = (None, Told::default());
        loop {
            let detail = match self.resume().await {
                Ok(Some((live, version))) => {
                    since = None;
                    self.watch(&live, &version, &mut told).await;
                    live.detail()
                }
                Ok(None) => return,
                Err(detail) => detail,
            };
            let Some(limiter) = self.limiter.upgrade() else { return };
            let since = *since.get_or_insert_with(wall);
            if told.is_news(false, Instant::now()) {
                tracing::warn!(%detail, "Redis is not in use: this gateway counts alone");
            }
            limiter.shared.tell(&self.stop, RedisStatus::Failed { detail, since });
            drop(limiter);
            tokio::select! {
                () = sleep(pause()) => {}
                () = self.hurry.notified() => {}
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Connects, tells what Redis does not know, and lets it be asked. `None` when the gateway is gone.
    async fn resume(&self) -> Result<Option<(Arc<Live>, String)>, String> {
        let opened = dial::dial(&self.settings).await?;
        let (version, run_id) = (opened.version.clone(), opened.run_id.clone());
        let mut live = Live::new(opened, self.settings.budget, || self.now()).await?;
        let Some(limiter) = self.limiter.upgrade() else { return Ok(None) };
        let known = limiter.shared.inner().run_id.replace(run_id.clone());
        if run_id.is_empty() || known.as_ref() != Some(&run_id) {
            limiter.shared.era.fetch_add(1, Ordering::AcqRel);
            limiter.owe_all(self.now());
        }
        live.era = limiter.shared.era();
        let live = Arc::new(live);
        for _ in 0..ROUNDS {
            if self.settle(&limiter, &live).await == 0 {
                break;
            }
        }
        if live.is_lost() {
            return Err(live.detail());
        }
        {
            // Under the lock that `set_redis` takes: a task that was told to stop must not put its connection in force.
            let mut inner = limiter.shared.inner();
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            limiter.shared.live.store(Some(live.clone()));
            limiter.shared.mode.store(ASK, Ordering::Release);
            inner.status = in_use(&version, &live);
        }
        Ok(Some((live, version)))
    }

    fn tell_use(version: &str) {
        tracing::info!(%version, "Redis is in use for limits and lock-outs");
        if let Some(warning) = domain::settings::redis_warning(version) {
            tracing::warn!(%version, "{warning}");
        }
    }

    /// Looks after a connection until it is lost.
    async fn watch(&self, live: &Arc<Live>, version: &str, told: &mut Told) {
        loop {
            if told.is_news(true, Instant::now()) {
                Self::tell_use(version);
            }
            tokio::select! {
                () = live.bell.notified() => break,
                () = sleep(pause()) => {}
                () = self.hurry.notified() => {}
            }
            let Some(limiter) = self.limiter.upgrade() else { return };
            match live.look(|| self.now()).await {
                Ok(()) => {
                    self.settle(&limiter, live).await;
                    let mut inner = limiter.shared.inner();
                    if let (RedisStatus::InUse { version, .. }, false) = (&inner.status, self.stop.is_cancelled()) {
                        inner.status = in_use(&version.clone(), live);
                    }
                }
                Err(detail) => tracing::debug!(%detail, "Redis did not answer a look"),
            }
            if live.is_lost() {
                break;
            }
        }
        let Some(limiter) = self.limiter.upgrade() else { return };
        let _inner = limiter.shared.inner();
        if !self.stop.is_cancelled() {
            limiter.shared.mode.store(ALONE, Ordering::Release);
            limiter.shared.live.store(None);
        }
    }

    /// Tells all that is owed; how many keys that was.
    async fn settle(&self, limiter: &Limiter, live: &Live) -> usize {
        let debts = limiter.take_debts(self.now());
        let count = debts.len();
        let tell = async |(key, debt)| {
            let loan = Loan::new(limiter, key, debt, self.now());
            if live.tell(&loan.key, &loan.debt).await {
                loan.settle();
            }
        };
        stream::iter(debts).for_each_concurrent(ABREAST, tell).await;
        count
    }
}

fn in_use(version: &str, live: &Live) -> RedisStatus {
    // Whole milliseconds: finer would be news every second.
    RedisStatus::InUse { version: version.to_owned(), latency_ms: live.latency_us().div_ceil(1_000) }
}

fn pause() -> Duration {
    let random = RandomState::new().hash_one(0_u8);
    PAUSE + Duration::from_millis(random % 250)
}

/// Unix milliseconds.
fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_that_comes_and_goes_is_told_of_once_a_minute_and_how_it_stays_is_told_in_the_end() {
        let (mut told, start) = (Told::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(told.is_news(true, at(0)) && told.is_news(false, at(1)), "every change at first");
        let flapping = (2..121).filter(|second| told.is_news(second % 2 == 0, at(*second)));
        assert_eq!(flapping.collect::<Vec<_>>(), [60, 61, 120]);
        assert!(!told.is_news(true, at(150)), "known");
        assert!(told.is_news(false, at(151)) && !told.is_news(true, at(152)));
        assert!((153..180).all(|second| !told.is_news(true, at(second))));
        assert!(told.is_news(true, at(180)), "it stayed: late, but told");
    }
}
