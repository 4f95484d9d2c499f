//! The memory that all buffered request bodies may take together. Nobody waits for it, so that nobody holds a part while
//! waiting for the rest: what does not fit is refused at once. One key has at most half of it, or room for its largest
//! request: where the memory is four times the largest body, no key can keep all others out.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
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
    held: Arc<Held>,
    pub(super) idle: Duration,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self { held: Arc::default(), idle: IDLE }
    }
}

impl BodyBudget {
    #[cfg(test)]
    pub(super) fn with_idle(idle: Duration) -> Self {
        Self { idle, ..Self::default() }
    }

    /// A share without anything in it, of `limit` bytes for all shares together.
    pub(super) fn share(&self, limit: usize) -> Share {
        Share { of: Arc::clone(&self.held), limit, key: None, held: 0 }
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.held.used.load(Ordering::SeqCst)
    }
}

/// Bytes that are held, in all and by each key. Small bodies touch none of it.
#[derive(Default)]
struct Held {
    used: AtomicUsize,
    /// By hashes of the keys' ids.
    keys: Mutex<HashMap<u64, usize>>,
}

impl Held {
    fn by_key(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one request holds of the budget; given back when dropped.
pub(crate) struct Share {
    of: Arc<Held>,
    limit: usize,
    /// Hash of its key's id, and the limit of all shares of that key together.
    key: Option<(u64, usize)>,
    held: usize,
}

impl Share {
    /// The same for a request of this key, whose shares together hold at most `limit` bytes.
    pub(super) fn of_key(mut self, key: u64, limit: usize) -> Self {
        self.key = Some((key, limit));
        self
    }

    /// Holds `length` bytes from now on, more or fewer than before.
    pub(crate) fn resize(&mut self, length: usize) -> Result<(), Error> {
        let wanted = if length <= SMALL { 0 } else { length };
        if let Some(more) = wanted.checked_sub(self.held) {
            self.take(more)?;
        } else {
            self.give(self.held - wanted);
        }
        self.held = wanted;
        Ok(())
    }

    fn take(&self, more: usize) -> Result<(), Error> {
        if more == 0 {
            return Ok(());
        }
        let fits = |used: usize| used.checked_add(more).filter(|&sum| sum <= self.limit);
        let take = || self.of.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|_| Error::Crowded);
        let Some((key, limit)) = self.key else { return take().map(|_| ()) };
        // Its own bound first: what a key may not have must not be missing for others, not even for a moment.
        let mut keys = self.of.by_key();
        let own = keys.get(&key).map_or(0, |own| *own).saturating_add(more);
        if own > limit {
            return Err(Error::Crowded);
        }
        take()?;
        keys.insert(key, own);
        Ok(())
    }

    fn give(&self, fewer: usize) {
        if fewer == 0 {
            return;
        }
        self.of.used.fetch_sub(fewer, Ordering::Relaxed);
        if let Some((key, _)) = self.key {
            let mut keys = self.of.by_key();
            let left = keys.get(&key).map_or(0, |own| own.saturating_sub(fewer));
            // A key that holds nothing takes no room.
            if left == 0 {
                keys.remove(&key)
            } else {
                keys.insert(key, left)
            };
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give(self.held);
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
    fn one_key_leaves_room_for_others_and_gets_its_own_back() {
        let budget = BodyBudget::default();
        let share = |key| budget.share(10 * SMALL).of_key(key, 5 * SMALL);
        let (mut first, mut second, mut other) = (share(1), share(1), share(2));
        assert_eq!(first.resize(3 * SMALL), Ok(()));
        assert_eq!(second.resize(3 * SMALL), Err(Error::Crowded));
        assert_eq!(budget.used(), 3 * SMALL, "a refusal holds nothing");
        assert_eq!(second.resize(2 * SMALL), Ok(()));
        assert_eq!(other.resize(5 * SMALL), Ok(()));
        drop(first);
        assert_eq!(second.resize(5 * SMALL), Ok(()));
        drop((second, other));
        assert_eq!(budget.used(), 0);
        assert!(budget.held.by_key().is_empty());
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
                        let mut share = budget.share(3 * SMALL).of_key(round as u64 % 3, 2 * SMALL);
                        let _ = share.resize(SMALL + round);
                        assert!(budget.used() <= 3 * SMALL);
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
    }
}
