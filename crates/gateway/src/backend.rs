//! The fleet: backends with their connections and what is known of them, and the catalogue kept from their lists. What a
//! request is sent and how its answer is passed on is the pipeline's business.

pub(crate) mod address;
pub(crate) mod catalogue;
mod certificate;
pub(crate) mod connect;
mod drift;
mod errand;
pub(crate) mod fleet;
pub(crate) mod http1;
mod load;
pub(crate) mod look;
mod model;
mod pool;
pub(crate) mod reach;
mod refresh;
pub(crate) mod rows;
pub(crate) mod seen;
mod send;
#[cfg(test)]
pub(crate) mod tests;
mod tls;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use domain::{
    backend::{BackendState, BackendView, BreakerState, BreakerView, LastError},
    id::BackendId,
    model::ModelName,
};
use tokio::sync::{Notify, watch};

pub use self::drift::Drift;
pub(crate) use self::{
    errand::streamed,
    fleet::{Fleet, View},
    load::{FleetLoad, InFlight, Load},
    model::ModelState,
    send::{BackendResponse, SendError},
};
use self::{
    pool::Pool,
    seen::{Change, Seen},
    send::Target,
};
use crate::{
    breaker::{Breaker, Pass, State},
    hash,
    snapshot::{BackendEntry, Settings},
};

/// Failures to reach a backend that eject it.
const UNREACHABLE: u32 = 3;

/// A configured backend as one view has it. Replaced when its configuration changes; what must outlive that is shared.
pub(crate) struct Backend {
    entry: Arc<BackendEntry>,
    target: Target,
    origin: Arc<Origin>,
    load: Arc<Load>,
    fleet: Arc<FleetLoad>,
    /// Of the id: where affinity belongs.
    hash: u64,
    changes: watch::Sender<u64>,
}

/// What belongs to an address and token, and is forgotten when those change.
pub(crate) struct Origin {
    pool: Pool,
    seen: Mutex<Seen>,
    last_error: Mutex<Option<LastError>>,
    /// Asks for a look soon.
    wake: Notify,
    /// What is in its memory changes now.
    stirred: Notify,
    /// One look at a time, so that an older answer never replaces a newer one.
    looking: tokio::sync::Mutex<()>,
    /// It answered 404 for a model of its list, so the list is known to be wrong.
    contradicted: AtomicBool,
    /// The looks say that it is down.
    down: AtomicBool,
    /// Judges whether it can be reached at all.
    breaker: Breaker,
    /// By [`rows::Row::key`].
    models: Mutex<HashMap<Box<str>, Arc<ModelState>>>,
}

impl Origin {
    fn new() -> Self {
        Self {
            pool: Pool::new(),
            seen: Mutex::new(Seen::default()),
            last_error: Mutex::new(None),
            wake: Notify::new(),
            stirred: Notify::new(),
            looking: tokio::sync::Mutex::new(()),
            contradicted: AtomicBool::new(false),
            down: AtomicBool::new(false),
            breaker: Breaker::new(UNREACHABLE),
            models: Mutex::default(),
        }
    }

    /// A look found these loaded, and no others.
    fn heat(&self, running: &[rows::Running], now: u64) {
        let keys: HashSet<String> = running.iter().map(rows::Running::key).collect();
        // Whoever had something loaded since the last look pushed out what is missing now.
        let loader = keys.iter().filter_map(|key| self.model(key).found(now)).last();
        let others: Vec<_> = lock(&self.models)
            .iter()
            .filter(|(key, _)| !keys.contains(&***key))
            .map(|(_, model)| Arc::clone(model))
            .collect();
        for model in others {
            if model.missed(now)
                && let Some(key) = &loader
            {
                model.evicted(key.clone());
            }
        }
        // What no catalogue names and no request uses is forgotten, or a backend could name any number of them.
        lock(&self.models).retain(|_, model| Arc::strong_count(model) > 1 || model.is_warm(now));
    }

    /// A look reached it. Who was down or out gets its share back by and by.
    fn found(&self, now: u64) {
        if self.down.swap(false, Ordering::Relaxed) || self.breaker.state(now) != State::Closed {
            self.breaker.revive(now);
        }
    }

