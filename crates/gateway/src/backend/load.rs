//! How busy a backend is and how much it takes: requests in flight, the bound on them (set, or learned from its own
//! refusals), and the time for which it asked to be left alone. Atomics only, because every request passes here.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst},
};

use super::model::ModelState;
use crate::{balance::Among, breaker::Pass, queue::Queue};

/// What stands for no bound.
const NONE: u32 = 0;
/// A learned bound above this is none: Ollama's own queue is no longer.
const MOST: u32 = 512;
/// Good answers at the bound after which a learned one grows by one.
const PROOFS: u32 = 16;
/// How long a backend that is full is left alone the first time; each further time twice as long.
const AVOID_MS: u64 = 1_000;
const LONGEST_AVOID_MS: u64 = 30_000;

/// Requests in flight in all, and those that wait for a slot somewhere.
#[derive(Default)]
pub(crate) struct FleetLoad {
    pub(super) in_flight: AtomicU64,
    pub(crate) queue: Queue,
}

impl FleetLoad {
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(SeqCst)
    }
}

/// Outlives changes of the backend's configuration, which sets what it needs here.
#[derive(Default)]
pub(crate) struct Load {
    in_flight: AtomicU32,
    set: AtomicU32,
    learned: AtomicU32,
    /// Good answers since the learned bound last changed.
    proofs: AtomicU32,
    /// It gets nothing new: disabled, removed or drained.
    closed: AtomicBool,
    avoided_until: AtomicU64,
    /// Times in a row that it said it is full.
    refusals: AtomicU32,
    /// Of a slot, smoothed; milliseconds. Only known where there is a bound.
    held_ms: AtomicU64,
}

impl Load {
    pub(crate) fn configure(&self, parallel: Option<u32>, open: bool) {
        self.set.store(parallel.unwrap_or(NONE), SeqCst);
        self.closed.store(!open, SeqCst);
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.closed.load(SeqCst)
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(SeqCst)
    }

    /// Most requests at once, where something is known.
    pub(crate) fn bound(&self) -> Option<u32> {
        let some = |bound: u32| (bound != NONE).then_some(bound);
        some(self.set.load(SeqCst)).or_else(|| some(self.learned.load(SeqCst)))
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bound().is_some_and(|bound| self.in_flight() >= bound)
    }

    /// It said that it is full, and that was not long ago.
    pub(crate) fn is_avoided(&self, now: u64) -> bool {
        now < self.avoided_until.load(SeqCst)
    }

    pub(crate) fn avoided_until(&self) -> u64 {
        self.avoided_until.load(SeqCst)
    }

    /// Mean time that a request holds its slot, milliseconds; 0 while unknown.
    pub(crate) fn held_ms(&self) -> u64 {
        self.held_ms.load(SeqCst)
    }

    /// One more in flight, if the bound allows.
    fn take(&self) -> bool {
        let Some(bound) = self.bound() else {
            self.in_flight.fetch_add(1, SeqCst);
            return true;
        };
        let one_more = |count: u32| (count < bound).then_some(count + 1);
        self.in_flight.fetch_update(SeqCst, SeqCst, one_more).is_ok()
    }

    /// It answered that it is full: it is left alone for a while, and takes no more than it had before this one.
    pub(crate) fn busy(&self, now: u64) {
        let times = self.refusals.fetch_add(1, SeqCst).min(16);
        let pause = (AVOID_MS << times).min(LONGEST_AVOID_MS);
        self.avoided_until.fetch_max(now.saturating_add(pause), SeqCst);
        if self.set.load(SeqCst) == NONE {
            // This request is still counted.
            self.learned.store(self.in_flight().saturating_sub(1).clamp(1, MOST), SeqCst);
            self.proofs.store(0, SeqCst);
        }
    }

    /// It answered well, so it takes work again. A learned bound that is used to the full grows slowly, because what was learned may be past.
    pub(crate) fn good(&self) {
        if self.refusals.load(SeqCst) != 0 {
            self.refusals.store(0, SeqCst);
            self.avoided_until.store(0, SeqCst);
        }
        let learned = self.learned.load(SeqCst);
        if learned == NONE || self.in_flight() < learned || self.proofs.fetch_add(1, SeqCst) + 1 < PROOFS {
            return;
        }
        self.proofs.store(0, SeqCst);
        let grown = if learned >= MOST { NONE } else { learned + 1 };
        _ = self.learned.compare_exchange(learned, grown, SeqCst, SeqCst);
    }

    fn held(&self, ms: u64) {
        let before = self.held_ms.load(SeqCst);
        let mean = if before == 0 { ms.max(1) } else { (before.saturating_mul(7).saturating_add(ms)) / 8 };
        self.held_ms.store(mean.max(1), SeqCst);
    }
}

