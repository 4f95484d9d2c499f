//! The backends that have the model of one request, while one of them is looked for, and the one that was found. In which
//! order they are asked is `balance`'s business.

use std::{fmt::Write, sync::Arc};

use domain::{balance::Balance, id::KeyId, usage};

use super::Route;
use crate::{
    backend::{Backend, InFlight, ModelState},
    balance::{self, Among, Ask, Member, Picked, Standing},
};

/// Longest answer to "why this backend", in bytes.
const EXPLANATION: usize = 2_048;

/// The backends that have a model; cheap to clone.
#[derive(Clone)]
pub(crate) struct Candidates {
    route: Arc<Route>,
    ask: Ask,
    tried: Tried,
}

/// Members that are not asked again. The first ones cost no allocation.
#[derive(Clone, Default)]
pub(crate) struct Tried {
    low: u64,
    more: Vec<usize>,
}

impl Tried {
    pub(crate) fn has(&self, index: usize) -> bool {
        if index < 64 { self.low >> index & 1 == 1 } else { self.more.contains(&index) }
    }

    pub(crate) fn add(&mut self, index: usize) {
        if index < 64 {
            self.low |= 1 << index;
        } else if !self.more.contains(&index) {
            self.more.push(index);
        }
    }
}

/// What a request waits for, as a number.
pub(crate) type Kind = (usize, bool, u64);

/// The backend a request is sent to.
pub(crate) struct Choice {
    pub(crate) backend: Arc<Backend>,
    pub(crate) model: Arc<ModelState>,
    /// Lives as long as the response body.
    pub(crate) in_flight: InFlight,
    /// The model was loaded there, as far as was known.
    pub(crate) warm: bool,
    /// Only this backend has the model.
    pub(crate) alone: bool,
    /// What becomes of the request says something about the model.
    pub(crate) speaks: bool,
    index: usize,
}

impl Candidates {
    pub(super) fn new(route: Arc<Route>, balance: Balance) -> Self {
        let turn = route.turn.next();
        Self {
            ask: Ask { balance, turn, affinity: turn, native_only: false, desperate: false },
            route,
            tried: Tried::default(),
        }
    }

    /// How usage calls the model.
    pub(crate) fn model(&self) -> &str {
        &self.route.display
    }

    /// Only one backend has the model.
    pub(crate) fn alone(&self) -> bool {
        self.route.members.len() == 1
    }

    /// Leaves out backends that speak OpenAI's API only, for requests on Ollama's own endpoints.
    pub(crate) fn native_only(&mut self) {
        self.ask.native_only = true;
    }

    /// Requests of the same `hash` belong together.
    pub(crate) fn together(&mut self, hash: u64) {
        self.ask.affinity = hash;
    }

    /// The strategy is one that asks what belongs together.
    pub(crate) fn wants_affinity(&self) -> bool {
        self.ask.balance == Balance::Affinity && self.route.members.len() > 1
    }

    /// A slot at the best of those that were not tried yet.
    pub(crate) fn pick(&self, now: u64) -> Picked {
        balance::pick(&self.route.members, &self.tried, &self.ask, &self.route.turn, now)
    }

    /// Some backend could take a request, at once or after a wait, as far as is known.
    pub(crate) fn is_routable(&self, now: u64) -> bool {
        let takes = |standing| matches!(standing, Standing::Ready | Standing::Full | Standing::Avoided(_));
        self.route.members.iter().any(|member| !member.backend.is_down() && takes(member.standing(&self.ask, now)))
    }

