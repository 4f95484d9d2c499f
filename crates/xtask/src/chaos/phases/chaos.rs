//! Backends that fail at random; then everything must be free again, and every failed call have its cause.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{Scene, Seen, heard, load, tell_unexplained};
use crate::{
    bench::stats::{Spread, percentile},
    chaos::{
        explain,
        schedule::{self, Mode},
    },
};

/// Breakers belong to a model at a backend, so each part has models of its own and begins with a clean slate.
pub const MODELS: &[&str] = &["chaos-a:latest", "chaos-b:latest", "chaos-c:latest"];
pub const CLIENTS: u64 = 200;
/// Files of the gateway that may be open beside those of its start: tables of its database.
const SPARE_FILES: f64 = 8.0;
/// Longest time in which everything must be free again: idle connections to backends are kept for four seconds.
const SETTLE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Chaos {
    pub seen: Seen,
    /// Faults of each kind that were done.
    pub faults: BTreeMap<&'static str, usize>,
    /// Failed calls by row.
    pub rows: BTreeMap<&'static str, usize>,
    /// Median and 99th percentile of the added time, and the longest, in milliseconds.
    pub failover: Option<(f64, f64, f64)>,
    /// Further backends that a request was sent to, and how many the budget allowed.
    pub retries: (usize, f64),
    /// Times that a request was sent again to the same backend, over a fresh connection.
    pub crossed: usize,
    /// Further backends in all, those included that could not be connected to.
    pub tried: f64,
    pub files: (f64, f64),
}

/// Everything at random, then everything free again.
pub fn chaos(scene: &mut Scene<'_>, length: Duration) -> Result<Chaos> {
    let files = open_files(scene)?;
    let tried = scene.gateway.metrics()?.sum("ollama_fortress_retries_total");
    let seconds = length.as_secs();
    let mut load = load(scene, MODELS, CLIENTS, &[("seconds", seconds)])?;
    let start = Instant::now();
    let steps = schedule::plan(scene.seed, scene.fleet.len(), length);
    let mut faults = BTreeMap::new();
    for step in &steps {
        thread::sleep((start + step.at).saturating_duration_since(Instant::now()));
        scene.fleet.tell(step.backend, step.mode)?;
        if step.mode != Mode::Well {
            *faults.entry(step.mode.name()).or_default() += 1;
        }
    }
    let seen = heard(scene, &mut load)?;
    let took = start.elapsed().as_secs_f64();
    let after = settle(scene, files)?;
    let tried = scene.gateway.metrics()?.sum("ollama_fortress_retries_total") - tried;

    let mut rows = BTreeMap::new();
    let mut unexplained = Vec::new();
    for failed in &seen.failed {
        match explain::row(failed, &scene.fleet.windows, scene.fleet.len()) {
            Some(row) => *rows.entry(row).or_default() += 1,
            None => unexplained.push(failed),
        }
    }
    tell_unexplained(scene, &unexplained);

    let (calls, came) = scene.fleet.calls()?;
    let sent: usize = calls.values().map(|backends| backends.len()).sum();
    let retries = sent - calls.len();
    let allowed = seen.calls as f64 * 0.2 + took * 10.0 + 10.0;
    if retries as f64 > allowed {
        scene.broken.push(format!("{retries} requests were sent to a further backend, the budget allows {allowed:.0}"));
    }
    if let Some((id, backends)) = calls.iter().find(|(_, backends)| backends.len() > 3) {
        scene.broken.push(format!("call {id} was sent to {} backends", backends.len()));
    }
    let plain = Spread::of(&seen.plain_ms).map_or(0.0, |spread| spread.median);
    let mut added: Vec<f64> = seen.retried_ms.iter().map(|ms| (ms - plain).max(0.0)).collect();
    let failover = percentile(&mut added, 0.5).zip(percentile(&mut added, 0.99)).zip(percentile(&mut added, 1.0));
    Ok(Chaos {
        seen,
        faults,
        rows,
        failover: failover.map(|((median, late), most)| (median, late, most)),
        retries: (retries, allowed),
        crossed: came - sent,
        tried,
        files: (files, after),
    })
}

fn open_files(scene: &Scene<'_>) -> Result<f64> {
    Ok(scene.gateway.metrics()?.sum("process_open_fds"))
}

/// Waits until nothing of the load is left anywhere; what stays is a broken promise. Answers the open files then.
fn settle(scene: &mut Scene<'_>, files: f64) -> Result<f64> {
    let start = Instant::now();
    loop {
        let metrics = scene.gateway.metrics()?;
        let now = metrics.sum("process_open_fds");
        let left: Vec<String> = [
            ("requests in flight", metrics.sum("ollama_fortress_requests_in_flight"), 0.0),
            ("requests at backends", metrics.sum("ollama_fortress_backend_requests_in_flight"), 0.0),
            ("requests waiting", metrics.sum("ollama_fortress_queue_waiting"), 0.0),
            // The one that asks.
            ("connections of clients", metrics.sum("ollama_fortress_connections"), 1.0),
            ("open files", now, files + SPARE_FILES),
            ("answers that backends give", scene.fleet.open()? as f64, 0.0),
        ]
        .iter()
        .filter(|(_, found, most)| found > most)
        .map(|(what, found, most)| format!("{found} {what} (at most {most})"))
        .collect();
        if left.is_empty() {
            return Ok(now);
        }
        if start.elapsed() > SETTLE {
            scene.broken.push(format!("{} s after the last call there are {}", SETTLE.as_secs(), left.join(", ")));
            return Ok(now);
        }
        thread::sleep(Duration::from_millis(200));
    }
}
