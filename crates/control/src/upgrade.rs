//! Rolling upgrades: beginning one, answering it, looking at it. There is one at a time for all gateways on one database;
//! it is stored with every step, so that a restart changes nothing. `step` and `answer` say what follows from what,
//! `driver` looks at the fleet and lets it happen.

mod answer;
mod driver;
mod run;
mod step;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use domain::{
    backend::BackendView,
    error::AdminError,
    id::BackendId,
    upgrade::{
        AnswerUpgrade, StartUpgrade, UpgradeAnswer, UpgradeOverview, UpgradePlace, UpgradeState, UpgradeStep,
        UpgradeView,
    },
};
use store::row::{BackendRow, Op};
use tokio::sync::Notify;

#[cfg(test)]
pub(crate) use self::driver::{CLAIM, Hands};
pub(crate) use self::{
    run::SETTING,
    step::{Fleet, alone, named},
};
use self::{
    run::{Act, Known, Run, World},
    step::{backends as counted, is_up},
};
use crate::{Actor, Control, backends, by::By, clock::Now, fault, secrets::random, state::State};

/// So long an upgrade that has ended stays in the live status.
const SHOWN_MS: u64 = 600_000;
/// Members of the audit log's row.
const MEMBERS: [&str; 3] = ["state", "backend", "step"];

/// What this process has of rolling upgrades beside the stored run.
pub(crate) struct Upgrades {
    /// Tells this process from other gateways on the same database.
    own: String,
    /// Somebody changed the run.
    nudge: Notify,
}

impl Upgrades {
    pub fn new() -> Result<Self, AdminError> {
        Ok(Self { own: random::id::<BackendId>()?.into(), nudge: Notify::new() })
    }
}

impl Control {
    /// The rolling upgrade that is under way, or the last one.
    pub fn upgrade(&self, _actor: &Actor) -> Option<UpgradeView> {
        Run::of(&self.state()).map(|run| run.view)
    }

    /// The same, with the backends that may take part in another.
    pub fn upgrade_overview(&self, actor: &Actor) -> UpgradeOverview {
        let all = self.known_backends(&self.state());
        let (foreign, run) = (self.0.gateway.foreign(), Run::of(&self.state()));
        let known = run.as_ref().map(|run| &run.known);
        let fleet = Fleet { backends: &all, foreign: &foreign, unsure: &[], known };
        let mut places: Vec<UpgradePlace> = all
            .iter()
            .filter(|backend| backend.enabled)
            .map(|backend| UpgradePlace {
                id: backend.id.clone(),
                name: backend.name.clone(),
                version: backend.version.clone(),
                alone: if serves(backend) { alone(&fleet, backend) } else { Vec::new() },
            })
            .collect();
        places.sort_by(|left, right| left.name.cmp(&right.name));
        UpgradeOverview { run: self.upgrade(actor), places }
    }

    /// Begins a rolling upgrade; it goes on by itself from here.
    pub async fn start_upgrade(&self, actor: &Actor, input: StartUpgrade) -> Result<UpgradeView, AdminError> {
        let by = actor.operates("fleet upgrade begun")?;
        let version = input.wanted().map_err(|fault| AdminError::Invalid { fields: vec![fault] })?;
        let id: String = random::id::<BackendId>()?.into();
        let who = actor.view().name.clone();
        let view = self
            .mutate(by, |state| {
                if Run::of(state).is_some_and(|run| run.view.is_open()) {
                    return Err(fault::conflict(
                        "a rolling upgrade is under way already: answer or stop that one first",
                    ));
                }
                let now = Now::read().wall;
                let all = self.known_backends(state);
                let foreign = self.0.gateway.foreign();
                let fleet = Fleet { backends: &all, foreign: &foreign, unsure: &[], known: None };
                let chosen = chosen(state, &fleet, &input)?;
                let steps: Vec<UpgradeStep> =
                    chosen.iter().map(|b| UpgradeStep::new(b.id.clone(), b.name.clone(), b.url.clone(), now)).collect();
                let mut run = Run {
                    view: UpgradeView {
                        id: id.clone(),
                        state: UpgradeState::Running,
                        by: who.clone(),
                        started_at: now,
                        ended_at: None,
                        version: version.clone(),
                        steps,
                        change: 0,
                        events: Vec::new(),
                    },
                    force: input.force,
                    before: Default::default(),
                    known: known(&fleet),
                    claim: None,
                    driver: self.0.upgrades.own.clone(),
                    driven_at: now,
                };
                let to = version.as_ref().map(|version| format!(" to {version}")).unwrap_or_default();
                let text = format!("begun by {who}: {}{to}, one after another", counted(run.view.steps.len()));
                run.tell(now, None, text);
                Ok((vec![op(&run)?], run.view))
            })
            .await?;
        self.0.upgrades.nudge.notify_one();
        Ok(view)
    }