    /// Where a request would go now, or why nowhere, in a few words without full stop.
    pub(crate) fn outlook(&self, now: u64) -> String {
        let members = &self.route.members;
        if let Some(index) = balance::likely(members, &self.ask, now).filter(|index| !members[*index].backend.is_down())
        {
            let warm = if members[index].is_warm(now) { "loaded there" } else { "not loaded" };
            return format!("on {}, {warm}", members[index].backend.name());
        }
        if self.is_routable(now) {
            return "all slots are taken, requests wait for one".to_owned();
        }
        let why = |member: &Member| match member.standing(&self.ask, now) {
            _ if member.backend.is_down() => "down",
            Standing::Ejected(_) | Standing::OnTrial => "ejected after errors",
            Standing::Drained => "drained",
            _ => "unfit",
        };
        let parts: Vec<String> =
            members.iter().take(3).map(|member| format!("{} is {}", member.backend.name(), why(member))).collect();
        let rest = members.len().saturating_sub(parts.len());
        if rest > 0 { format!("{}, and {rest} more", parts.join(", ")) } else { parts.join(", ") }
    }

    /// What usage keeps of it.
    pub(crate) fn kept(&self, choice: &Choice) -> usage::Choice {
        let InFlight { desperate, among: Among { ready, by_priority }, .. } = choice.in_flight;
        let of = u16::try_from(self.route.members.len()).unwrap_or(u16::MAX);
        usage::Choice { balance: self.ask.balance, of, ready, by_priority, desperate }
    }

    /// What a pick found, as the request's own.
    pub(crate) fn chosen(&mut self, index: usize, in_flight: InFlight, now: u64) -> Choice {
        let member = &self.route.members[index];
        let choice = Choice {
            backend: Arc::clone(&member.backend),
            model: Arc::clone(&member.model),
            in_flight,
            warm: member.is_warm(now),
            alone: self.alone(),
            speaks: true,
            index,
        };
        if !choice.warm {
            choice.backend.loads();
        }
        self.ask.desperate |= choice.in_flight.desperate;
        self.tried.add(index);
        choice
    }

    /// The members as they are now, where the catalogue was built anew since.
    pub(crate) fn renew(&mut self) {
        let Some(latest) = self.route.latest().filter(|latest| !Arc::ptr_eq(latest, &self.route)) else { return };
        let mut tried = Tried::default();
        for old in self.route.members.iter().enumerate().filter_map(|(was, old)| self.tried.has(was).then_some(old)) {
            if let Some(index) = latest.members.iter().position(|new| new.backend.id() == old.backend.id()) {
                tried.add(index);
            }
        }
        (self.route, self.tried) = (latest, tried);
    }

    /// Of members as a test wants them.
    #[cfg(test)]
    pub(crate) fn of(members: Vec<crate::balance::Member>, balance: Balance) -> Self {
        Self::new(Route::new("a".into(), members, domain::auto::Abilities::default(), None), balance)
    }

    /// The next one in turn, without a wait.
    #[cfg(test)]
    pub(crate) fn choose(&mut self) -> Option<Choice> {
        match self.pick(0) {
            Picked::Member(index, slot) => Some(self.chosen(index, slot, 0)),
            Picked::Full | Picked::Nobody => None,
        }
    }

    /// Every one that speaks Ollama's own API, whatever its load: for what has to happen on all of them.
    pub(crate) fn all_native(&self) -> impl Iterator<Item = &Arc<Backend>> {
        self.route.members.iter().filter(|member| member.native).map(|member| &member.backend)
    }

    /// Equal for those that wait for exactly the same.
    pub(crate) fn kind(&self) -> Kind {
        (Arc::as_ptr(&self.route) as usize, self.ask.native_only, self.tried.low)
    }

