//! What a key's and its user's policy mean for a request: what may be refused, counted and clamped, and the counts
//! themselves. Where in the pipeline each is asked is the pipeline's business; the request limit is `limit`'s.

mod body;
mod ceilings;
mod estimate;
mod exceeded;
pub(crate) mod expiry;
mod ledger;
mod meter;
mod reservation;
mod rules;

use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub(crate) use self::{
    body::{members, put_text},
    ceilings::Ceilings,
    estimate::{Estimate, text_bytes},
    exceeded::Exceeded,
    ledger::{Ledger, Slots},
    reservation::{Reservation, Spent},
};
pub use self::{ledger::Spend, rules::Rules};

/// One moment on two clocks, both in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    /// Monotonic, since the gateway was made: for windows.
    pub(crate) mono: u64,
    /// Since 1970: for expiry, days and months.
    pub(crate) unix: u64,
}

impl Now {
    /// This moment; monotonic time begins at `started`.
    pub(crate) fn read(started: Instant) -> Self {
        Self::at(Instant::now(), started)
    }

    /// This moment, which is `at`.
    pub(crate) fn at(at: Instant, started: Instant) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self { mono: millis(at.saturating_duration_since(started)), unix: millis(unix) }
    }
}
