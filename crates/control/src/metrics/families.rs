//! The families of sums with their names and bounds, and the series of a model.

use std::sync::atomic::AtomicU64;

use domain::usage::{Outcome, UsageRecord};
use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    PREFIX,
    labels::{self, Labels},
};

/// Upper bounds in seconds. The first of `QUEUE` is for those that did not wait.
const QUEUE: [f64; 12] = [0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];
const FIRST_TOKEN: [f64; 14] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0];
const NEXT_TOKEN: [f64; 12] = [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0];
const WHOLE: [f64; 15] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0];
/// A backend's own number of tokens counts up to here: a false one must not turn the sums over.
const MOST_TOKENS: u64 = u32::MAX as u64;

type Seconds = Counter<f64, AtomicU64>;
type Histograms = Family<Labels<1>, Histogram, fn() -> Histogram>;

/// Every family of sums.
pub(super) struct Families {
    pub requests: Family<Labels<3>, Counter>,
    pub durations: Histograms,
    of_models: Family<Labels<2>, Counter>,
    tokens: Family<Labels<2>, Counter>,
    gpu: Family<Labels<1>, Seconds>,
    first_token: Histograms,
    next_token: Histograms,
    pub sent: Family<Labels<3>, Counter>,
    pub queue: Histogram,
    pub retries: Counter,
    pub evicted: Counter,
    pub estimated: Counter,
    pub received: Counter,
    pub answered: Counter,
}

/// In the order of their codes.
pub(super) const OUTCOMES: [Outcome; 5] =
    [Outcome::Complete, Outcome::ClientGone, Outcome::UpstreamFailed, Outcome::Refused, Outcome::ShutDown];

/// The series of one model.
pub(super) struct Model {
    outcomes: [Counter; OUTCOMES.len()],
    prompt: Counter,
    completion: Counter,
    gpu: Seconds,
    first_token: Histogram,
    next_token: Histogram,
}

impl Default for Families {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(WHOLE)),
            of_models: Family::default(),
            tokens: Family::default(),
            gpu: Family::default(),
            first_token: Family::new_with_constructor(|| Histogram::new(FIRST_TOKEN)),
            next_token: Family::new_with_constructor(|| Histogram::new(NEXT_TOKEN)),
            sent: Family::default(),
            queue: Histogram::new(QUEUE),
            retries: Counter::default(),
            evicted: Counter::default(),
            estimated: Counter::default(),
            received: Counter::default(),
            answered: Counter::default(),
        }
    }
}

impl Families {
    pub fn registry(&self) -> Registry {
        let mut all = Registry::with_prefix(PREFIX);
        all.register("requests", "Requests with a valid API key that have ended", self.requests.clone());
        all.register_with_unit(
            "request_duration",
            "From a request's head to the end of its answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        all.register("model_requests", "Requests that have ended, by model", self.of_models.clone());
        all.register("tokens", "Tokens of prompts and answers, as backends counted them", self.tokens.clone());
        all.register_with_unit("gpu", "Time that backends worked", Unit::Seconds, self.gpu.clone());
        all.register_with_unit(
            "time_to_first_token",
            "From a request's head to the first byte of its streamed answer",
            Unit::Seconds,
            self.first_token.clone(),
        );
        all.register_with_unit(
            "time_per_output_token",
            "Mean time between the tokens of a streamed answer after the first",
            Unit::Seconds,
            self.next_token.clone(),
        );
        all.register(
            "backend_requests",
            "Requests that have ended, by the backend they were sent to",
            self.sent.clone(),
        );
        all.register_with_unit(
            "queue_wait",
            "Time that requests for a backend waited for a free slot",
            Unit::Seconds,
            self.queue.clone(),
        );
        all.register("retries", "Further backends that were tried for requests", self.retries.clone());
        all.register(
            "evicted_requests",
            "Requests whose model had lost its place in memory to a model of another key",
            self.evicted.clone(),
        );
        all.register(
            "estimated_requests",
            "Requests whose tokens the gateway counted because the backend did not tell them",
            self.estimated.clone(),
        );
        all.register_with_unit("received", "Body bytes from clients", Unit::Bytes, self.received.clone());
        all.register_with_unit("sent", "Body bytes to clients", Unit::Bytes, self.answered.clone());
        all
    }

    pub fn model(&self, name: &str) -> Model {
        let model = || ("model", name.to_owned());
        let outcome =
            |outcome| self.of_models.get_or_create_owned(&[model(), ("outcome", labels::outcome(outcome).to_owned())]);
        let tokens = |kind: &str| self.tokens.get_or_create_owned(&[model(), ("kind", kind.to_owned())]);
        Model {
            outcomes: OUTCOMES.map(outcome),
            prompt: tokens("prompt"),
            completion: tokens("completion"),
            gpu: self.gpu.get_or_create_owned(&[model()]),
            first_token: self.first_token.get_or_create_owned(&[model()]),
            next_token: self.next_token.get_or_create_owned(&[model()]),
        }
    }
}

impl Model {
    pub fn add(&self, record: &UsageRecord) {
        self.outcomes[record.outcome as usize].inc();
        let tokens = |count: Option<u64>| count.unwrap_or_default().min(MOST_TOKENS);
        self.prompt.inc_by(tokens(record.prompt_tokens));
        self.completion.inc_by(tokens(record.completion_tokens));
        self.gpu.inc_by(seconds(record.gpu_us.min(record.total_us)));
        let Some(first) = record.ttft_us.filter(|_| record.streamed && record.status < 400) else { return };
        self.first_token.observe(seconds(first));
        let after = tokens(record.completion_tokens).saturating_sub(1);
        if after > 0 && record.outcome == Outcome::Complete {
            self.next_token.observe(seconds(record.total_us.saturating_sub(first)) / after as f64);
        }
    }
}

pub(super) fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
