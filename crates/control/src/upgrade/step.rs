//! A rolling upgrade's transitions: what the moment that is seen makes of a run. Pure: the time and everything that is
//! known come as an argument, and what has to be done to backends is answered.

use std::collections::{BTreeMap, HashMap};

use domain::{
    backend::{BackendState, BackendView, BreakerState},
    id::BackendId,
    model::ModelName,
    upgrade::{UpgradePhase, UpgradeState, UpgradeStep, Version, same_version},
};

use super::run::{Act, Before, Known, Run, World};

/// After this long a drain is told to take long. Streams are never cut.
pub(crate) const LONG_MS: u64 = 600_000;
/// How long a backend that is said to be upgraded may take until it answers.
const RETURN_MS: u64 = 60_000;
/// Models that are named in one sentence.
const NAMED: usize = 5;

impl Run {
    /// Takes the run one transition further, if it is time for one.
    pub fn advance(&mut self, world: &World) -> Vec<Act> {
        let now = world.now;
        if self.view.state != UpgradeState::Running {
            return Vec::new();
        }
        self.learn(world);
        let Some(at) = self.turn() else {
            let text = finished(&self.view.steps);
            self.end(now, UpgradeState::Finished, text);
            return Vec::new();
        };
        let phase = self.view.steps[at].phase;
        let Some(backend) = world.backend(&self.view.steps[at]) else {
            self.skip(now, at, "it was removed meanwhile");
            return Vec::new();
        };
        if !backend.enabled {
            let acts = if phase.is_away() { self.back(at) } else { Vec::new() };
            self.skip(now, at, "it was disabled meanwhile");
            return acts;
        }
        if phase.is_away() && !backend.draining {
            self.skip(now, at, "somebody took it back meanwhile");
            return Vec::new();
        }
        match phase {
            UpgradePhase::Waiting => return self.begin(at, backend, world),
            UpgradePhase::Draining => self.drain(at, backend, world),
            UpgradePhase::HandedOver if self.view.steps[at].commanded => self.await_command(at, world),
            UpgradePhase::HandedOver => self.await_return(at, backend, world),
            UpgradePhase::Verifying => return self.verify(at, backend, world),
            UpgradePhase::Warming if self.view.steps[at].cold.is_empty() => return self.rejoin(at, now),
            _ => {}
        }
        Vec::new()
    }

    /// Keeps what is seen of a backend for the first time.
    fn learn(&mut self, world: &World) {
        for backend in world.backends.iter().filter(|backend| is_up(backend)) {
            let known = || Known {
                models: backend.models.clone(),
                version: backend.version.clone(),
                foreign: world.foreign.contains(&backend.id),
            };
            self.known.entry(backend.id.to_string()).or_insert_with(known);
        }
    }

    fn fleet<'f>(&'f self, world: &'f World) -> Fleet<'f> {
        let World { backends, foreign, unsure, .. } = world;
        Fleet { backends, foreign, unsure, known: Some(&self.known) }
    }

    /// Begins a turn, if calls find another backend meanwhile or nobody minds that they do not.
    fn begin(&mut self, at: usize, backend: &BackendView, world: &World) -> Vec<Act> {
        let now = world.now;
        // What nobody has looked at yet is not known to be fine.
        let unknown = |other: &BackendView| other.enabled && other.state == BackendState::Unknown;
        if world.unseen || world.backends.iter().any(unknown) || world.unsure.contains(&backend.id) {
            return Vec::new();
        }
        if let (Some(wanted), Some(version)) = (&self.view.version, &backend.version)
            && is_up(backend)
            && same_version(wanted, version)
        {
            self.skip(now, at, &format!("it runs {version} already"));
            return Vec::new();
        }
        let serves = is_up(backend) && !backend.draining;
        let gap =
            (serves && !self.view.steps[at].accepted).then(|| gap(&self.fleet(world), backend, self.force)).flatten();
        if let Some(why) = gap {
            if self.view.steps[at].waits.as_ref() != Some(&why) {
                self.tell(now, Some(at), format!("waits: {why}"));
                self.view.steps[at].waits = Some(why);
            }
            return Vec::new();
        }
        let warm = world.loaded.iter().map(|loaded| (loaded.model.clone(), loaded.keep_alive_s)).collect();
        // One that is down since the restart of this process is what it was when the run began.
        let known = self.known.get(backend.id.as_str()).cloned().unwrap_or_default();
        let unseen = !is_up(backend) && backend.models.is_empty();
        let before = Before { models: if unseen { known.models } else { backend.models.clone() }, warm };
        self.before.insert(backend.id.to_string(), before);
        let step = &mut self.view.steps[at];
        (step.before, step.was_draining) = (backend.version.clone().or(known.version), backend.draining);
        if backend.draining {
            self.enter(now, at, UpgradePhase::Draining, "was drained already");
            return Vec::new();
        }
        self.enter(now, at, UpgradePhase::Draining, "drained: it gets nothing new and finishes what it has");
        vec![Act::Drain(backend.id.clone())]
    }

