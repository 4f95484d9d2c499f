//! What people say to a rolling upgrade: go on, look again, take back, pause, stop; and what a command line that upgrades
//! backends itself reports.

use domain::{
    backend::BackendView,
    upgrade::{UpgradeAnswer, UpgradePhase, UpgradeState, UpgradeView},
};

use super::run::{Act, Claim, Run, World};

impl Run {
    /// Does what `who` says, or says why that does not fit.
    pub fn answer(&mut self, answer: UpgradeAnswer, who: &str, world: &World) -> Result<Vec<Act>, String> {
        let now = world.now;
        let Some(at) = self.turn().filter(|_| self.view.answers().contains(&answer)) else {
            return Err(unfit(&self.view, answer, world));
        };
        let paused = self.view.state == UpgradeState::Paused;
        let asked = self.view.steps[at].problem.is_some();
        Ok(match answer {
            UpgradeAnswer::Continue if paused && !asked => {
                self.view.state = UpgradeState::Running;
                self.tell(now, None, format!("{who} ended the pause"));
                Vec::new()
            }
            UpgradeAnswer::Continue if self.view.steps[at].phase == UpgradePhase::Waiting => {
                self.view.steps[at].accepted = true;
                self.tell(now, Some(at), format!("{who} lets its turn begin all the same"));
                Vec::new()
            }
            UpgradeAnswer::Continue => {
                self.view.state = UpgradeState::Running;
                self.enter(now, at, UpgradePhase::Verifying, format!("{who} says that it is upgraded"));
                Vec::new()
            }
            UpgradeAnswer::Retry => {
                self.view.state = UpgradeState::Running;
                self.view.steps[at].commanded = false;
                let phase = self.view.steps[at].phase;
                self.enter(now, at, phase, format!("{who} has it tried again"));
                Vec::new()
            }
            UpgradeAnswer::Rejoin => {
                self.view.state = UpgradeState::Running;
                let problem = self.view.steps[at].problem.take().unwrap_or_default();
                self.note(at, format!("taken back all the same: {problem}"));
                self.tell(now, Some(at), format!("{who} takes it back all the same"));
                self.warm(at, now)
            }
            UpgradeAnswer::Pause => {
                self.view.state = UpgradeState::Paused;
                self.tell(now, None, format!("paused by {who}"));
                Vec::new()
            }
            UpgradeAnswer::StopRejoin | UpgradeAnswer::StopDrained => self.stop(at, answer, who, now),
        })
    }

    fn stop(&mut self, at: usize, answer: UpgradeAnswer, who: &str, now: u64) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.view.steps[at].phase.is_away() {
            if answer == UpgradeAnswer::StopDrained {
                self.enter(now, at, UpgradePhase::LeftDrained, "left drained");
            } else {
                acts = self.back(at);
                let text = if acts.is_empty() { "stays drained, as it was before" } else { "taken back" };
                self.note(at, format!("the upgrade was stopped; {text}"));
                self.enter(now, at, UpgradePhase::Skipped, text);
            }
        }
        self.end(now, UpgradeState::Stopped, format!("stopped by {who}"));
        acts
    }

    /// `owner` runs its command for this backend already.
    pub fn holds(&self, backend: &str, owner: &str) -> bool {
        let step = self.view.current().filter(|_| self.view.is_open());
        step.is_some_and(|step| step.commanded && is_handed(backend, step.backend.as_str(), step.phase))
            && self.claim.as_ref().is_some_and(|claim| claim.owner == owner)
    }

    /// A command line begins to upgrade the backend itself, once only, however many follow the run; or says that it still
    /// does.
    pub fn claim(&mut self, backend: &str, owner: &str, now: u64) -> Result<(), String> {
        if self.holds(backend, owner) {
            let lost = self.turn().filter(|at| self.view.steps[*at].problem.take().is_some());
            if lost.is_some() {
                self.view.state = UpgradeState::Running;
                self.tell(now, lost, "the command still upgrades it");
            }
            self.claim.iter_mut().for_each(|claim| claim.said += 1);
            return Ok(());
        }
        let running = self.view.state == UpgradeState::Running;
        let step = self.turn().map(|at| (at, &mut self.view.steps[at])).filter(|_| running);
        match step {
            Some((at, step)) if is_handed(backend, step.backend.as_str(), step.phase) && !step.commanded => {
                step.commanded = true;
                self.claim = Some(Claim { owner: owner.to_owned(), said: 1 });
                self.tell(now, Some(at), "a command upgrades it");
                Ok(())
            }
            _ => Err("it is not handed over, or another command upgrades it already".into()),
        }
    }

    /// The command of `owner` ended with this exit code, or none where a signal ended it.
    pub fn ran(&mut self, backend: &str, owner: &str, code: Option<i32>, now: u64) -> Result<(), String> {
        let holds = self.holds(backend, owner);
        // In a run that was stored before claims had owners anybody's word counts.
        let before = self.claim.is_none();
        let at = self.turn().filter(|at| {
            let step = &self.view.steps[*at];
            let waited = self.view.is_open() && step.commanded && step.problem.is_none();
            holds || before && waited && is_handed(backend, step.backend.as_str(), step.phase)
        });
        let Some(at) = at else { return Err("no command upgrades it any more".into()) };
        let lost = self.view.steps[at].problem.is_some();
        match code {
            Some(0) => {
                if lost {
                    self.view.state = UpgradeState::Running;
                }
                self.enter(now, at, UpgradePhase::Verifying, "the command ended well");
            }
            code => {
                let how = code.map_or_else(|| "by a signal".to_owned(), |code| format!("with exit code {code}"));
                let problem = format!("the command for {} ended {how}", self.view.steps[at].name);
                self.claim = None;
                self.ask(now, at, problem);
            }
        }
        Ok(())
    }
}

fn is_handed(asked: &str, backend: &str, phase: UpgradePhase) -> bool {
    asked == backend && phase == UpgradePhase::HandedOver
}

/// Why an answer does not fit, and what does.
fn unfit(view: &UpgradeView, answer: UpgradeAnswer, world: &World) -> String {
    let Some(step) = view.current().filter(|_| view.is_open()) else {
        return "no rolling upgrade is under way".into();
    };
    let left = world.backend(step).map_or(0, |backend: &BackendView| backend.in_flight);
    match (answer, step.phase, &step.problem) {
        (UpgradeAnswer::Continue, _, Some(problem)) => format!("{problem}: retry, rejoin or stop"),
        (UpgradeAnswer::Continue, UpgradePhase::Draining, None) => {
            format!("{} still drains, {left} left in flight: wait, or stop", step.name)
        }
        (UpgradeAnswer::Continue, phase, None) => {
            format!("{} goes on by itself ({}): nothing is waited for", step.name, phase.words().to_lowercase())
        }
        (UpgradeAnswer::Retry, UpgradePhase::HandedOver, None) if step.commanded => format!(
            "a command upgrades {} now: should whoever runs it be gone, that is found out within half a minute",
            step.name
        ),
        (UpgradeAnswer::Retry | UpgradeAnswer::Rejoin, ..) => format!("nothing is wrong with {} so far", step.name),
        (UpgradeAnswer::Pause, ..) => "it is paused already".into(),
        (UpgradeAnswer::StopDrained, ..) => format!("{} is not drained by the upgrade: stop and rejoin", step.name),
        (UpgradeAnswer::StopRejoin, ..) => "it cannot be stopped now".into(),
    }
}