    /// Answers the rolling upgrade that is under way. What was said about another run or another backend's turn is
    /// refused: the page it was said on is old.
    pub async fn answer_upgrade(&self, actor: &Actor, input: AnswerUpgrade) -> Result<UpgradeView, AdminError> {
        let who = actor.view().name.clone();
        self.tell_upgrade(answers(actor)?, |run, world| {
            let turn = run.view.current().map_or("", |step| step.backend.as_str());
            let other_run = !input.run.is_empty() && input.run != run.view.id;
            if other_run || !input.backend.is_empty() && input.backend != turn {
                return Err("this was said on a page that shows what is over: look again".into());
            }
            // The same word means something else after what has happened since; holding and ending means the same.
            let depends =
                matches!(input.answer, UpgradeAnswer::Continue | UpgradeAnswer::Retry | UpgradeAnswer::Rejoin);
            let told = input.change != 0 || !input.run.is_empty();
            if depends && told && input.change != run.view.change {
                return Err("something has happened since this was shown, and it was left as it is: look again".into());
            }
            run.answer(input.answer, &who, world)
        })
        .await
    }

    /// A command line begins to upgrade the backend that is handed over, by itself, or says that it still does.
    pub(crate) async fn claim_upgrade(
        &self,
        actor: &Actor,
        id: &BackendId,
        owner: &str,
    ) -> Result<UpgradeView, AdminError> {
        let by = answers(actor)?;
        // Who only says it again every few seconds leaves no row in the log; nobody else may come in that way.
        let again = Run::of(&self.state()).is_some_and(|run| run.holds(id.as_str(), owner));
        let by = if again { By::nobody("fleet upgrade watched") } else { by };
        self.tell_upgrade(by, |run, world| {
            if again && !run.holds(id.as_str(), owner) {
                return Err("this turn is no longer yours: begin it again".into());
            }
            run.claim(id.as_str(), owner, world.now).map(|()| Vec::new())
        })
        .await
    }

    /// And ended with this exit code.
    pub(crate) async fn upgrade_ran(
        &self,
        actor: &Actor,
        id: &BackendId,
        owner: &str,
        code: Option<i32>,
    ) -> Result<UpgradeView, AdminError> {
        let by = answers(actor)?;
        self.tell_upgrade(by, |run, world| run.ran(id.as_str(), owner, code, world.now).map(|()| Vec::new())).await
    }

    async fn tell_upgrade(
        &self,
        by: By,
        mut tell: impl FnMut(&mut Run, &World) -> Result<Vec<Act>, String>,
    ) -> Result<UpgradeView, AdminError> {
        let view = self
            .mutate(by, |state| {
                let mut run = Run::of(state).ok_or_else(|| fault::conflict("no rolling upgrade is under way"))?;
                let world = World { now: Now::read().wall, backends: self.known_backends(state), ..World::default() };
                let acts = tell(&mut run, &world).map_err(fault::conflict)?;
                // Whoever is told goes on with it.
                (run.driver, run.driven_at) = (self.0.upgrades.own.clone(), world.now);
                Ok((ops(state, &run, acts)?, run.view))
            })
            .await?;
        self.0.upgrades.nudge.notify_one();
        Ok(view)
    }

    /// For the live status: what is under way or has just ended, without its events.
    pub(crate) fn live_upgrade(&self, now: u64) -> Option<UpgradeView> {
        let state = self.state();
        state.setting(SETTING)?;
        let mut view = Run::of(&state)?.view;
        view.events.clear();
        (view.is_open() || view.ended_at.is_some_and(|at| now.saturating_sub(at) < SHOWN_MS)).then_some(view)
    }

    pub(crate) fn known_backends(&self, state: &State) -> Vec<BackendView> {
        let live = self.0.gateway.live().backends;
        state.rows.backends.iter().map(|row| backends::view(row, &live)).collect()
    }
}

