//! Tidying up what is written, every hour: what is too old is deleted, days and months that are over are folded. One bounded
//! piece after another, beside what the writer does.

use std::time::Duration;

use futures_util::future::BoxFuture;
use store::{Store, StoreError};
use tokio::time::Instant;

const DAY: u64 = 86_400_000;
const EVERY: Duration = Duration::from_secs(3_600);
/// The first time is within this: gateways that were started together must not all do it at once.
const SPREAD: Duration = Duration::from_secs(600);

/// How long what is written stays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub usage_days: u32,
    pub rollup_days: u32,
}

/// When to tidy up.
pub(super) struct Tidy {
    due: Instant,
}

impl Tidy {
    pub fn new(now: Instant) -> Self {
        let mut random = [0; 4];
        // Without it all begin at once, which is only slower.
        let spread = getrandom::fill(&mut random).map_or(0, |()| u64::from(u32::from_le_bytes(random)));
        Self { due: now + Duration::from_millis(spread % SPREAD.as_millis() as u64) }
    }

    /// The next piece, if it is time. `wall` is Unix milliseconds.
    pub fn next(
        &self,
        store: &Store,
        now: Instant,
        wall: u64,
        kept: &(dyn Fn() -> Kept + Send + Sync),
    ) -> Option<BoxFuture<'static, Result<bool, StoreError>>> {
        if now < self.due {
            return None;
        }
        let (store, kept) = (store.clone(), kept());
        Some(Box::pin(async move { piece(&store, wall, kept).await }))
    }

    /// With what a piece answered: whether there may be more to do.
    pub fn settle(&mut self, result: Result<bool, StoreError>, now: Instant) {
        match result {
            Ok(true) => self.due = now,
            Ok(false) => self.due = now + EVERY,
            Err(error) => {
                tracing::warn!(%error, "usage could not be tidied up; trying again in an hour");
                self.due = now + EVERY;
            }
        }
    }
}

/// Does one piece; whether there may be more.
pub(super) async fn piece(store: &Store, wall: u64, kept: Kept) -> Result<bool, StoreError> {
    let before = |days: u32| wall.saturating_sub(u64::from(days) * DAY);
    if store.forget_usage(before(kept.usage_days), before(kept.rollup_days)).await? {
        return Ok(true);
    }
    store.fold_usage(wall).await
}