    /// A look did not reach it; `certain` that nobody is there.
    fn lost(&self, certain: bool) -> Change {
        let mut seen = lock(&self.seen);
        let change = seen.lose(certain);
        self.down.store(!seen.is_up(), Ordering::Relaxed);
        change
    }

    /// What is known of a model here.
    fn model(&self, key: &str) -> Arc<ModelState> {
        let mut models = lock(&self.models);
        match models.get(key) {
            Some(model) => Arc::clone(model),
            None => Arc::clone(models.entry(key.into()).or_default()),
        }
    }

    fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }
}

impl Backend {
    /// For `entry`, with whatever of `old`, the same backend before, still holds.
    fn new(entry: Arc<BackendEntry>, old: Option<&Self>, fleet: &Arc<FleetLoad>, changes: &watch::Sender<u64>) -> Self {
        let same_origin = old.filter(|old| old.entry.url == entry.url && old.entry.token == entry.token);
        Self {
            target: Target::new(&entry.url, entry.token.as_ref()),
            origin: same_origin.map_or_else(|| Arc::new(Origin::new()), |old| Arc::clone(&old.origin)),
            load: old.map_or_else(Arc::default, |old| Arc::clone(&old.load)),
            fleet: Arc::clone(fleet),
            hash: hash::fnv(entry.id.as_str().bytes()),
            changes: changes.clone(),
            entry,
        }
    }

    pub(crate) fn id(&self) -> &BackendId {
        &self.entry.id
    }

    pub(crate) fn name(&self) -> &str {
        &self.entry.name
    }

    pub(crate) fn weight(&self) -> u32 {
        self.entry.weight
    }

