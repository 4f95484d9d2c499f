//! More models than fit into the machines' memories: calls go where their model is loaded.

use std::fs;

use anyhow::{Context, Result};

use super::{Scene, Seen, heard, load, tell_unexplained};
use crate::chaos::{explain::Failed, fleet::Memory};

pub const MODELS: &[&str] =
    &["warm-a:latest", "warm-b:latest", "warm-c:latest", "warm-d:latest", "warm-e:latest", "warm-f:latest"];
pub const MEMORY: Memory = Memory { models: 2, load_ms: 1_000, slots: 4 };
pub const CLIENTS: u64 = 10;
const SECONDS: u64 = 20;
/// Share of the calls that must meet a loaded model, where one had a slot.
const SHARE: f64 = 0.99;

#[derive(Debug)]
pub struct Warm {
    pub seen: Seen,
    /// Answered by a loaded model; loaded though another had it with a slot; loaded because nobody had.
    pub warm: usize,
    pub missed: usize,
    pub unavoidable: usize,
}

impl Warm {
    pub fn share(&self) -> f64 {
        self.warm as f64 / ((self.warm + self.missed) as f64).max(1.0)
    }
}

/// More models than fit into a machine's memory, and calls for all of them.
pub fn warm(scene: &mut Scene<'_>) -> Result<Warm> {
    for name in scene.fleet.names() {
        scene.gateway.command(&["backend", "edit", name, "--parallel", &MEMORY.slots.to_string()])?;
    }
    // Loading takes a while, and waiting for a place in memory too.
    scene.gateway.set_first_byte_timeout("20")?;
    let record = scene.folder.join("warm.record");
    scene.fleet.start_together(&record, &MEMORY)?;
    scene.gateway.wait_until_up(&scene.fleet.names())?;
    let sizes = [("seconds", SECONDS), ("chunks", 8), ("every", 30), ("pause", 600)];
    let mut load = load(scene, MODELS, CLIENTS, &sizes)?;
    let seen = heard(scene, &mut load)?;
    tell_unexplained(scene, &seen.failed.iter().collect::<Vec<&Failed>>());
    let text = fs::read_to_string(&record).context("the record of the backends")?;
    let count = |letter: char| text.lines().filter(|line| line.starts_with(letter)).count();
    let warm = Warm { warm: count('W'), missed: count('M'), unavoidable: count('U'), seen };
    if warm.share() < SHARE {
        scene.broken.push(format!(
            "{} of {} calls had their model loaded though another backend had it in memory and a slot",
            warm.missed,
            warm.missed + warm.warm
        ));
    }
    Ok(warm)
}