/// The backends that take part, by name.
fn chosen(state: &State, fleet: &Fleet<'_>, input: &StartUpgrade) -> Result<Vec<BackendView>, AdminError> {
    let mut chosen = Vec::new();
    for id in input.ticked() {
        let id = BackendId::new(id).map_err(|_| fault::not_found("backend"))?;
        let row = state.backend(&id)?;
        if !row.enabled {
            let message = format!("{} is disabled: enable it first, or leave it out", row.name);
            return Err(AdminError::invalid("backends", message));
        }
        chosen.extend(fleet.backends.iter().find(|backend| backend.id == id).cloned());
    }
    if chosen.is_empty() {
        return Err(AdminError::invalid("backends", "choose at least one backend"));
    }
    chosen.sort_by(|left, right| left.name.cmp(&right.name));
    let gaps = chosen.iter().filter(|backend| serves(backend)).filter_map(|backend| {
        let models = alone(fleet, backend);
        (!models.is_empty())
            .then(|| format!("calls for {} will get 503 while {} is away", named(&models), backend.name))
    });
    let gaps: Vec<String> = gaps.collect();
    if !gaps.is_empty() && !input.force {
        let message = format!(
            "{}, because no other backend has them: say that this is accepted (on the command line: --force) to go on",
            gaps.join("; ")
        );
        return Err(AdminError::invalid("force", message));
    }
    Ok(chosen)
}

/// What is known of each backend that ever gave its list to this process.
fn known(fleet: &Fleet<'_>) -> BTreeMap<String, Known> {
    let answered = |backend: &&BackendView| is_up(backend) || !backend.models.is_empty();
    let known = |backend: &BackendView| Known {
        models: backend.models.clone(),
        version: backend.version.clone(),
        foreign: fleet.foreign.contains(&backend.id),
    };
    fleet.backends.iter().filter(answered).map(|backend| (backend.id.to_string(), known(backend))).collect()
}

/// Calls go there now.
fn serves(backend: &BackendView) -> bool {
    is_up(backend) && !backend.draining
}

fn op(run: &Run) -> Result<Op, AdminError> {
    run.op().map_err(|error| fault::internal("a rolling upgrade cannot be written as JSON", &error))
}

/// The run and what it wants done, as one write.
fn ops(state: &State, run: &Run, acts: Vec<Act>) -> Result<Vec<Op>, AdminError> {
    let mut ops = vec![op(run)?];
    for act in acts {
        let (id, draining) = match act {
            Act::Drain(id) => (id, true),
            Act::TakeBack(id) => (id, false),
        };
        // One that was removed needs nothing.
        let row = state.backend(&id).ok().filter(|row| row.draining != draining);
        ops.extend(row.map(|row| Op::PutBackend(BackendRow { draining, ..row.clone() })));
    }
    Ok(ops)
}

/// What the audit log tells of a stored run: names and values.
pub(crate) fn told(text: &str) -> Vec<(&'static str, Option<String>)> {
    let run = Run::read(text);
    let state = run.as_ref().map(|run| match run.view.state {
        UpgradeState::Running => "running".to_owned(),
        UpgradeState::Paused => "paused".to_owned(),
        UpgradeState::Stopped => "stopped".to_owned(),
        UpgradeState::Finished => "finished".to_owned(),
    });
    let step = run.as_ref().and_then(|run| run.view.current());
    let values = [state, step.map(|step| step.name.clone()), step.map(|step| step.phase.words().to_lowercase())];
    MEMBERS.into_iter().zip(values).collect()
}

/// A run that was under way when a backup was made must not go on by itself where that is restored.
pub(crate) fn held_back(settings: &[(String, String)]) -> Option<Op> {
    let (_, text) = settings.iter().find(|(name, _)| name == SETTING)?;
    let mut run = Run::read(text).filter(|run| run.view.state == UpgradeState::Running)?;
    run.view.state = UpgradeState::Paused;
    run.tell(Now::read().wall, None, "paused: the database was restored from a backup");
    run.op().ok()
}

/// What somebody writes down who answers.
fn answers(actor: &Actor) -> Result<By, AdminError> {
    actor.operates("fleet upgrade answered")
}

/// What the driver writes down.
fn by_itself(acts: &[Act]) -> By {
    if acts.is_empty() { By::nobody("fleet upgrade watched") } else { By::gateway("fleet upgrade went on") }
}
