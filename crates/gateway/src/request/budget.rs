//! The memory that all buffered request bodies may take together. Nobody waits for it, so that nobody holds a part while
//! waiting for the rest: what does not fit is refused at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::error::Error;

/// A client that sends nothing for so long has its request ended.
const IDLE: Duration = Duration::from_secs(30);
/// Bodies up to this size are not counted: the number of connections bounds them, and most requests touch nothing shared.
pub(super) const SMALL: usize = 64 * 1024;

/// Memory that request bodies take together, and how long one may pause.
pub(crate) struct BodyBudget {
    used: Arc<AtomicUsize>,
    pub(super) idle: Duration,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self { used: Arc::default(), idle: IDLE }
    }
}

impl BodyBudget {
    #[cfg(test)]
    pub(super) fn with_idle(idle: Duration) -> Self {
        Self { idle, ..Self::default() }
    }

    /// A share without anything in it, of `limit` bytes for all shares together.
    pub(super) fn share(&self, limit: usize) -> Share {
        Share { used: Arc::clone(&self.used), limit, held: 0 }
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::SeqCst)
    }
}

/// What one request holds of the budget; given back when dropped.
pub(crate) struct Share {
    used: Arc<AtomicUsize>,
    limit: usize,
    held: usize,
}

impl Share {
    /// Holds `length` bytes from now on, more or fewer than before.
    pub(crate) fn resize(&mut self, length: usize) -> Result<(), Error> {
        let wanted = if length <= SMALL { 0 } else { length };
        if let Some(more) = wanted.checked_sub(self.held) {
            let fits = |used: usize| used.checked_add(more).filter(|&sum| more == 0 || sum <= self.limit);
            self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|_| Error::Crowded)?;
        } else {
            self.used.fetch_sub(self.held - wanted, Ordering::Relaxed);
        }
        self.held = wanted;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.held > 0 {
            self.used.fetch_sub(self.held, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_together_never_pass_the_limit_and_a_refused_one_keeps_what_it_had() {
        let budget = BodyBudget::default();
        let (mut first, mut second) = (budget.share(10 * SMALL), budget.share(10 * SMALL));
        assert_eq!(first.resize(6 * SMALL), Ok(()));
        assert_eq!(second.resize(4 * SMALL), Ok(()));
        assert_eq!(second.resize(4 * SMALL + 1), Err(Error::Crowded));
        assert_eq!(budget.used(), 10 * SMALL);
        assert_eq!(first.resize(5 * SMALL), Ok(()));
        assert_eq!(second.resize(5 * SMALL), Ok(()));
        drop(first);
        assert_eq!(budget.used(), 5 * SMALL);
        assert_eq!(second.resize(SMALL), Ok(()));
        assert_eq!(budget.used(), 0, "small ones are free");
    }

    #[test]
    fn a_limit_that_became_smaller_takes_nothing_away() {
        let budget = BodyBudget::default();
        let mut running = budget.share(10 * SMALL);
        running.resize(10 * SMALL).unwrap();
        let mut later = budget.share(2 * SMALL);
        assert_eq!(later.resize(SMALL + 1), Err(Error::Crowded));
        assert_eq!(running.resize(9 * SMALL), Ok(()));
        drop(running);
        assert_eq!(later.resize(SMALL + 1), Ok(()));
    }

    #[test]
    fn many_threads_at_once_count_to_the_byte() {
        let budget = BodyBudget::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 1..2_000 {
                        let mut share = budget.share(3 * SMALL);
                        let _ = share.resize(SMALL + round);
                        assert!(budget.used() <= 3 * SMALL);
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
    }
}
