//! What is known of one model at one backend beside its row in the list: whether it is loaded, how many requests it
//! answers, its circuit breaker, and who had it pushed out of memory. Lives as long as the backend's address.

use std::sync::{
    Mutex,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use domain::id::KeyId;

use super::lock;
use crate::breaker::Breaker;

/// After an answer a model counts as loaded for so long, unless a look at the backend says otherwise: Ollama's own default.
const KEPT_MS: u64 = 300_000;

#[derive(Default)]
pub(crate) struct ModelState {
    /// Loaded until then, as far as is known.
    warm_until: AtomicU64,
    in_flight: AtomicU32,
    pub(crate) breaker: Breaker,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    /// Whose request had it loaded, since the last look.
    loaded_by: Option<KeyId>,
    /// Whose request's model took its place.
    evicted_by: Option<KeyId>,
}

impl ModelState {
    pub(super) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// It is in the backend's memory.
    pub(crate) fn is_warm(&self, now: u64) -> bool {
        now < self.warm_until.load(Ordering::Relaxed)
    }

    /// It is there, or on its way.
    pub(crate) fn is_warm_or_loading(&self, now: u64) -> bool {
        self.in_flight() > 0 || self.is_warm(now)
    }

    /// It answered a request. `cold` says that it was not loaded when the request was sent.
    pub(crate) fn answered(&self, now: u64, cold: bool, key: &KeyId) {
        self.warm_until.fetch_max(now + KEPT_MS, Ordering::Relaxed);
        if cold {
            let mut keys = lock(&self.keys);
            keys.evicted_by = None;
            keys.loaded_by = Some(key.clone());
        }
    }

    /// A look found it loaded. Answers whose request had it loaded since the last look, if one had.
    pub(crate) fn found(&self, now: u64) -> Option<KeyId> {
        self.warm_until.store(now + KEPT_MS, Ordering::Relaxed);
        let mut keys = lock(&self.keys);
        keys.evicted_by = None;
        keys.loaded_by.take()
    }

    /// A look did not find it. While it answers, that is only because it is being loaded. Answers whether it was thought to
    /// be loaded.
    pub(crate) fn missed(&self, now: u64) -> bool {
        self.in_flight() == 0 && self.warm_until.swap(0, Ordering::Relaxed) > now
    }

    pub(crate) fn evicted(&self, by: KeyId) {
        lock(&self.keys).evicted_by = Some(by);
    }

    pub(crate) fn evicted_by(&self) -> Option<KeyId> {
        lock(&self.keys).evicted_by.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_warm_from_its_answer_to_the_look_that_misses_it() {
        let (model, key) = (ModelState::default(), KeyId::new("kkkkkkkkkkkk").unwrap());
        assert!(!model.is_warm(0) && !model.missed(0));
        model.enter();
        assert!(!model.is_warm(5) && model.is_warm_or_loading(5));
        model.answered(5, true, &key);
        assert!(!model.missed(6) && model.is_warm(6), "an answer is under way, so the look came too early");
        model.leave();
        assert!(model.is_warm(6) && !model.is_warm(5 + KEPT_MS));
        assert_eq!((model.found(7), model.found(8)), (Some(key.clone()), None));
        assert!(model.missed(9) && !model.is_warm(9) && !model.missed(10));
        model.evicted(key.clone());
        assert_eq!(model.evicted_by(), Some(key.clone()));
        model.answered(11, true, &key);
        assert_eq!(model.evicted_by(), None);
    }
}
