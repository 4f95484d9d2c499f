//! A rolling upgrade as it is stored: what people see of it, and what only its driver needs. Nothing here does anything
//! by itself: `step` takes it from phase to phase, `answer` does what people say.

use std::collections::BTreeMap;

use domain::{
    backend::BackendView,
    id::BackendId,
    upgrade::{UpgradeEvent, UpgradePhase, UpgradeState, UpgradeStep, UpgradeView},
};
use gateway::Loaded;
use serde::{Deserialize, Serialize};
use store::row::Op;

use crate::state::State;

/// The row of the settings that holds it. The mark keeps it out of what people save and reset.
pub(crate) const SETTING: &str = "mark.fleet_upgrade";
/// Events that are kept; the oldest go first.
const EVENTS: usize = 2_000;

/// A run, with what has to be known over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub view: UpgradeView,
    /// Models that no other backend has may be away.
    pub force: bool,
    /// What each backend was before its turn, by its id.
    pub before: BTreeMap<String, Before>,
    /// What each backend of the fleet was when the run began, by its id: a restart forgets what was seen of those that are
    /// down. Empty in runs that were stored before this was kept.
    #[serde(default)]
    pub known: BTreeMap<String, Known>,
    /// Who runs the command for the backend that is handed over; nothing once it ended.
    #[serde(default)]
    pub claim: Option<Claim>,
    /// The process that drives it, and when it last said so: gateways on one database must not all do it.
    pub driver: String,
    pub driven_at: u64,
}

/// What a backend was before its turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    pub models: Vec<String>,
    /// Loaded models, and the seconds they stay; see [`Loaded`].
    pub warm: Vec<(String, i64)>,
}

/// A follower runs its command for a backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// Tells one follower from another.
    pub owner: String,
    /// How often it has said so.
    pub said: u64,
}

/// What was known of a backend when the run began, or when it was seen first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub models: Vec<String>,
    pub version: Option<String>,
    /// It speaks OpenAI's API only.
    pub foreign: bool,
}

/// What a transition wants done to a backend in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Drain(BackendId),
    TakeBack(BackendId),
}

/// What is seen at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    /// Unix milliseconds.
    pub now: u64,
    pub backends: Vec<BackendView>,
    /// Those that speak OpenAI's API only.
    pub foreign: Vec<BackendId>,
    /// Those of which the last look does not say whether they are up.
    pub unsure: Vec<BackendId>,
    /// What the present backend has loaded.
    pub loaded: Vec<Loaded>,
    /// The fleet was not looked at just now.
    pub unseen: bool,
    /// Nothing was in flight at the present backend for a while.
    pub idle: bool,
    /// Whoever runs the command for the present backend was not heard of for too long.
    pub lost: bool,
    /// When the last look at the present backend that is over began.
    pub looked: Option<u64>,
}

impl World {
    pub fn backend(&self, step: &UpgradeStep) -> Option<&BackendView> {
        self.backends.iter().find(|backend| backend.id == step.backend)
    }
}

impl Run {
    /// The one that is stored. One that cannot be read is as good as none, and said.
    /// Backends have the names and addresses that they have now.
    pub fn of(state: &State) -> Option<Self> {
        let mut run = Self::read(state.setting(SETTING)?)?;
        for step in &mut run.view.steps {
            if let Ok(row) = state.backend(&step.backend) {
                row.name.clone_into(&mut step.name);
                row.url.clone_into(&mut step.url);
            }
        }
        Some(run)
    }

    pub fn read(text: &str) -> Option<Self> {
        let read = serde_json::from_str(text);
        read.inspect_err(|error| tracing::error!(%error, "the stored rolling upgrade cannot be read; it is left out"))
            .ok()
    }

    pub fn op(&self) -> Result<Op, serde_json::Error> {
        Ok(Op::PutSetting(SETTING.into(), serde_json::to_string(self)?))
    }

    /// The place of the backend whose turn it is.
    pub fn turn(&self) -> Option<usize> {
        self.view.steps.iter().position(|step| !step.phase.is_over())
    }

    /// Writes down what happened; `at` is a place in the steps.
    pub fn tell(&mut self, now: u64, at: Option<usize>, text: impl Into<String>) {
        let backend = at.and_then(|at| self.view.steps.get(at)).map(|step| step.name.clone());
        let events = &mut self.view.events;
        if events.len() >= EVENTS {
            events.drain(..=events.len() - EVENTS);
        }
        events.push(UpgradeEvent { at: now, backend, text: text.into() });
        self.view.change += 1;
    }

    pub fn enter(&mut self, now: u64, at: usize, phase: UpgradePhase, text: impl Into<String>) {
        if let Some(step) = self.view.steps.get_mut(at) {
            (step.phase, step.since) = (phase, now);
            (step.waits, step.problem, step.overdue) = (None, None, false);
        }
        self.claim = None;
        self.tell(now, Some(at), text);
    }

    /// Leaves a turn out, or what is left of it, and says why.
    pub fn skip(&mut self, now: u64, at: usize, why: &str) {
        self.note(at, why);
        self.enter(now, at, UpgradePhase::Skipped, format!("skipped: {why}"));
    }

    pub fn note(&mut self, at: usize, text: impl Into<String>) {
        if let Some(step) = self.view.steps.get_mut(at) {
            step.notes.push(text.into());
        }
    }

    /// Pauses until somebody answers.
    pub fn ask(&mut self, now: u64, at: usize, problem: String) {
        self.tell(now, Some(at), format!("paused: {problem}"));
        self.view.state = UpgradeState::Paused;
        if let Some(step) = self.view.steps.get_mut(at) {
            step.problem = Some(problem);
        }
    }

    pub fn end(&mut self, now: u64, state: UpgradeState, text: impl Into<String>) {
        (self.view.state, self.view.ended_at) = (state, Some(now));
        self.tell(now, None, text);
    }

    /// Takes the backend back, unless it was drained before the run.
    pub fn back(&mut self, at: usize) -> Vec<Act> {
        let step = &self.view.steps[at];
        if step.was_draining { Vec::new() } else { vec![Act::TakeBack(step.backend.clone())] }
    }
}