    pub(crate) fn priority(&self) -> u32 {
        self.entry.priority
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// Longest wait for a connection.
    pub(crate) fn connect_timeout(&self, settings: &Settings) -> Duration {
        own_or(self.entry.timeouts.connect_timeout_s, settings.connect_timeout)
    }

    /// Longest wait for the head of an answer.
    pub(crate) fn first_byte_timeout(&self, settings: &Settings) -> Duration {
        own_or(self.entry.timeouts.first_byte_timeout_s, settings.first_byte_timeout)
    }

    /// Longest wait between two frames of an answer.
    pub(crate) fn stall_timeout(&self, settings: &Settings) -> Duration {
        own_or(self.entry.timeouts.stall_timeout_s, settings.stall_timeout)
    }

    #[cfg(test)]
    pub(crate) fn queue(&self) -> &crate::queue::Queue {
        &self.fleet.queue
    }

    pub(crate) fn load(&self) -> &Load {
        &self.load
    }

    /// Of the backend as a whole: open while it cannot be reached.
    pub(crate) fn breaker(&self) -> &Breaker {
        &self.origin.breaker
    }

    pub(crate) fn model(&self, key: &str) -> Arc<ModelState> {
        self.origin.model(key)
    }

    /// Counts one more request in flight for the model, if there is a slot.
    pub(crate) fn enter(&self, model: &Arc<ModelState>, passes: [Pass; 2]) -> Option<InFlight> {
        InFlight::take(&self.load, &self.fleet, model, passes)
    }

    /// Counts one more request in flight, whatever the bound: for what is not inference.
    pub(crate) fn enter_beside(&self) -> InFlight {
        InFlight::beside(&self.load, &self.fleet)
    }

    /// Remembers a fault seen on the data plane, and has the catalogue look at the backend soon.
    pub(crate) fn failed(&self, message: String) {
        self.note(message);
        bump(&self.changes);
        self.origin.wake.notify_one();
    }

    /// It answered 404 for a model of its list: the list is read again at once, and believed.
    pub(crate) fn model_missing(&self) {
        self.origin.contradicted.store(true, Ordering::Relaxed);
        self.origin.wake.notify_one();
    }

    /// It loads a model that was not in its memory. What that pushes out is told by no answer, so that it is looked at soon.
    pub(crate) fn loads(&self) {
        self.origin.stirred.notify_one();
    }

    /// Remembers what is no fault.
    pub(crate) fn noted(&self, message: String) {
        self.note(message);
        bump(&self.changes);
    }

    /// It answered something. Where that is a surprise it is looked at soon.
    pub(crate) fn reached(&self) {
        if self.origin.down.load(Ordering::Relaxed) {
            self.origin.wake.notify_one();
        }
    }

    /// The looks do not reach it.
    pub(crate) fn is_down(&self) -> bool {
        self.origin.down.load(Ordering::Relaxed)
    }

    /// What the pages show of it is different now.
    pub(crate) fn changed(&self) {
        bump(&self.changes);
    }

    fn note(&self, message: String) {
        *lock(&self.origin.last_error) = Some(LastError { at: unix_now(), message });
    }

    /// Those that are not closed, the backend's own first.
    fn breakers(&self, now: u64) -> Vec<BreakerView> {
        let unix = unix_now();
        let shown =
            |key: &str| ModelName::parse(key).map_or_else(|_| key.to_owned(), |(name, _)| name.display().to_owned());
        let view = |model: Option<&str>, breaker: &Breaker| {
            let (state, until) = match breaker.state(now) {
                State::Closed => return None,
                State::Open { until } => (BreakerState::Open, unix.saturating_add(until.saturating_sub(now))),
                State::HalfOpen => (BreakerState::HalfOpen, unix),
            };
            Some(BreakerView { model: model.map(shown), state, until })
        };
        let models = lock(&self.origin.models);
        let mut of_models: Vec<_> = models.iter().filter_map(|(key, model)| view(Some(key), &model.breaker)).collect();
        drop(models);
        of_models.sort_by(|left, right| left.model.cmp(&right.model));
        view(None, &self.origin.breaker).into_iter().chain(of_models).collect()
    }

    /// It lists models, and is not Ollama.
    pub(crate) fn is_foreign(&self) -> bool {
        let seen = self.origin.seen();
        seen.answered() && !seen.native()
    }

    pub(crate) fn is_unsure(&self) -> bool {
        self.origin.seen().is_unsure()
    }

    pub(crate) fn seen(&self) -> Seen {
        self.origin.seen()
    }

    /// As the pages show it.
    pub(crate) fn state(&self) -> BackendState {
        self.state_of(&self.origin.seen())
    }

    fn state_of(&self, seen: &Seen) -> BackendState {
        match seen.state() {
            _ if !self.entry.enabled => BackendState::Disabled,
            BackendState::Up if self.entry.draining => BackendState::Draining,
            state => state,
        }
    }

    fn status(&self, now: u64) -> BackendView {
        let seen = self.origin.seen();
        BackendView {
            id: self.entry.id.clone(),
            name: self.entry.name.clone(),
            url: self.entry.url.as_str().trim_end_matches('/').to_owned(),
            enabled: self.entry.enabled,
            has_token: self.entry.token.is_some(),
            created_at: self.entry.created_at,
            state: self.state_of(&seen),
            models: seen.names(),
            version: seen.version().map(str::to_owned),
            in_flight: u64::from(self.load.in_flight()),
            last_error: lock(&self.origin.last_error).clone(),
            parallel: self.entry.parallel,
            weight: self.entry.weight,
            priority: self.entry.priority,
            draining: self.entry.draining,
            timeouts: self.entry.timeouts,
            limit: self.load.bound(),
            breakers: self.breakers(now),
            certificate_end: seen.certificate_end(),
            certificate_ends_soon: seen.certificate_end().is_some_and(|end| certificate::ends_soon(end, unix_now())),
            // Control's to fill, which has the words and the records.
            warm: Vec::new(),
            warm_all: 0,
            pace: domain::backend::Pace::default(),
        }
    }
}

/// The backend's own time-out, or the setting's.
fn own_or(seconds: Option<u32>, setting: Duration) -> Duration {
    seconds.map_or(setting, |seconds| Duration::from_secs(u64::from(seconds)))
}

fn bump(counter: &watch::Sender<u64>) {
    counter.send_modify(|count| *count += 1);
}

/// Unix milliseconds.
fn unix_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What is guarded here is whole at every step, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
