//! The fleet: backends with their connections and what is known of them, and the catalogue kept from their lists. What a
//! request is sent and how its answer is passed on is the pipeline's business.

pub(crate) mod address;
pub(crate) mod catalogue;
pub(crate) mod connect;
mod errand;
pub(crate) mod fleet;
pub(crate) mod look;
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
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use domain::{
    backend::{BackendState, BackendView, LastError},
    id::BackendId,
};
use tokio::sync::{Notify, watch};

pub(crate) use self::{
    errand::streamed,
    fleet::{Fleet, View},
    send::{BackendResponse, SendError},
};
use self::{pool::Pool, seen::Seen, send::Target};
use crate::snapshot::BackendEntry;

/// A configured backend as one view has it. Replaced when its configuration changes; what must outlive that is shared.
pub(crate) struct Backend {
    entry: Arc<BackendEntry>,
    target: Target,
    origin: Arc<Origin>,
    gauges: Gauges,
    changes: watch::Sender<u64>,
}

/// What belongs to an address and token, and is forgotten when those change.
pub(crate) struct Origin {
    pool: Pool,
    seen: Mutex<Seen>,
    last_error: Mutex<Option<LastError>>,
    /// Asks for a look soon.
    wake: Notify,
    /// One look at a time, so that an older answer never replaces a newer one.
    looking: tokio::sync::Mutex<()>,
    /// It answered 404 for a model of its list, so the list is known to be wrong.
    contradicted: AtomicBool,
}

/// Requests in flight at one backend, and in all.
#[derive(Clone)]
struct Gauges {
    own: Arc<AtomicU64>,
    all: Arc<AtomicU64>,
}

/// Counts as one request in flight until it is dropped, so it belongs into the response body.
pub(crate) struct InFlight(Gauges);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.own.fetch_sub(1, Ordering::Relaxed);
        self.0.all.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Origin {
    fn new() -> Self {
        Self {
            pool: Pool::new(),
            seen: Mutex::new(Seen::default()),
            last_error: Mutex::new(None),
            wake: Notify::new(),
            looking: tokio::sync::Mutex::new(()),
            contradicted: AtomicBool::new(false),
        }
    }

    fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }
}

impl Backend {
    /// For `entry`, with whatever of `old`, the same backend before, still holds.
    fn new(entry: Arc<BackendEntry>, old: Option<&Self>, all: &Arc<AtomicU64>, changes: &watch::Sender<u64>) -> Self {
        let same_origin = old.filter(|old| old.entry.url == entry.url && old.entry.token == entry.token);
        Self {
            target: Target::new(&entry.url, entry.token.as_ref()),
            origin: same_origin.map_or_else(|| Arc::new(Origin::new()), |old| Arc::clone(&old.origin)),
            gauges: old.map_or_else(|| Gauges { own: Arc::default(), all: Arc::clone(all) }, |old| old.gauges.clone()),
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

    /// Counts one more request in flight.
    pub(crate) fn enter(&self) -> InFlight {
        self.gauges.own.fetch_add(1, Ordering::Relaxed);
        self.gauges.all.fetch_add(1, Ordering::Relaxed);
        InFlight(self.gauges.clone())
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

    fn note(&self, message: String) {
        *lock(&self.origin.last_error) = Some(LastError { at: now(), message });
    }

    fn status(&self) -> BackendView {
        let seen = self.origin.seen();
        BackendView {
            id: self.entry.id.clone(),
            name: self.entry.name.clone(),
            url: self.entry.url.as_str().trim_end_matches('/').to_owned(),
            enabled: self.entry.enabled,
            has_token: self.entry.token.is_some(),
            created_at: self.entry.created_at,
            state: if self.entry.enabled { seen.state() } else { BackendState::Disabled },
            models: seen.names(),
            version: seen.version().map(str::to_owned),
            in_flight: self.gauges.own.load(Ordering::Relaxed),
            last_error: lock(&self.origin.last_error).clone(),
        }
    }
}

fn bump(counter: &watch::Sender<u64>) {
    counter.send_modify(|count| *count += 1);
}

/// Unix milliseconds.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What is guarded here is whole at every step, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