    fn drain(&mut self, at: usize, backend: &BackendView, world: &World) {
        let (now, step) = (world.now, &mut self.view.steps[at]);
        if world.idle {
            let name = step.name.clone();
            self.enter(
                now,
                at,
                UpgradePhase::HandedOver,
                format!("handed over: nothing is in flight, upgrade {name} now"),
            );
        } else if !step.overdue && now.saturating_sub(step.since) >= LONG_MS {
            step.overdue = true;
            let (left, minutes) = (backend.in_flight, LONG_MS / 60_000);
            let requests = if left == 1 { "1 request".to_owned() } else { format!("{left} requests") };
            let text = format!("still {requests} after {minutes} minutes; streams are never cut: wait, or stop");
            self.tell(now, Some(at), text);
        }
    }

    /// Sees by itself that the operator is done: the backend went away and is back, or runs something else.
    fn await_return(&mut self, at: usize, backend: &BackendView, world: &World) {
        let (now, step) = (world.now, &mut self.view.steps[at]);
        // Only a look since the hand-over counts: after a restart nothing was looked at, and nothing went away.
        let looked = world.looked.is_some_and(|looked| looked >= step.since) && !world.unsure.contains(&backend.id);
        if !looked || backend.state == BackendState::Unknown {
            return;
        }
        let other = match (&step.before, &backend.version) {
            (Some(before), Some(after)) if !same_version(before, after) => Some(after.clone()),
            _ => None,
        };
        if !is_up(backend) {
            if !step.seen_down {
                step.seen_down = true;
                self.tell(now, Some(at), "went away");
            }
        } else if let Some(version) = other {
            self.enter(now, at, UpgradePhase::Verifying, format!("runs {version} now"));
        } else if step.seen_down {
            self.enter(now, at, UpgradePhase::Verifying, "is back");
        }
    }

    /// Whoever runs the command says so again and again. Without a word nobody knows whether it still runs, so that it is
    /// not for the gateway to have it run again.
    fn await_command(&mut self, at: usize, world: &World) {
        if world.lost {
            let problem = format!(
                "whoever ran the command for {} went away, and how far it came is not known: look there first",
                self.view.steps[at].name
            );
            self.ask(world.now, at, problem);
        }
    }

    /// Judges what the first look since the hand-over ended has found.
    fn verify(&mut self, at: usize, backend: &BackendView, world: &World) -> Vec<Act> {
        let (now, step) = (world.now, &mut self.view.steps[at]);
        let unsure = is_up(backend) && world.unsure.contains(&backend.id);
        if unsure || world.looked.is_none_or(|looked| looked < step.since) {
            return Vec::new();
        }
        if !is_up(backend) {
            if now.saturating_sub(step.since) >= RETURN_MS {
                let why = backend.last_error.as_ref().map_or_else(|| "it is down".to_owned(), |e| e.message.clone());
                let problem = format!("{} does not answer: {why}", step.name);
                self.ask(now, at, problem);
            }
            return Vec::new();
        }
        step.after = backend.version.clone();
        let before = self.before.get(step.backend.as_str()).cloned().unwrap_or_default();
        let unfit = unfit(self.view.version.as_deref(), step.before.as_deref(), backend.version.as_deref());
        let has = keys(&backend.models);
        let missing: Vec<&String> = before.models.iter().filter(|model| !has.contains(&key(model))).collect();
        let lost = (!missing.is_empty()).then(|| format!("has no {} any more", named(&missing)));
        if let Some(what) = [unfit, lost].into_iter().flatten().reduce(|left, right| format!("{left}, and {right}")) {
            let problem = format!("{} {what}", step.name);
            self.ask(now, at, problem);
            return Vec::new();
        }
        self.warm(at, now)
    }

