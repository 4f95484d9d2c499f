//! What is so at the moment of asking: backends, breakers, the queue, the process. Read from what gateway and store keep
//! anyway, into registries that live for one answer.

use std::collections::BTreeMap;

use domain::{
    backend::{BackendState, BackendView, BreakerState},
    settings::RedisStatus,
};
use prometheus_client::{
    encoding::EncodeGaugeValue,
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Registry, Unit},
};

use super::{
    ErrorLabels, Moment, PREFIX,
    labels::{Labels, Names},
};

/// What the operating system says of this process; what it does not say is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessFacts {
    /// Unix seconds.
    pub started_at: Option<u64>,
    pub cpu_seconds: Option<f64>,
    pub resident_bytes: Option<u64>,
    pub virtual_bytes: Option<u64>,
    pub open_files: Option<u64>,
    pub max_files: Option<u64>,
    /// Connections of clients, of all listeners together.
    pub connections: u64,
}

type Sum<const N: usize> = Family<Labels<N>, Gauge>;

/// Registries whose metrics follow each other.
pub(super) fn registries(now: &Moment, errors: &BTreeMap<ErrorLabels, u64>, names: &mut Names) -> [Registry; 3] {
    let Moment { live, process, writable, keys_expiring, pulls: (open, ended), .. } = now;
    let mut own = Registry::with_prefix(PREFIX);
    gauge(&mut own, "requests_in_flight", "Requests at backends now, streams included", signed(live.in_flight));
    gauge(&mut own, "queue_waiting", "Requests that wait for a free slot now", signed(live.waiting));
    own.register(
        "usage_records_dropped",
        "Usage records that were given up because they could not be written in time",
        ConstCounter::new(live.usage_dropped),
    );
    gauge(&mut own, "connections", "Connections of clients now", signed(process.connections));
    gauge(&mut own, "database_writable", "1 if the database can be written", i64::from(*writable));
    gauge(&mut own, "keys_expiring", "Active keys that expire within 14 days", signed(*keys_expiring));
    let configured = live.redis != RedisStatus::NotConfigured;
    let in_use = matches!(live.redis, RedisStatus::InUse { .. });
    gauge(&mut own, "redis_configured", "1 if limits are to be shared through Redis", i64::from(configured));
    gauge(&mut own, "redis_connected", "1 if they are; where not, this gateway counts alone", i64::from(in_use));
    let build = Family::<Labels<1>, Gauge>::default();
    build.get_or_create(&[("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1);
    own.register("build_info", "1, with what runs in the labels", build);
    own.register("errors", "Requests that ended in an error, by whose fault it was and its code", told(errors));
    let pulls = Sum::<1>::default();
    for (state, count) in ["running", "queued"].into_iter().zip(open) {
        pulls.get_or_create(&[("state", state.to_owned())]).set(signed(*count));
    }
    own.register("model_pulls", "Models on their way to backends now, by whether they run or wait", pulls);
    let outcomes = Family::<Labels<1>, Counter>::default();
    for (outcome, count) in ["done", "failed", "cancelled"].into_iter().zip(ended) {
        outcomes.get_or_create(&[("outcome", outcome.to_owned())]).inc_by(*count);
    }
    own.register("model_pulls_ended", "Pulls of models that ended, by how", outcomes);
    [own, fleet(&live.backends, names), of_process(process)]
}

fn told(errors: &BTreeMap<ErrorLabels, u64>) -> Family<Labels<3>, Counter> {
    let told = Family::<Labels<3>, Counter>::default();
    for ((source, code, status), count) in errors {
        let labels = [("source", *source), ("code", *code), ("status", *status)];
        told.get_or_create(&labels.map(|(name, value)| (name, value.to_owned()))).inc_by(*count);
    }
    told
}

fn fleet(backends: &[BackendView], names: &mut Names) -> Registry {
    let breakers = Sum::<2>::default();
    let [counts, up, draining, in_flight, limit, models, ends]: [Sum<1>; 7] = Default::default();
    for state in STATES {
        counts.get_or_create(&[("state", word(state).to_owned())]).set(0);
    }
    for backend in backends {
        let name = names.label(&backend.name);
        let own = || [("backend", name.clone())];
        counts.get_or_create(&[("state", word(backend.state).to_owned())]).inc();
        let is_up = matches!(backend.state, BackendState::Up | BackendState::Draining);
        up.get_or_create(&own()).inc_by(is_up.into());
        draining.get_or_create(&own()).inc_by(backend.draining.into());
        in_flight.get_or_create(&own()).inc_by(signed(backend.in_flight));
        if let Some(bound) = backend.limit {
            limit.get_or_create(&own()).inc_by(bound.into());
        }
        if let Some(end) = backend.certificate_end {
            ends.get_or_create(&own()).inc_by(signed(end / 1_000));
        }
        models.get_or_create(&own()).inc_by(signed(backend.models.len() as u64));
        let count = |state| signed(backend.breakers.iter().filter(|breaker| breaker.state == state).count() as u64);
        let (open, half_open) = (count(BreakerState::Open), count(BreakerState::HalfOpen));
        // One of the backend as a whole, and one of each of its models.
        let closed = (1 + signed(backend.models.len() as u64) - open - half_open).max(0);
        for (state, count) in [("closed", closed), ("open", open), ("half_open", half_open)] {
            breakers.get_or_create(&[("backend", name.clone()), ("state", state.to_owned())]).inc_by(count);
        }
    }
    let mut fleet = Registry::with_prefix(PREFIX);
    fleet.register("backends", "Configured backends, by state", counts);
    fleet.register("backend_up", "1 if the backend answered its last listing", up);
    fleet.register("backend_draining", "1 if the backend gets nothing new", draining);
    fleet.register("backend_requests_in_flight", "Requests at the backend now", in_flight);
    fleet.register("backend_requests_limit", "Most requests at once, where that is set or learned", limit);
    fleet.register_with_unit(
        "backend_certificate_end",
        "When the certificate ends that the backend showed last, since the Unix epoch",
        Unit::Seconds,
        ends,
    );
    fleet.register("backend_models", "Models that the backend lists", models);
    fleet.register(
        "breakers",
        "Circuit breakers, by state: one of the backend as a whole and one of each of its models",
        breakers,
    );
    fleet
}

const STATES: [BackendState; 5] =
    [BackendState::Up, BackendState::Down, BackendState::Draining, BackendState::Disabled, BackendState::Unknown];

fn word(state: BackendState) -> &'static str {
    match state {
        BackendState::Disabled => "disabled",
        BackendState::Unknown => "unknown",
        BackendState::Up => "up",
        BackendState::Draining => "draining",
        BackendState::Down => "down",
    }
}

/// By the names that all programs use.
fn of_process(facts: &ProcessFacts) -> Registry {
    let mut all = Registry::with_prefix("process");
    let mut add = |name: &str, help: &str, unit: Unit, value: Option<u64>| {
        if let Some(value) = value {
            all.register_with_unit(name, help, unit, ConstGauge::new(value));
        }
    };
    add("start_time", "When the process started, since the Unix epoch", Unit::Seconds, facts.started_at);
    add("resident_memory", "Memory that the process holds", Unit::Bytes, facts.resident_bytes);
    add("virtual_memory", "Addresses that the process has taken", Unit::Bytes, facts.virtual_bytes);
    for (name, help, value) in [
        ("open_fds", "Files and sockets that the process has open", facts.open_files),
        ("max_fds", "Most files and sockets that it may have open", facts.max_files),
    ] {
        if let Some(value) = value {
            all.register(name, help, ConstGauge::new(value));
        }
    }
    if let Some(seconds) = facts.cpu_seconds {
        let help = "Time that processors worked for the process";
        all.register_with_unit("cpu", help, Unit::Seconds, ConstCounter::new(seconds));
    }
    all
}

fn gauge<N>(registry: &mut Registry, name: &str, help: &str, value: N)
where
    N: EncodeGaugeValue + Send + Sync + std::fmt::Debug + 'static,
{
    registry.register(name, help, ConstGauge::new(value));
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