/// Counts as one request in flight until it is dropped, so it belongs into the response body. Whoever waits for a slot
/// gets this one then.
pub(crate) struct InFlight {
    load: Arc<Load>,
    fleet: Arc<FleetLoad>,
    model: Option<Arc<ModelState>>,
    /// Set where the time is of interest.
    since: Option<std::time::Instant>,
    /// It was sent although a breaker is open: if it goes well, that breaker must be closed by hand.
    pub(crate) desperate: bool,
    pub(crate) among: Among,
    /// Leave of the breakers, until there is a verdict.
    passes: [Pass; 2],
}

impl InFlight {
    /// One more request for `model`, if there is a slot.
    pub(super) fn take(
        load: &Arc<Load>,
        fleet: &Arc<FleetLoad>,
        model: &Arc<ModelState>,
        passes: [Pass; 2],
    ) -> Option<Self> {
        load.take().then(|| Self::counted(load, fleet, Some(Arc::clone(model)), passes))
    }

    /// One more request whatever the bound: for what is not inference.
    pub(super) fn beside(load: &Arc<Load>, fleet: &Arc<FleetLoad>) -> Self {
        load.in_flight.fetch_add(1, SeqCst);
        Self::counted(load, fleet, None, Default::default())
    }

    fn counted(load: &Arc<Load>, fleet: &Arc<FleetLoad>, model: Option<Arc<ModelState>>, passes: [Pass; 2]) -> Self {
        fleet.in_flight.fetch_add(1, SeqCst);
        if let Some(model) = &model {
            model.enter();
        }
        let since = load.bound().map(|_| std::time::Instant::now());
        Self {
            load: Arc::clone(load),
            fleet: Arc::clone(fleet),
            model,
            since,
            desperate: false,
            among: Among::default(),
            passes,
        }
    }

    /// The breakers have their verdict.
    pub(crate) fn judged(&mut self) {
        self.passes = Default::default();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.judged();
        if let Some(since) = self.since {
            self.load.held(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX));
        }
        if let Some(model) = &self.model {
            model.leave();
        }
        self.fleet.in_flight.fetch_sub(1, SeqCst);
        self.load.in_flight.fetch_sub(1, SeqCst);
        // After the slot is free: whoever begins to wait looks for a slot after it was counted as waiting.
        self.fleet.queue.freed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(load: &Arc<Load>, fleet: &Arc<FleetLoad>) -> Option<InFlight> {
        InFlight::take(load, fleet, &Arc::default(), Default::default())
    }

    #[test]
    fn no_more_than_the_bound_and_each_place_once() {
        let (load, fleet) = (Arc::new(Load::default()), Arc::new(FleetLoad::default()));
        load.configure(Some(2), true);
        let (one, two) = (taken(&load, &fleet), taken(&load, &fleet));
        assert!(one.is_some() && two.is_some() && taken(&load, &fleet).is_none());
        let beside = InFlight::beside(&load, &fleet);
        assert_eq!((load.in_flight(), fleet.in_flight.load(SeqCst)), (3, 3));
        drop((one, beside));
        assert!(taken(&load, &fleet).is_some());
        drop(two);
        assert_eq!((load.in_flight(), fleet.in_flight.load(SeqCst)), (0, 0));
    }

    #[test]
    fn a_full_backend_teaches_its_bound_which_grows_again() {
        let (load, fleet) = (Arc::new(Load::default()), Arc::new(FleetLoad::default()));
        let mut held: Vec<_> = (0..4).filter_map(|_| taken(&load, &fleet)).collect();
        assert_eq!((held.len(), load.bound()), (4, None));
        load.busy(1_000);
        held.pop();
        assert_eq!((load.bound(), load.is_full()), (Some(3), true));
        for _ in 1..PROOFS {
            load.good();
        }
        assert_eq!(load.bound(), Some(3));
        load.good();
        assert_eq!(load.bound(), Some(4));
        held.pop();
        (0..100).for_each(|_| load.good());
        assert_eq!(load.bound(), Some(4), "what is not used to the full proves nothing");
        load.configure(Some(9), true);
        load.busy(2_000);
        assert_eq!(load.bound(), Some(9), "what is set is not learned");
    }

    #[test]
    fn who_says_it_is_full_is_left_alone_for_longer_and_longer() {
        let load = Load::default();
        let pauses: Vec<u64> = (0..7)
            .map(|_| {
                load.avoided_until.store(0, SeqCst);
                load.busy(0);
                load.avoided_until()
            })
            .collect();
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert!(load.is_avoided(29_999));
        load.good();
        assert!(!load.is_avoided(0));
        load.busy(0);
        assert!(load.is_avoided(999) && !load.is_avoided(1_000));
    }
}