    /// A slot may suit both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let has = |wanted: &Arc<Backend>| other.route.members.iter().any(|member| Arc::ptr_eq(&member.backend, wanted));
        Arc::ptr_eq(&self.route, &other.route) || self.route.members.iter().any(|member| has(&member.backend))
    }

    /// How long somebody at this position (from 1) waits, by what requests took before.
    pub(crate) fn expected_ms(&self, position: usize) -> Option<u64> {
        // Each slot is given on once in the time that a request holds it.
        let rate: f64 = self
            .route
            .members
            .iter()
            .filter_map(|member| {
                let load = member.backend.load();
                let slots = f64::from(load.bound()?);
                (load.is_open() && load.held_ms() > 0).then(|| slots / load.held_ms() as f64)
            })
            .sum();
        (rate > 0.0).then(|| (position as f64 / rate) as u64)
    }

    /// Seconds after which a client that got no slot should try again.
    pub(crate) fn retry_after(&self) -> u64 {
        self.expected_ms(1).map_or(1, |ms| ms.div_ceil(1_000)).clamp(1, 60)
    }

    /// How the name led to the model, and then candidate by candidate, for people who may know the fleet.
    pub(crate) fn explain(&self, via: Option<&str>, choice: &Choice, now: u64) -> String {
        let mut text = via.map(|via| format!("{via}; ")).unwrap_or_default();
        _ = write!(text, "{}: ", self.ask.balance);
        for (index, member) in self.route.members.iter().enumerate() {
            let load = member.backend.load();
            let tried = index != choice.index && self.tried.has(index);
            let standing = match member.standing(&self.ask, now) {
                _ if index == choice.index => "chosen".to_owned(),
                Standing::Ejected(until) => format!("ejected for {} s", until.saturating_sub(now).div_ceil(1_000)),
                Standing::Avoided(until) => format!("said it is full, asked again in {} ms", until.saturating_sub(now)),
                Standing::OnTrial => "on trial".to_owned(),
                Standing::Drained => "drained".to_owned(),
                Standing::Unfit => "speaks another API".to_owned(),
                Standing::Full => "full".to_owned(),
                Standing::Ready if tried => "ready".to_owned(),
                Standing::Ready => "not needed".to_owned(),
            };
            let standing = if tried { format!("tried before, {standing}") } else { standing };
            let warm = if index == choice.index { choice.warm } else { member.is_warm(now) };
            let begun = text.len();
            let gap = if index == 0 { "" } else { "; " };
            let (name, heat, busy) = (member.backend.name(), if warm { "warm" } else { "cold" }, load.in_flight());
            // Writing into a String never fails.
            _ = write!(text, "{gap}{name}: {standing}, {heat}, {busy} in flight");
            if let Some(bound) = load.bound() {
                _ = write!(text, " of {bound}");
            }
            if member.backend.priority() != 0 || member.backend.weight() != 1 {
                _ = write!(text, ", priority {}, weight {}", member.backend.priority(), member.backend.weight());
            }
            let rest = self.route.members.len() - index;
            if text.len() > EXPLANATION - 32 {
                text.truncate(begun);
                _ = write!(text, "{gap}and {rest} more");
                break;
            }
        }
        text.chars().map(|letter| if letter.is_ascii() && !letter.is_ascii_control() { letter } else { '?' }).collect()
    }
}

impl Choice {
    /// The backend began a good answer for a request of this key.
    pub(crate) fn answered(&mut self, now: u64, key: &KeyId) {
        self.model.answered(now, !self.warm, key);
        if !self.warm {
            self.backend.loads();
        }
        self.backend.load().good();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backend::tests::backend_with, balance::Member};

    #[test]
    fn the_explanation_of_a_large_fleet_is_cut_and_is_a_header_value() {
        let members = (0..200).map(|number| {
            let backend = backend_with(number, |entry| entry.name = format!("gpu-ü\u{7f}-{number}"));
            Member { model: backend.model("a"), backend, native: true }
        });
        let mut candidates = Candidates::of(members.collect(), Balance::LeastInFlight);
        let choice = candidates.choose().unwrap();
        let why = candidates.explain(None, &choice, 0);
        assert!(why.len() <= EXPLANATION && why.len() > EXPLANATION / 2, "{}", why.len());
        assert!(why.starts_with("least-in-flight: gpu-??-0: chosen, cold, 1 in flight; gpu-??-1: not needed"), "{why}");
        assert!(why.ends_with(" more"), "{why}");
        assert!(http::HeaderValue::try_from(why).is_ok());
    }

    #[test]
    fn more_members_than_bits_are_remembered_as_tried() {
        let mut tried = Tried::default();
        for index in [0, 63, 64, 200] {
            assert!(!tried.has(index));
            tried.add(index);
            assert!(tried.has(index) && !tried.has(index + 1), "{index}");
        }
    }
}
