//! Request ids: distinct within a process and unlikely to repeat across restarts. They are labels, not secrets.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{hash, lanes::PerLane};

/// Makes request ids.
pub(crate) struct RequestIds {
    seed: u64,
    /// Ids made by each lane, which counts alone.
    made: PerLane<AtomicU64>,
}

impl Default for RequestIds {
    fn default() -> Self {
        Self { seed: RandomState::new().hash_one(std::process::id()), made: PerLane::new(AtomicU64::default) }
    }
}

impl RequestIds {
    /// The next id: a counter mixed with the process's random seed, by the finalizer of SplitMix64, which is a bijection.
    /// Of n lanes each takes every n-th number.
    pub(crate) fn next(&self) -> u64 {
        let (lanes, lane) = (self.made.all().len() as u64, self.made.number() as u64);
        let count = self.made.here().fetch_add(1, Ordering::Relaxed).wrapping_mul(lanes).wrapping_add(lane);
        hash::scramble(self.seed ^ count.wrapping_mul(hash::GOLDEN))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;
    use crate::lanes;

    #[test]
    fn ids_do_not_repeat() {
        let ids = RequestIds::default();
        let of_lane = |lane: usize| {
            let make = || {
                lanes::enter(lane);
                (0..10_000).map(|_| ids.next()).collect::<Vec<_>>()
            };
            thread::scope(|scope| scope.spawn(make).join().unwrap())
        };
        let made: HashSet<_> = (0..=lanes::count()).flat_map(of_lane).collect();
        assert_eq!(made.len(), 10_000 * (lanes::count() + 1));
    }
}
