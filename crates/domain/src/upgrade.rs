//! A rolling upgrade of the fleet as pages and command line see it: what was asked for, how far each backend is, what may be
//! answered now, and the words for all of it. How it goes on from step to step is `control::upgrade`'s business.

mod input;
mod version;

use serde::{Deserialize, Serialize};

pub use self::{
    input::{AnswerUpgrade, StartUpgrade, UpgradeAnswer, UpgradeOverview, UpgradePlace},
    version::{Version, same_version},
};
use crate::id::BackendId;

/// A rolling upgrade, under way or ended. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeView {
    /// Tells one run from another.
    pub id: String,
    pub state: UpgradeState,
    /// Who began it.
    pub by: String,
    pub started_at: u64,
    pub ended_at: Option<u64>,
    /// The version that every backend should run afterwards; `None` accepts any that is not older than before.
    pub version: Option<String>,
    /// In the order in which they take their turns.
    pub steps: Vec<UpgradeStep>,
    /// Counts up with everything that happens.
    pub change: u64,
    /// What happened, oldest first. Left out of the live status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<UpgradeEvent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpgradeState {
    Running,
    /// Nothing goes on before somebody says so.
    Paused,
    /// Ended before its last backend.
    Stopped,
    Finished,
}

/// One backend's turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeStep {
    pub backend: BackendId,
    pub name: String,
    pub url: String,
    pub phase: UpgradePhase,
    /// When the phase began.
    pub since: u64,
    /// It was drained before the run, and stays so afterwards.
    pub was_draining: bool,
    /// What it ran before its turn.
    pub before: Option<String>,
    /// What it runs after it.
    pub after: Option<String>,
    /// Models that are to be loaded again.
    #[serde(default)]
    pub cold: Vec<String>,
    /// Its streams take longer than expected.
    #[serde(default)]
    pub overdue: bool,
    /// It went away since it was handed over.
    #[serde(default)]
    pub seen_down: bool,
    /// A command upgrades it: that it comes back says nothing.
    #[serde(default)]
    pub commanded: bool,
    /// It takes its turn although calls may find no backend meanwhile.
    #[serde(default)]
    pub accepted: bool,
    /// Why its turn does not begin yet.
    #[serde(default)]
    pub waits: Option<String>,
    /// Why the run is paused, to be answered.
    #[serde(default)]
    pub problem: Option<String>,
    /// What else should be known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpgradePhase {
    /// Its turn is still to come.
    Waiting,
    /// It gets nothing new and finishes what it has.
    Draining,
    /// The operator upgrades it.
    HandedOver,
    /// Version and models are looked at.
    Verifying,
    /// What was loaded before is loaded again.
    Warming,
    /// It gets requests again (or is drained still, where it was before).
    Rejoined,
    /// Its turn was left out.
    Skipped,
    /// The run was stopped while it was drained, and it was left so.
    LeftDrained,
}

