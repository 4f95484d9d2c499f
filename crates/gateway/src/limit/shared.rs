//! The counters that several gateways share in Redis: where it is, whether it is asked, and what it is like. While it is
//! not asked the rings decide alone; they hold every admission of this gateway all the time.

mod authority;
mod dial;
mod live;
mod task;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use domain::settings::{RedisState, RedisStatus};
use tokio::{runtime::Handle, sync::Notify};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::Limiter;
pub use authority::Authority;
pub(super) use live::{Live, Verdict};

/// Longest that a request waits for Redis.
const BUDGET: Duration = Duration::from_millis(50);
const OFF: u8 = 0;
const ALONE: u8 = 1;
const ASK: u8 = 2;

/// Where the shared counters are. No Debug: it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// `redis://` or `rediss://` with host, perhaps port, user and number of the database; the password is not in it.
    pub url: Url,
    pub password: Option<String>,
    /// Who vouches for it over TLS; `None` is whoever the machine trusts.
    pub authority: Option<Authority>,
    /// Longest that a request waits.
    pub budget: Duration,
}

impl RedisSettings {
    /// With the budget that requests have, and trust as the machine has it.
    pub fn new(url: Url, password: Option<String>) -> Self {
        Self { url, password, authority: None, budget: BUDGET }
    }

    /// Connects, logs in and reads the version, all within two seconds.
    pub async fn test(&self) -> RedisState {
        match dial::dial(self).await {
            Ok(opened) => RedisState::Reachable { version: opened.version },
            Err(detail) => RedisState::Unreachable { detail },
        }
    }
}

/// How a request is to be decided.
pub(super) enum Mode {
    /// There is no Redis.
    Off,
    /// Redis is configured and not there.
    Alone,
    Ask(Arc<Live>),
}

/// What the limiter knows of Redis.
#[derive(Default)]
pub(super) struct Shared {
    mode: AtomicU8,
    live: ArcSwapOption<Live>,
    /// Counts up whenever Redis is found to know nothing of what was counted before.
    era: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    status: RedisStatus,
    running: Option<Running>,
    /// `run_id` of the Redis that was last asked.
    run_id: Option<String>,
}

struct Running {
    settings: RedisSettings,
    stop: CancellationToken,
    hurry: Arc<Notify>,
}

impl Shared {
    pub(super) fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Acquire) {
            OFF => Mode::Off,
            ASK => self.live.load_full().map_or(Mode::Alone, Mode::Ask),
            _ => Mode::Alone,
        }
    }

    pub(super) fn era(&self) -> u64 {
        self.era.load(Ordering::Acquire)
    }

    pub(super) fn status(&self) -> RedisStatus {
        self.inner().status.clone()
    }

    /// Redis is not asked any more, if it is still `live` that is.
    pub(super) fn drop_live(&self, live: &Arc<Live>) {
        let held = self.live.compare_and_swap(live, None);
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, live)) {
            let _ = self.mode.compare_exchange(ASK, ALONE, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Only the task that is still wanted may say how things are.
    fn tell(&self, stop: &CancellationToken, status: RedisStatus) {
        let mut inner = self.inner();
        if !stop.is_cancelled() {
            inner.status = status;
        }
    }
}

impl Limiter {
    /// Uses this Redis from now on, or none; returns at once, the connection is made on `runtime`. The same settings again
    /// only hurry the next try.
    pub(crate) fn set_redis(self: &Arc<Self>, settings: Option<RedisSettings>, runtime: &Handle, started: Instant) {
        let mut inner = self.shared.inner();
        if let (Some(running), Some(settings)) = (&inner.running, &settings)
            && running.settings == *settings
        {
            running.hurry.notify_one();
            return;
        }
        if let Some(running) = inner.running.take() {
            running.stop.cancel();
        }
        self.shared.live.store(None);
        let Some(settings) = settings else {
            self.shared.mode.store(OFF, Ordering::Release);
            inner.status = RedisStatus::NotConfigured;
            // What is admitted until Redis is back is not written down, so everything will have to be told.
            inner.run_id = None;
            return;
        };
        self.shared.mode.store(ALONE, Ordering::Release);
        inner.status = RedisStatus::Connecting;
        let (stop, hurry) = (CancellationToken::new(), Arc::new(Notify::new()));
        let task = task::Task {
            limiter: Arc::downgrade(self),
            settings: settings.clone(),
            stop: stop.clone(),
            hurry: hurry.clone(),
            started,
        };
        inner.running = Some(Running { settings, stop, hurry });
        drop(inner);
        runtime.spawn(task.run());
    }

    /// The live state of Redis.
    pub(crate) fn redis_status(&self) -> RedisStatus {
        self.shared.status()
    }

    /// Runs a small script atomically in Redis, within half a second; `None` where Redis is not in use,
    /// fails, or answers anything but integers.
    pub(crate) async fn redis_script(&self, script: &str, keys: &[String], arguments: &[String]) -> Option<Vec<i64>> {
        let Mode::Ask(live) = self.shared.mode() else { return None };
        let answer = live.script(script, keys, arguments).await;
        if live.is_lost() {
            self.shared.drop_live(&live);
        }
        answer
    }
}

#[cfg(test)]
mod tests;
