//! Request ids: distinct within a process and unlikely to repeat across restarts. They are labels, not secrets.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::hash;

/// Makes request ids.
pub(crate) struct RequestIds {
    seed: u64,
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        Self { seed: RandomState::new().hash_one(std::process::id()), next: AtomicU64::new(0) }
    }
}

impl RequestIds {
    /// The next id: a counter mixed with the process's random seed, by the finalizer of SplitMix64, which is a bijection.
    pub(crate) fn next(&self) -> u64 {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        hash::scramble(self.seed ^ count.wrapping_mul(hash::GOLDEN))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_do_not_repeat() {
        let ids = RequestIds::default();
        assert_eq!((0..10_000).map(|_| ids.next()).collect::<HashSet<_>>().len(), 10_000);
    }
}
