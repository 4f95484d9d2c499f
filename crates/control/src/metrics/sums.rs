//! Sums over usage records. A record costs two look-ups by name and a few additions: the series of every model, backend and
//! endpoint are kept at hand, and the library looks them up by their labels only when they are new.

use std::collections::{BTreeMap, HashMap};

use domain::{
    id::BackendId,
    usage::{Outcome, UsageRecord},
};
use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::Registry,
};

use super::{
    ErrorLabels,
    families::{Families, Model, OUTCOMES, seconds},
    labels::{self, BACKENDS, MODELS, Names, OTHER},
};

/// Every sum, and the registry that writes them.
pub(crate) struct Sums {
    registry: Registry,
    families: Families,
    /// By the stored number.
    endpoints: Vec<Served>,
    /// Places in `models`, by name; bounded.
    by_name: HashMap<String, usize>,
    models: Vec<Model>,
    /// Of the state with this revision: a backend may get another name in the next.
    backends: HashMap<BackendId, Sent>,
    revision: u64,
    backend_names: Names,
    errors: BTreeMap<ErrorLabels, u64>,
}

/// The series of one endpoint, as far as there are any.
#[derive(Default)]
struct Served {
    /// By class of status and outcome.
    requests: [[Option<Counter>; OUTCOMES.len()]; CLASSES],
    durations: Option<Histogram>,
}

/// Statuses that do not begin with 1 to 5 are one class.
const CLASSES: usize = 6;

/// The series of one backend, as far as there are any.
struct Sent {
    name: String,
    /// By outcome and warmth.
    requests: [[Option<Counter>; 2]; OUTCOMES.len()],
}

impl Default for Sums {
    fn default() -> Self {
        let families = Families::default();
        Self {
            registry: families.registry(),
            families,
            endpoints: Vec::new(),
            by_name: HashMap::new(),
            models: Vec::new(),
            backends: HashMap::new(),
            revision: 0,
            backend_names: Names::new(BACKENDS),
            errors: BTreeMap::new(),
        }
    }
}

impl Sums {
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What backends and streams did wrong; what the gateway told instead of an answer is counted by itself.
    pub(super) fn errors(&self) -> &BTreeMap<ErrorLabels, u64> {
        &self.errors
    }

    pub(super) fn backend_names(&mut self) -> &mut Names {
        &mut self.backend_names
    }

    /// Adds requests that ended. `name` tells what a backend is called in the state of `revision`.
    pub(super) fn absorb(
        &mut self,
        records: &[UsageRecord],
        revision: u64,
        name: &dyn Fn(&BackendId) -> Option<String>,
    ) {
        if self.revision != revision {
            self.revision = revision;
            self.backends.clear();
        }
        for record in records {
            self.add(record);
            self.add_backend(record, name);
            if let Some(error) = error_of(record) {
                *self.errors.entry(error).or_default() += 1;
            }
        }
    }

    fn add(&mut self, record: &UsageRecord) {
        self.add_endpoint(record);
        let all = &self.families;
        all.received.inc_by(record.bytes_in);
        all.answered.inc_by(record.bytes_out);
        if record.warm.is_some() || record.queue_us > 0 {
            all.queue.observe(seconds(record.queue_us));
        }
        if record.retries > 0 {
            all.retries.inc_by(record.retries.into());
        }
        if record.evicted_by.is_some() {
            all.evicted.inc();
        }
        if record.tokens_estimated {
            all.estimated.inc();
        }
        // A name that no backend has is the client's own.
        if let Some(name) = record.model.as_deref().filter(|_| !record.unresolved) {
            let at = self.by_name.get(name).copied().unwrap_or_else(|| self.new_model(name));
            if let Some(model) = self.models.get(at) {
                model.add(record);
            }
        }
    }

    fn add_endpoint(&mut self, record: &UsageRecord) {
        let number = record.endpoint as usize;
        if self.endpoints.len() <= number {
            self.endpoints.resize_with(number + 1, Served::default);
        }
        let served = &mut self.endpoints[number];
        let class = usize::from(record.status / 100);
        let class = if class < CLASSES { class } else { 0 };
        let requests = served.requests[class][record.outcome as usize].get_or_insert_with(|| {
            self.families.requests.get_or_create_owned(&[
                ("endpoint", record.endpoint.path().to_owned()),
                ("status", labels::class(record.status).to_owned()),
                ("outcome", labels::outcome(record.outcome).to_owned()),
            ])
        });
        requests.inc();
        let durations = served.durations.get_or_insert_with(|| {
            self.families.durations.get_or_create_owned(&[("endpoint", record.endpoint.path().to_owned())])
        });
        durations.observe(seconds(record.total_us));
    }

    /// The place of a model that has none: one of its own while there are any, else that of all others.
    fn new_model(&mut self, name: &str) -> usize {
        let name = if self.by_name.len() < MODELS { name } else { OTHER };
        if let Some(at) = self.by_name.get(name) {
            return *at;
        }
        self.models.push(self.families.model(name));
        self.by_name.insert(name.to_owned(), self.models.len() - 1);
        self.models.len() - 1
    }

    fn add_backend(&mut self, record: &UsageRecord, name: &dyn Fn(&BackendId) -> Option<String>) {
        let Some(id) = &record.backend else { return };
        if !self.backends.contains_key(id) {
            let name = name(id).map_or_else(|| OTHER.to_owned(), |name| self.backend_names.label(&name));
            self.backends.insert(id.clone(), Sent { name, requests: Default::default() });
        }
        let Some(sent) = self.backends.get_mut(id) else { return };
        let warm = record.warm.unwrap_or(true);
        let series = sent.requests[record.outcome as usize][usize::from(warm)].get_or_insert_with(|| {
            self.families.sent.get_or_create_owned(&[
                ("backend", sent.name.clone()),
                ("outcome", labels::outcome(record.outcome).to_owned()),
                ("warm", warm.to_string()),
            ])
        });
        series.inc();
    }
}

/// The error that a record tells of and that the gateway did not tell itself.
fn error_of(record: &UsageRecord) -> Option<ErrorLabels> {
    let status = labels::status(record.status);
    Some(match record.outcome {
        Outcome::Complete if record.status >= 500 => ("upstream", "backend_error", status),
        Outcome::Complete if record.status >= 400 => ("client", "backend_refusal", status),
        Outcome::UpstreamFailed if record.status < 400 => ("upstream", "broken_stream", status),
        Outcome::ShutDown if record.status < 400 => ("gateway", "ended_stream", status),
        Outcome::Refused if record.status < 400 => ("client", "ended_stream", status),
        _ => return None,
    })
}
