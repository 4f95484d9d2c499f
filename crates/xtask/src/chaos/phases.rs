//! The three parts of a run, and what they share: the clients' report, and the words of what is wrong with it. What is not as
//! it must be is added to the list of broken promises, in words that can be acted on.

mod chaos;
mod reboot;
mod warm;

use std::{path::Path, process::Command};

use anyhow::Result;
use serde_json::Value;

use super::{
    explain::Failed,
    fleet::{Fleet, Window},
    gateway::Gateway,
};
use crate::bench::process::Tool;

pub use chaos::{CLIENTS, Chaos, MODELS as CHAOS, chaos};
pub use reboot::{CLIENTS as REBOOT_CLIENTS, MODELS as REBOOT, Reboot, reboot};
pub use warm::{CLIENTS as WARM_CLIENTS, MEMORY, MODELS as WARM, Warm, warm};

/// Failures that are told in words.
const TOLD: usize = 5;

pub struct Scene<'s> {
    pub tool: &'s Path,
    pub folder: &'s Path,
    pub gateway: Gateway,
    pub fleet: Fleet,
    pub seed: u64,
    pub broken: Vec<String>,
}

/// What clients saw of one part.
#[derive(Debug, Default)]
pub struct Seen {
    pub calls: u64,
    pub complete: u64,
    pub left: u64,
    pub failed: Vec<Failed>,
    pub wrong: Vec<String>,
    pub wrong_count: u64,
    pub retried_ms: Vec<f64>,
    pub plain_ms: Vec<f64>,
}

fn load(scene: &Scene<'_>, models: &[&str], clients: u64, sizes: &[(&str, u64)]) -> Result<Tool> {
    let mut command = Command::new(scene.tool);
    command.args(["chaos-load", "--to", &scene.gateway.to.to_string(), "--models", &models.join(",")]);
    for (name, value) in [("seed", scene.seed), ("clients", clients)].iter().chain(sizes) {
        command.args([format!("--{name}"), value.to_string()]);
    }
    Tool::start({
        command.env("BENCH_KEY", &scene.gateway.key);
        command
    })
}

/// Waits for the clients' report; wrong bytes are told at once.
fn heard(scene: &mut Scene<'_>, load: &mut Tool) -> Result<Seen> {
    let line = load.line()?;
    let number = |name: &str| line[name].as_u64().unwrap_or_default();
    let list = |name: &str| line[name].as_array().into_iter().flatten();
    let milliseconds = |name: &str| list(name).filter_map(Value::as_f64).map(|us| us / 1e3).collect();
    let failed = |value: &Value| Failed {
        id: value["id"].as_str().unwrap_or_default().to_owned(),
        path: value["path"].as_str().unwrap_or_default().to_owned(),
        begun: value["begun"] == true,
        message: value["message"].as_str().unwrap_or_default().to_owned(),
        begin_us: value["begin_us"].as_u64().unwrap_or_default(),
        end_us: value["end_us"].as_u64().unwrap_or_default(),
    };
    let seen = Seen {
        calls: number("calls"),
        complete: number("complete"),
        left: number("left"),
        failed: list("failed").map(failed).collect(),
        wrong: list("wrong").filter_map(Value::as_str).map(str::to_owned).collect(),
        wrong_count: number("wrong_count"),
        retried_ms: milliseconds("retried_us"),
        plain_ms: milliseconds("plain_us"),
    };
    if seen.wrong_count > 0 {
        scene.broken.push(format!("{} calls were answered wrongly: {}", seen.wrong_count, seen.wrong.join("; ")));
    }
    if seen.complete == 0 {
        scene.broken.push("not one call was answered".to_owned());
    }
    Ok(seen)
}

fn tell_unexplained(scene: &mut Scene<'_>, unexplained: &[&Failed]) {
    if unexplained.is_empty() {
        return;
    }
    let first: Vec<String> = unexplained.iter().take(TOLD).map(|failed| shown(failed, &scene.fleet.windows)).collect();
    scene.broken.push(format!("{} failed calls are explained by no fault: {}", unexplained.len(), first.join("; ")));
}

/// A failed call with the faults around it.
fn shown(failed: &Failed, windows: &[Window]) -> String {
    let Failed { id, path, begun, message, begin_us, end_us } = failed;
    let ms = |us: u64| us.saturating_sub(*begin_us) as f64 / 1e3;
    let near = windows.iter().filter(|window| window.from < *end_us && window.to.saturating_add(3_000_000) > *begin_us);
    let near: Vec<String> = near
        .map(|window| {
            format!(
                "{} of {} from {:.0} to {:.0}",
                window.mode.name(),
                window.backend + 1,
                ms(window.from),
                ms(window.to.min(*end_us))
            )
        })
        .collect();
    format!(
        "call {id} at {path} after {:.0} ms{}: {message} (faults in ms of its time: {})",
        ms(*end_us),
        if *begun { ", answer begun" } else { "" },
        near.join(", ")
    )
}
