//! `cargo xtask chaos`: four backends that die, hang, stall and talk rubbish at random from a printed seed, under 200
//! clients that know every byte they must get; then reboots one by one, then models that do not all fit into memory.
//! Every promise that was broken is told, and one is enough for exit code 1. Backends and clients are processes of
//! `crates/bench`.

mod explain;
mod fleet;
mod gateway;
mod phases;
mod report;
mod schedule;

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};

use crate::{
    bench::{self, Folder},
    run::step,
    serve::{self, Profile},
};
use fleet::Fleet;
use gateway::Gateway;

const BACKENDS: u8 = 4;

#[derive(clap::Args)]
pub struct Options {
    /// For so long backends fail at random; what follows takes about a minute more
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(10..=3600))]
    seconds: u64,
    /// Repeat the run of this seed
    #[arg(long)]
    seed: Option<u64>,
    /// How our binary is built
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
    /// Run this binary instead of building one; --profile then says how it was built
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Write the report to docs/reliability.md
    #[arg(long)]
    write: bool,
}

pub fn chaos(options: &Options) -> Result<()> {
    let tool = bench::tool()?;
    let (binary, source) = match &options.binary {
        Some(binary) => (
            fs::canonicalize(binary).with_context(|| binary.display().to_string())?,
            "A binary given by hand".to_owned(),
        ),
        None => (serve::build(options.profile)?, bench::report::commit()),
    };
    let seed = options.seed.unwrap_or_else(fresh_seed);
    eprintln!("==> seed {seed}: `cargo xtask chaos --seed {seed}` fails the same way");
    let folder = Folder::new("chaos")?;
    let models = [phases::CHAOS, phases::REBOOT, phases::WARM].concat();
    let mut fleet = Fleet::new(&tool, &folder.0, BACKENDS, &models)?;
    for backend in 0..fleet.len() {
        fleet.start(backend)?;
    }
    let gateway = step("gateway", || {
        let gateway = Gateway::start(&tool, &folder.0, binary, &fleet.addresses())?;
        gateway.wait_until_up(&fleet.names())?;
        Ok(gateway)
    })?;
    let mut scene = phases::Scene { tool: &tool, folder: &folder.0, gateway, fleet, seed, broken: Vec::new() };
    let length = Duration::from_secs(options.seconds);
    let chaos = step(&format!("{} s of faults at random", options.seconds), || phases::chaos(&mut scene, length))?;
    let reboot = step("reboots", || phases::reboot(&mut scene))?;
    let warm = step("models that do not all fit", || phases::warm(&mut scene))?;
    let phases::Scene { gateway, mut broken, .. } = scene;
    if let Err(fault) = gateway.end() {
        broken.push(format!("the gateway did not end in order: {fault:#}"));
    }
    let facts = report::Facts { profile: options.profile.name(), source, seed, seconds: options.seconds };
    let page = report::page(&facts, &chaos, &reboot, &warm)?;
    println!("{page}");
    if !broken.is_empty() {
        bail!("{} promises were broken (seed {seed}):\n- {}", broken.len(), broken.join("\n- "));
    }
    if options.write {
        report::write(&page)?;
    }
    Ok(())
}

/// Small enough to be typed.
fn fresh_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) % 1_000_000
}
