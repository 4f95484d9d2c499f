//! Request ids: distinct within a process and unlikely to repeat across restarts. They are labels, not secrets.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

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
        let mut mixed = self.seed ^ count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
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
