//! Which of the backends that have a model gets a request: those that may not have it are left out, the rest are ranked by
//! the strategy in force, and the best one that really has a slot is taken. No lock, no allocation.

mod rank;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use domain::balance::Balance;

use crate::{
    backend::{Backend, InFlight, ModelState},
    breaker::State,
    resolve::Tried,
};
use rank::Ranking;

/// Between two requests that try a model whose backends are all ejected.
const DESPERATE_MS: u64 = 1_000;

/// A backend that has the model.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) backend: Arc<Backend>,
    pub(crate) model: Arc<ModelState>,
    /// It speaks Ollama's own API.
    pub(crate) native: bool,
}

/// What all requests for a model share; goes on when the catalogue is replaced.
#[derive(Default)]
pub(crate) struct Turn {
    count: AtomicU64,
    /// When an ejected backend was tried last, and never as 0.
    desperate: AtomicU64,
}

impl Turn {
    pub(crate) fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether this request is the one of this second.
    fn may_despair(&self, now: u64) -> bool {
        let last = self.desperate.load(Ordering::Relaxed);
        let due = last == 0 || now.saturating_sub(last) >= DESPERATE_MS;
        due && self.desperate.compare_exchange(last, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// What the choice depends on beside the backends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) balance: Balance,
    /// Of this request among all for its model.
    pub(crate) turn: u64,
    /// Hash of what should stay together.
    pub(crate) affinity: u64,
    /// For backends that speak Ollama's own API.
    pub(crate) native_only: bool,
    /// It is the request of this second that tries those that are out, so it may try all of them.
    pub(crate) desperate: bool,
}

/// Among whom somebody was chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Among {
    pub(crate) ready: u16,
    /// Their priorities differ.
    pub(crate) by_priority: bool,
}

/// The outcome of a choice among members.
pub(crate) enum Picked {
    /// Number of the member, and its slot.
    Member(usize, InFlight),
    /// Some would do, and have no slot now.
    Full,
    /// Nobody may be asked: all ejected, drained or of the wrong kind.
    Nobody,
}

/// How it stands with one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Ready,
    /// At its bound.
    Full,
    /// It said it is full, until then.
    Avoided(u64),
    /// Its breaker, or its model's, is open until then.
    Ejected(u64),
    /// Half-open, and another request is the trial.
    OnTrial,
    /// It gets nothing new.
    Drained,
    /// Not for this request.
    Unfit,
}

impl Member {
    pub(crate) fn standing(&self, ask: &Ask, now: u64) -> Standing {
        let load = self.backend.load();
        if ask.native_only && !self.native {
            return Standing::Unfit;
        }
        if !load.is_open() {
            return Standing::Drained;
        }
        for breaker in [self.backend.breaker(), &self.model.breaker] {
            match breaker.state(now) {
                State::Closed => {}
                State::Open { until } => return Standing::Ejected(until),
                State::HalfOpen if !breaker.admits(now) => return Standing::OnTrial,
                State::HalfOpen => {}
            }
        }
        if load.is_avoided(now) {
            return Standing::Avoided(load.avoided_until());
        }
        if load.is_full() { Standing::Full } else { Standing::Ready }
    }

    /// Backends of other kinds load at their start what they serve.
    pub(crate) fn is_warm(&self, now: u64) -> bool {
        !self.native || self.model.is_warm(now)
    }

    /// A slot, and leave of both breakers. Without `guarded` the breakers are not asked.
    fn enter(&self, now: u64, guarded: bool, among: Among) -> Option<InFlight> {
        let mut passes = Default::default();
        if guarded {
            passes = [self.backend.breaker().enter(now)?, self.model.breaker.enter(now)?];
        }
        let mut slot = self.backend.enter(&self.model, passes)?;
        (slot.desperate, slot.among) = (!guarded, among);
        Some(slot)
    }
}

/// Chooses among the members that `tried` does not name.
pub(crate) fn pick(members: &[Member], tried: &Tried, ask: &Ask, turn: &Turn, now: u64) -> Picked {
    let fresh = |index: usize| !tried.has(index);
    // A slot may go to another request between the look and the grab; whoever lost looks again.
    for _ in 0..members.len().saturating_mul(2).clamp(2, 16) {
        let (mut ranking, mut full, mut out) = (Ranking::new(members, ask, now), false, 0);
        for (index, member) in members.iter().enumerate().filter(|(index, _)| fresh(*index)) {
            match member.standing(ask, now) {
                Standing::Ready => ranking.consider(index),
                Standing::Full | Standing::Avoided(_) => full = true,
                Standing::Ejected(_) | Standing::OnTrial => out += 1,
                Standing::Drained | Standing::Unfit => {}
            }
        }
        let (best, guarded) = match ranking.best() {
            Some(index) => (Some(index), true),
            None if out > 0 => (excused(members, tried, ask, now), false),
            None => (None, true),
        };
        match best {
            Some(index) => {
                if let Some(slot) = members[index].enter(now, guarded, ranking.among()) {
                    return Picked::Member(index, slot);
                }
            }
            None if full => return Picked::Full,
            None if out > 0 => return despair(members, tried, ask, turn, now),
            None => return Picked::Nobody,
        }
    }
    Picked::Full
}

/// The member that would get a request now, if it is one that can take it at once. Takes nothing.
pub(crate) fn likely(members: &[Member], ask: &Ask, now: u64) -> Option<usize> {
    let mut ranking = Ranking::new(members, ask, now);
    let ready = members.iter().enumerate().filter(|(_, member)| member.standing(ask, now) == Standing::Ready);
    ready.for_each(|(index, _)| ranking.consider(index));
    ranking.best()
}

/// Traffic alone may eject at most half of a model's backends (and one in any case): where it ejected more, the best of
/// those gets the request all the same. Backends that cannot be reached at all are not meant.
fn excused(members: &[Member], tried: &Tried, ask: &Ask, now: u64) -> Option<usize> {
    let (mut all, mut passive) = (0, 0);
    let mut ranking = Ranking::new(members, ask, now);
    for (index, member) in members.iter().enumerate() {
        let standing = member.standing(ask, now);
        all += usize::from(!matches!(standing, Standing::Drained | Standing::Unfit));
        let out = matches!(standing, Standing::Ejected(_) | Standing::OnTrial);
        if out && member.backend.breaker().state(now) == State::Closed {
            passive += 1;
            if !tried.has(index) && !member.backend.load().is_full() {
                ranking.consider(index);
            }
        }
    }
    if passive > (all / 2).max(1) { ranking.best() } else { None }
}

/// Everyone is ejected: one request a second tries them, beginning with the one whose ejection ends first.
fn despair(members: &[Member], tried: &Tried, ask: &Ask, turn: &Turn, now: u64) -> Picked {
    let until = |member: &Member| match member.standing(ask, now) {
        Standing::Ejected(until) => Some(until),
        Standing::OnTrial => Some(u64::MAX),
        _ => None,
    };
    let ejected = members.iter().enumerate().filter(|(index, _)| !tried.has(*index));
    let least = ejected.filter_map(|(index, member)| Some((until(member)?, index))).min();
    match least {
        Some((_, index)) if ask.desperate || turn.may_despair(now) => {
            match members[index].enter(now, false, Among::default()) {
                Some(slot) => Picked::Member(index, slot),
                None => Picked::Full,
            }
        }
        _ => Picked::Nobody,
    }
}