    /// Goes on to loading what was loaded before.
    pub fn warm(&mut self, at: usize, now: u64) -> Vec<Act> {
        let before = self.before.get(self.view.steps[at].backend.as_str());
        let cold: Vec<String> =
            before.into_iter().flat_map(|before| &before.warm).map(|(model, _)| model.clone()).collect();
        if cold.is_empty() {
            return self.rejoin(at, now);
        }
        let text = format!("loading {} again", named(&cold.iter().collect::<Vec<_>>()));
        self.view.steps[at].cold = cold;
        self.enter(now, at, UpgradePhase::Warming, text);
        Vec::new()
    }

    /// A model was loaded again, or not, which keeps nobody from rejoining.
    pub fn warmed(&mut self, now: u64, backend: &str, model: &str, done: &Result<(), String>) {
        let Some(at) = self.turn() else { return };
        let step = &mut self.view.steps[at];
        let known = step.cold.iter().position(|cold| cold == model);
        let (true, Some(known)) = (step.phase == UpgradePhase::Warming && step.backend.as_str() == backend, known)
        else {
            return;
        };
        step.cold.remove(known);
        match done {
            Ok(()) => self.tell(now, Some(at), format!("{model} is loaded")),
            Err(why) => {
                let text = format!("{model} could not be loaded: {why}");
                self.note(at, text.clone());
                self.tell(now, Some(at), text);
            }
        }
    }

    fn rejoin(&mut self, at: usize, now: u64) -> Vec<Act> {
        let step = &self.view.steps[at];
        let text = match (&step.before, &step.after) {
            _ if step.was_draining => "done; it stays drained, as it was before".to_owned(),
            (Some(before), Some(after)) if !same_version(before, after) => format!("rejoined: {before} became {after}"),
            _ => "rejoined".to_owned(),
        };
        if step.was_draining {
            self.note(at, "it stays drained, as it was before");
        }
        self.enter(now, at, UpgradePhase::Rejoined, text);
        self.back(at)
    }
}

/// The fleet as far as it matters to whether calls find a backend.
pub(crate) struct Fleet<'f> {
    pub backends: &'f [BackendView],
    pub foreign: &'f [BackendId],
    pub unsure: &'f [BackendId],
    pub known: Option<&'f BTreeMap<String, Known>>,
}

impl<'f> Fleet<'f> {
    fn known(&self, backend: &BackendView) -> Option<&'f Known> {
        self.known.and_then(|known| known.get(backend.id.as_str()))
    }

    /// Its models, also where it is down since a restart that forgot them.
    fn models(&self, backend: &'f BackendView) -> &'f [String] {
        match self.known(backend) {
            Some(known) if !is_up(backend) && backend.models.is_empty() => &known.models,
            _ => &backend.models,
        }
    }

    fn is_foreign(&self, backend: &BackendView) -> bool {
        let was = || !is_up(backend) && self.known(backend).is_some_and(|known| known.foreign);
        self.foreign.contains(&backend.id) || was()
    }

    /// By each model that another enabled backend has that is not drained: those backends. What speaks OpenAI's API only
    /// takes no place of an Ollama.
    fn others(&self, backend: &BackendView) -> HashMap<String, Vec<&'f BackendView>> {
        let any = self.is_foreign(backend);
        let mut holders: HashMap<String, Vec<&BackendView>> = HashMap::new();
        for other in self.backends.iter().filter(|other| other.id != backend.id && other.enabled && !other.draining) {
            if any || !self.is_foreign(other) {
                for model in keys(self.models(other)) {
                    holders.entry(model).or_default().push(other);
                }
            }
        }
        holders
    }

    /// A call for the model would be sent there.
    fn answers(&self, backend: &BackendView, model: &str) -> bool {
        let out = backend.breakers.iter().any(|breaker| {
            breaker.state == BreakerState::Open && breaker.model.as_ref().is_none_or(|name| key(name) == key(model))
        });
        is_up(backend) && !out && !self.unsure.contains(&backend.id)
    }
}

