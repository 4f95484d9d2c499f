//! Backends that reboot one by one: whoever had no byte of an answer yet must get one from another backend.

use std::{thread, time::Duration};

use anyhow::Result;

use super::{Scene, Seen, TOLD, heard, load, shown};
use crate::chaos::explain::{self, Failed};

pub const MODELS: &[&str] = &["reboot-a:latest", "reboot-b:latest"];
pub const CLIENTS: u64 = 60;

#[derive(Debug)]
pub struct Reboot {
    pub seen: Seen,
    /// How often a backend was killed, and how often drained first.
    pub killed: usize,
    pub drained: usize,
    pub streaming: usize,
}

/// Two backends are killed and two drained first, one after the other.
pub fn reboot(scene: &mut Scene<'_>) -> Result<Reboot> {
    // What they said of full queues in the first part was learned; here they take everything.
    for name in scene.fleet.names() {
        scene.gateway.command(&["backend", "edit", name, "--parallel", "200"])?;
    }
    scene.fleet.windows.clear();
    let mut load = load(scene, MODELS, CLIENTS, &[("seconds", 170), ("leave", 0)])?;
    thread::sleep(Duration::from_secs(2));
    let (mut killed, mut drained) = (0, 0);
    for backend in 0..scene.fleet.len() {
        let name = scene.fleet.name(backend).to_owned();
        let drains = backend >= scene.fleet.len() / 2;
        if drains {
            scene.gateway.command(&["backend", "drain", &name, "--wait", "--timeout", "30"])?;
        }
        scene.fleet.kill(backend)?;
        thread::sleep(Duration::from_millis(1_500));
        scene.fleet.start(backend)?;
        scene.gateway.wait_until_up(&[&name])?;
        if drains {
            scene.gateway.command(&["backend", "undrain", &name])?;
            // A drained backend is no excuse for anything.
            scene.fleet.windows.retain(|window| window.backend != backend);
        }
        (killed, drained) = if drains { (killed, drained + 1) } else { (killed + 1, drained) };
        thread::sleep(Duration::from_secs(1));
    }
    load.say("")?;
    let seen = heard(scene, &mut load)?;
    let excused =
        |failed: &&Failed| failed.begun && explain::row(failed, &scene.fleet.windows, scene.fleet.len()).is_some();
    let streaming = seen.failed.iter().filter(excused).count();
    let others: Vec<&Failed> = seen.failed.iter().filter(|failed| !excused(failed)).collect();
    if !others.is_empty() {
        let first = others.iter().take(TOLD).map(|failed| shown(failed, &scene.fleet.windows));
        let first: Vec<String> = first.collect();
        scene.broken.push(format!(
            "{} calls failed that were not streaming yet when one of {} backends rebooted: {}",
            others.len(),
            scene.fleet.len(),
            first.join("; ")
        ));
    }
    Ok(Reboot { seen, killed, drained, streaming })
}
