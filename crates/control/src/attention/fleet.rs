//! Of the backends: those that do not answer, are left out, are drained, or show a certificate that ends.

use domain::{
    backend::{BackendState, BackendView},
    live::{Attention, LiveStatus},
    policy::format_utc,
};

use super::{BACKENDS, ended, few, item};
use crate::upgrade::{Fleet, alone, named};

pub(super) fn told(live: &LiveStatus) -> Vec<Attention> {
    // What a rolling upgrade keeps away is drained, and gone for a while, because somebody wants it so.
    let steps = live.upgrade.iter().filter(|run| run.is_open()).flat_map(|run| &run.steps);
    let away: Vec<_> = steps.filter(|step| step.phase.is_away()).map(|step| &step.backend).collect();
    let enabled: Vec<&BackendView> = live.backends.iter().filter(|backend| backend.enabled).collect();
    let here: Vec<_> = enabled.iter().copied().filter(|backend| !away.contains(&&backend.id)).collect();
    let here = || here.iter().copied();
    let up: Vec<BackendView> = match here().any(is_down) {
        true => enabled.iter().copied().filter(|backend| backend.state == BackendState::Up).cloned().collect(),
        false => Vec::new(),
    };
    let down = here().filter(|backend| is_down(backend)).map(|backend| down(backend, &up));
    let out = here().filter(|backend| !is_down(backend)).flat_map(left_out);
    let drained = here().filter_map(drained);
    let certificates = enabled.iter().copied().filter(|backend| backend.certificate_ends_soon).filter_map(certificate);
    [
        few(down.collect(), "backends do not answer"),
        few(out.collect(), "backends or models get no requests after failures"),
        few(drained.collect(), "backends are drained"),
        few(certificates.collect(), "backends show certificates that end"),
    ]
    .concat()
}

fn is_down(backend: &BackendView) -> bool {
    backend.state == BackendState::Down
}

/// `up` are those that may take its calls.
fn down(backend: &BackendView, up: &[BackendView]) -> Attention {
    let why = backend.last_error.as_ref().map(|error| format!(": {}", ended(&error.message)));
    let why = why.unwrap_or_else(|| ".".into());
    let lost = alone(&Fleet { backends: up, foreign: &[], unsure: &[], known: None }, backend);
    let lost = if lost.is_empty() { String::new() } else { format!(" Calls for {} get 503.", named(&lost)) };
    item(format!("down:{}", backend.id), true, format!("{} does not answer{why}{lost}", backend.name), BACKENDS)
}

/// What its circuit breakers keep from it. Where the whole backend is left out, its models are not told.
fn left_out(backend: &BackendView) -> Vec<Attention> {
    let whole = backend.breakers.iter().any(|breaker| breaker.model.is_none());
    let told = backend.breakers.iter().filter(|breaker| breaker.model.is_none() == whole);
    let told = told.map(|breaker| {
        let (name, id) = (&backend.name, &backend.id);
        let (what, key) = match &breaker.model {
            None => (name.clone(), format!("out:{id}")),
            Some(model) => (format!("{model} on {name}"), format!("out:{id}:{model}")),
        };
        let why = backend.last_error.as_ref().map(|error| format!(", at last: {}", ended(&error.message)));
        let text = format!(
            "{what} gets no requests for now, because it failed too often{}",
            why.unwrap_or_else(|| ".".into())
        );
        item(key, whole, text, BACKENDS)
    });
    told.collect()
}

fn drained(backend: &BackendView) -> Option<Attention> {
    let state = backend.drained()?.to_lowercase();
    let text = format!("{} is {state}: it gets nothing new until it is taken back.", backend.name);
    Some(item(format!("drained:{}", backend.id), false, text, BACKENDS))
}

fn certificate(backend: &BackendView) -> Option<Attention> {
    let end = day(backend.certificate_end?);
    let text = format!("The certificate of {} ends at {end}, and it is refused from then on: renew it.", backend.name);
    Some(item(format!("certificate:{}", backend.id), false, text, BACKENDS))
}

/// Unix milliseconds as people read them.
pub(super) fn day(at: u64) -> String {
    format!("{} UTC", format_utc(at).replace('T', " "))
}