/// Why calls would find no backend while this one is away. With `force` models that only it has do not count.
fn gap(fleet: &Fleet<'_>, backend: &BackendView, force: bool) -> Option<String> {
    let others = fleet.others(backend);
    let mut wait = None;
    for model in &backend.models {
        let holders = others.get(&key(model)).map_or(&[][..], Vec::as_slice);
        if holders.iter().any(|other| fleet.answers(other, model)) {
            continue;
        }
        match holders.first() {
            Some(other) => {
                wait = wait.or_else(|| Some(format!("{}, which has {model} too, does not serve it now", other.name)))
            }
            None if force => {}
            None => return Some(format!("no other backend has {model}: calls for it would get 503")),
        }
    }
    wait
}

/// Models of `backend` that no other backend may serve.
pub(crate) fn alone(fleet: &Fleet<'_>, backend: &BackendView) -> Vec<String> {
    let others = fleet.others(backend);
    backend.models.iter().filter(|model| !others.contains_key(&key(model))).cloned().collect()
}

pub(crate) fn is_up(backend: &BackendView) -> bool {
    matches!(backend.state, BackendState::Up | BackendState::Draining)
}

/// A model's name, whatever its spelling.
fn key(model: &str) -> String {
    ModelName::parse(model).map_or_else(|_| model.to_owned(), |(name, _)| name.as_str().to_owned())
}

fn keys(models: &[String]) -> Vec<String> {
    models.iter().map(|model| key(model)).collect()
}

/// How it ended, in words.
fn finished(steps: &[UpgradeStep]) -> String {
    let rejoined: Vec<&UpgradeStep> = steps.iter().filter(|step| step.phase == UpgradePhase::Rejoined).collect();
    let (mut same, mut unknown) = (Vec::new(), Vec::new());
    for step in &rejoined {
        match (&step.before, &step.after) {
            (Some(before), Some(after)) if same_version(before, after) => same.push(&step.name),
            (Some(_), Some(_)) => {}
            _ => unknown.push(&step.name),
        }
    }
    let (done, all) = (rejoined.len(), backends(steps.len()));
    if same.is_empty() && unknown.is_empty() {
        return format!("finished: {done} of {all} upgraded");
    }
    let told = [("unchanged on", same), ("not known of", unknown)].into_iter().filter(|(_, names)| !names.is_empty());
    let told: Vec<String> = told.map(|(how, names)| format!("version {how} {}", named(&names))).collect();
    format!("finished: {done} of {all} done, {}", told.join(", "))
}

/// What is wrong with the version that a backend runs now.
fn unfit(wanted: Option<&str>, before: Option<&str>, now: Option<&str>) -> Option<String> {
    match (wanted, before, now) {
        (Some(wanted), _, Some(now)) => (!same_version(wanted, now)).then(|| format!("runs {now}, not {wanted}")),
        (Some(wanted), _, None) => Some(format!("does not say what it runs, so that {wanted} cannot be verified")),
        (None, Some(before), Some(now)) => {
            let older =
                matches!((Version::parse(before), Version::parse(now)), (Some(before), Some(now)) if now < before);
            older.then(|| format!("runs {now}, which is older than {before} before"))
        }
        _ => None,
    }
}

/// Some names, in words.
pub(crate) fn named<T: AsRef<str>>(names: &[T]) -> String {
    let some: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(NAMED) {
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}

pub(crate) fn backends(count: usize) -> String {
    if count == 1 { "1 backend".to_owned() } else { format!("{count} backends") }
}
