//! The circuit breaker of one origin, or of one model at it: closed, open, half-open. It knows neither clock nor network:
//! times are milliseconds of one steady clock, and what counts as a fault is the caller's decision. A look costs one atomic
//! load while all is well; the lock is for failures and changes of state.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

/// How long the first ejection lasts; each further one lasts twice as long.
pub(crate) const EJECTION_MS: u64 = 10_000;
/// Longest ejection, before jitter.
pub(crate) const LONGEST_MS: u64 = 300_000;
/// After so long without another one, ejections begin at their first length again.
pub(crate) const QUIET_MS: u64 = 600_000;
/// From recovery to the whole share.
pub(crate) const RAMP_MS: u64 = 30_000;
/// Least share of what recovers, in thousandths.
pub(crate) const LEAST: u32 = 100;
/// Failures in a row that eject a model from its backend.
const THRESHOLD: u32 = 5;

/// What a breaker lets pass now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Closed,
    /// Nothing before `until`.
    Open {
        until: u64,
    },
    /// One request at a time, to see.
    HalfOpen,
}

/// Leave to send one request. While half-open it holds the only place and gives it back when it is dropped, which decides
/// nothing by itself.
#[derive(Debug, Default)]
pub(crate) struct Pass(Option<Arc<AtomicBool>>);

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(place) = self.0.take() {
            place.store(false, Ordering::Release);
        }
    }
}

#[cfg(test)]
impl Pass {
    /// This request decides whether the breaker closes.
    pub(crate) fn is_trial(&self) -> bool {
        self.0.is_some()
    }
}

/// See the module.
pub(crate) struct Breaker {
    threshold: u32,
    /// `WHOLE`, or a kind in the two highest bits with a time below them.
    word: AtomicU64,
    /// Failures since the last success; written under the lock, but for successes.
    failures: AtomicU32,
    /// The place of the half-open state is taken.
    place: Arc<AtomicBool>,
    past: Mutex<Past>,
}

/// Ejections that the next one's length depends on.
#[derive(Default)]
struct Past {
    ejections: u32,
    /// When it closed last.
    closed: u64,
}

/// Closed, with its whole share.
const WHOLE: u64 = 0;
const TIME: u64 = (1 << 62) - 1;
/// Closed, and recovering since the time.
const RAMP: u64 = 1 << 62;
/// Open until the time, then half-open.
const OPEN: u64 = 2 << 62;

impl Default for Breaker {
    fn default() -> Self {
        Self::new(THRESHOLD)
    }
}

impl Breaker {
    /// One that opens at so many failures in a row.
    pub(crate) fn new(threshold: u32) -> Self {
        Self {
            threshold: threshold.max(1),
            word: AtomicU64::new(WHOLE),
            failures: AtomicU32::new(0),
            place: Arc::default(),
            past: Mutex::default(),
        }
    }

    pub(crate) fn state(&self, now: u64) -> State {
        state(self.word.load(Ordering::Acquire), now)
    }

    /// Whether a request could enter now; takes nothing.
    pub(crate) fn admits(&self, now: u64) -> bool {
        match self.state(now) {
            State::Closed => true,
            State::Open { .. } => false,
            State::HalfOpen => !self.place.load(Ordering::Acquire),
        }
    }

    /// Leave for one request. `None` while open, and while another one is the trial.
    pub(crate) fn enter(&self, now: u64) -> Option<Pass> {
        match self.state(now) {
            State::Closed => Some(Pass::default()),
            State::Open { .. } => None,
            State::HalfOpen => {
                let free = self.place.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire);
                free.is_ok().then(|| Pass(Some(Arc::clone(&self.place))))
            }
        }
    }

    /// A request began to be answered. That ends the half-open state, because waiting for the end of a long answer would
    /// keep all others out for so long. It does not excuse earlier failures: who dies in the middle of each answer begins
    /// each one well. Answers whether it closed the breaker.
    pub(crate) fn began(&self, now: u64) -> bool {
        self.state(now) == State::HalfOpen && self.close(now, |state| state == State::HalfOpen)
    }

    /// A request was answered to its end. What comes while it is open is a straggler and changes nothing.
    pub(crate) fn succeed(&self, now: u64) {
        let word = self.word.load(Ordering::Acquire);
        match state(word, now) {
            State::Closed => {
                if self.failures.load(Ordering::Relaxed) != 0 {
                    self.failures.store(0, Ordering::Relaxed);
                }
                if word != WHOLE && now.saturating_sub(word & TIME) >= RAMP_MS {
                    // Whoever changed it meanwhile knows better.
                    _ = self.word.compare_exchange(word, WHOLE, Ordering::AcqRel, Ordering::Relaxed);
                }
            }
            State::HalfOpen => _ = self.close(now, |state| state == State::HalfOpen),
            State::Open { .. } => {}
        }
    }

    /// It is known to work again from elsewhere (a look, a new configuration): closes at once, and ramps.
    pub(crate) fn revive(&self, now: u64) {
        self.close(now, |_| true);
    }

    /// A request failed by the fault of whom this guards. `jitter` is any random number; it lengthens an ejection by up to
    /// a quarter. Answers whether this failure opened it.
    pub(crate) fn fail(&self, now: u64, jitter: u64) -> bool {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        match self.state(now) {
            State::Open { .. } => return false,
            State::Closed => {
                let failures = self.failures.load(Ordering::Relaxed).saturating_add(1);
                self.failures.store(failures, Ordering::Relaxed);
                if failures < self.threshold {
                    return false;
                }
            }
            State::HalfOpen => {}
        }
        if past.ejections > 0 && self.state(now) == State::Closed && now.saturating_sub(past.closed) >= QUIET_MS {
            past.ejections = 0;
        }
        let length = EJECTION_MS.checked_shl(past.ejections.min(16)).unwrap_or(LONGEST_MS).min(LONGEST_MS);
        past.ejections = past.ejections.saturating_add(1);
        let until = now.saturating_add(length).saturating_add(jitter % (length / 4 + 1));
        self.word.store(OPEN | until.min(TIME), Ordering::Release);
        true
    }

    /// The part of its usual load that it should get, in thousandths: none while open, little after recovery, then more.
    pub(crate) fn share(&self, now: u64) -> u32 {
        let word = self.word.load(Ordering::Acquire);
        match state(word, now) {
            State::Open { .. } => 0,
            State::HalfOpen => LEAST,
            State::Closed if word == WHOLE => 1_000,
            State::Closed => {
                let passed = now.saturating_sub(word & TIME).min(RAMP_MS);
                LEAST + u32::try_from(u64::from(1_000 - LEAST) * passed / RAMP_MS).unwrap_or(1_000 - LEAST)
            }
        }
    }

    fn close(&self, now: u64, still: impl FnOnce(State) -> bool) -> bool {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let closes = still(self.state(now));
        if closes {
            past.closed = now;
            self.failures.store(0, Ordering::Relaxed);
            self.word.store(RAMP | now.min(TIME), Ordering::Release);
        }
        closes
    }
}

fn state(word: u64, now: u64) -> State {
    match word & !TIME {
        OPEN if now < word & TIME => State::Open { until: word & TIME },
        OPEN => State::HalfOpen,
        _ => State::Closed,
    }
}

#[cfg(test)]
mod tests;