impl UpgradePhase {
    /// Its turn is over.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Rejoined | Self::Skipped | Self::LeftDrained)
    }

    /// The run keeps it drained.
    pub fn is_away(self) -> bool {
        matches!(self, Self::Draining | Self::HandedOver | Self::Verifying | Self::Warming)
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Draining => "Draining",
            Self::HandedOver => "Handed over",
            Self::Verifying => "Verifying",
            Self::Warming => "Warming",
            Self::Rejoined => "Rejoined",
            Self::Skipped => "Skipped",
            Self::LeftDrained => "Left drained",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeEvent {
    pub at: u64,
    /// Name of the backend it is about.
    pub backend: Option<String>,
    /// A sentence without full stop.
    pub text: String,
}

impl UpgradeView {
    /// It has not ended.
    pub fn is_open(&self) -> bool {
        matches!(self.state, UpgradeState::Running | UpgradeState::Paused)
    }

    /// Whose turn it is, or would be; nothing once all had theirs.
    pub fn current(&self) -> Option<&UpgradeStep> {
        self.steps.iter().find(|step| !step.phase.is_over())
    }

    /// What may be answered now, in the order in which it is offered.
    pub fn answers(&self) -> Vec<UpgradeAnswer> {
        use UpgradeAnswer::{Continue, Pause, Rejoin, Retry, StopDrained, StopRejoin};
        let Some(step) = self.current().filter(|_| self.is_open()) else { return Vec::new() };
        let paused = self.state == UpgradeState::Paused;
        let mut answers = match (step.phase, &step.problem) {
            (UpgradePhase::HandedOver, Some(_)) => vec![Continue, Retry, Rejoin],
            (_, Some(_)) => vec![Retry, Rejoin],
            _ if paused => vec![Continue],
            (UpgradePhase::HandedOver, None) => vec![Continue, Pause],
            (UpgradePhase::Waiting, None) if step.waits.is_some() => vec![Continue, Pause],
            _ => vec![Pause],
        };
        answers.push(StopRejoin);
        if step.phase.is_away() && !step.was_draining {
            answers.push(StopDrained);
        }
        answers
    }

    /// How many backends had their turn, of how many, and how many were left out or left drained.
    pub fn progress(&self) -> String {
        let count = |phase| self.steps.iter().filter(|step| step.phase == phase).count();
        let mut text = format!("{} of {} done", count(UpgradePhase::Rejoined), self.steps.len());
        for (phase, words) in [(UpgradePhase::Skipped, "skipped"), (UpgradePhase::LeftDrained, "left drained")] {
            let number = count(phase);
            if number > 0 {
                text += &format!(", {number} {words}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{UpgradeAnswer::*, *};

    fn run(state: UpgradeState, phase: UpgradePhase, change: impl FnOnce(&mut UpgradeStep)) -> UpgradeView {
        let mut step = UpgradeStep {
            phase,
            ..UpgradeStep::new(BackendId::new("0123456789ab").unwrap(), "gpu-1".into(), "http://gpu-1".into(), 0)
        };
        change(&mut step);
        UpgradeView {
            id: "r".into(),
            state,
            by: "root".into(),
            started_at: 0,
            ended_at: None,
            version: None,
            steps: vec![step],
            change: 0,
            events: Vec::new(),
        }
    }

    #[test]
    fn a_turn_that_was_left_out_is_not_done() {
        let of = |phase| run(UpgradeState::Stopped, phase, |_| {}).progress();
        assert_eq!(of(UpgradePhase::Rejoined), "1 of 1 done");
        assert_eq!(of(UpgradePhase::Skipped), "0 of 1 done, 1 skipped");
        assert_eq!(of(UpgradePhase::LeftDrained), "0 of 1 done, 1 left drained");
    }

    #[test]
    fn what_is_offered_fits_what_goes_on() {
        use UpgradePhase::*;
        use UpgradeState::*;
        let none = |_: &mut UpgradeStep| {};
        let problem = |step: &mut UpgradeStep| step.problem = Some("no".into());
        let waits = |step: &mut UpgradeStep| step.waits = Some("no".into());
        let drained = |step: &mut UpgradeStep| step.was_draining = true;
        let table: [(UpgradeView, &[UpgradeAnswer]); 11] = [
            (run(Running, Waiting, none), &[Pause, StopRejoin]),
            (run(Running, Waiting, waits), &[Continue, Pause, StopRejoin]),
            (run(Running, Draining, none), &[Pause, StopRejoin, StopDrained]),
            (run(Running, Draining, drained), &[Pause, StopRejoin]),
            (run(Running, HandedOver, none), &[Continue, Pause, StopRejoin, StopDrained]),
            (run(Paused, HandedOver, none), &[Continue, StopRejoin, StopDrained]),
            (run(Paused, HandedOver, problem), &[Continue, Retry, Rejoin, StopRejoin, StopDrained]),
            (run(Paused, Verifying, problem), &[Retry, Rejoin, StopRejoin, StopDrained]),
            (run(Running, Warming, none), &[Pause, StopRejoin, StopDrained]),
            (run(Running, Rejoined, none), &[]),
            (run(Stopped, Waiting, none), &[]),
        ];
        for (view, expected) in table {
            assert_eq!(view.answers(), expected, "{view:?}");
        }
    }
}
