//! The two clocks. Wall time is stored and shown; the monotonic one bounds what must end whatever somebody does to the
//! wall clock. Rules take a [`Now`] as an argument, so tests set it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Unix milliseconds.
    pub wall: u64,
    pub instant: Instant,
}

impl Now {
    pub fn read() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { wall: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX), instant: Instant::now() }
    }

    /// The same moment, `by` later on both clocks.
    #[cfg(test)]
    pub fn plus(self, by: Duration) -> Self {
        Self { wall: self.wall + by.as_millis() as u64, instant: self.instant + by }
    }
}
