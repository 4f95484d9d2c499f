//! `fleet upgrade`: the arguments of rolling upgrades, answering one, and beginning one. A running server does the work: what
//! is asked here goes over its socket and never to the store itself. `follow` shows how it goes on.

mod command;
mod follow;
mod show;

use std::{
    thread,
    time::{Duration, Instant},
};

use clap::{Args, Subcommand};
use control::command::{Command, Reply};
use domain::upgrade::{UpgradeAnswer, UpgradeView};

use super::{Failure, remote};
use crate::{config::Config, logging};

/// How a command begins here, for hints.
const SELF: &str = "ollama-fortress fleet upgrade";

#[derive(Subcommand)]
pub enum Fleet {
    /// Upgrade backends one after another without losing a call: each is drained, handed over, verified, warmed, taken back.
    Upgrade(Upgrade),
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Upgrade {
    #[command(subcommand)]
    verb: Option<UpgradeVerb>,
    #[command(flatten)]
    begin: Begin,
}

#[derive(Args)]
pub struct Begin {
    /// Only this one, by name or id; may be given more than once. All enabled ones otherwise, by name.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    backend: Vec<String>,
    /// What every backend should run afterwards; otherwise anything that is not older than before.
    #[arg(long, value_name = "X.Y.Z", default_value = "")]
    version: String,
    /// Go on although a model is on one backend only: calls for it get 503 while that is away.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    run: RunOption,
}

#[derive(Args)]
pub struct RunOption {
    /// Upgrades a backend that was handed over, once each: run here by `sh -c`, with FORTRESS_BACKEND_NAME and
    /// FORTRESS_BACKEND_URL set. Exit code 0 goes on, any other pauses.
    #[arg(long, value_name = "COMMAND")]
    run: Option<String>,
}

#[derive(Subcommand)]
pub enum UpgradeVerb {
    /// Print how far it is, or how the last one ended.
    Status,
    /// Follow one that is under way until it ends.
    Follow(RunOption),
    /// The backend is upgraded, or the pause is over, or what is waited for is not needed: go on.
    Continue(At),
    /// Look again, or let a command run again.
    Retry(At),
    /// Take the backend back although something is missing.
    Rejoin(At),
    /// Let nothing go on until `continue`.
    Pause,
    /// End it.
    Stop(Stop),
}

#[derive(Args)]
pub struct At {
    /// Only if nothing has happened since `status` showed this change. Without it the answer is to how it stands now.
    #[arg(long, value_name = "CHANGE")]
    change: Option<u64>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Stop {
    /// Take the present backend back.
    #[arg(long)]
    rejoin: bool,
    /// Leave the present backend drained.
    #[arg(long)]
    leave_drained: bool,
}

impl Fleet {
    pub fn run(self, config: &Config, json: bool) -> Result<(), Failure> {
        let Self::Upgrade(upgrade) = self;
        // A warning belongs on the terminal, details do not.
        logging::start(&logging::quiet(&config.log));
        let mut at = None;
        let answer = match upgrade.verb {
            None => return begin(config, upgrade.begin, json),
            Some(UpgradeVerb::Status) => return status(config, json),
            Some(UpgradeVerb::Follow(run)) => {
                let view = under_way(config)?;
                return follow::follow(config, &view, run.run.as_deref(), json);
            }
            Some(UpgradeVerb::Continue(said)) => {
                at = said.change;
                UpgradeAnswer::Continue
            }
            Some(UpgradeVerb::Retry(said)) => {
                at = said.change;
                UpgradeAnswer::Retry
            }
            Some(UpgradeVerb::Rejoin(said)) => {
                at = said.change;
                UpgradeAnswer::Rejoin
            }
            Some(UpgradeVerb::Pause) => UpgradeAnswer::Pause,
            Some(UpgradeVerb::Stop(Stop { leave_drained: true, .. })) => UpgradeAnswer::StopDrained,
            Some(UpgradeVerb::Stop(_)) => UpgradeAnswer::StopRejoin,
        };
        let view = ask(config, &Command::FleetUpgradeAnswer { change: at.unwrap_or(0), answer })?;
        show::status(view.as_ref(), json)
    }
}

fn begin(config: &Config, begin: Begin, json: bool) -> Result<(), Failure> {
    let Begin { backend, version, force, run } = begin;
    let first = Command::FleetUpgradeStart { backends: backend, version, force };
    let view = ask(config, &first)?.ok_or_else(strange)?;
    follow::follow(config, &view, run.run.as_deref(), json)
}

/// Also of a stopped server, whose store is asked.
fn status(config: &Config, json: bool) -> Result<(), Failure> {
    match remote::ask(config, Command::FleetUpgrade)? {
        Reply::Upgrade(view) => show::status(view.as_deref(), json),
        _ => Err(strange()),
    }
}

fn under_way(config: &Config) -> Result<UpgradeView, Failure> {
    let view = ask(config, &Command::FleetUpgrade)?.filter(UpgradeView::is_open);
    view.ok_or_else(|| {
        Failure::new(format_args!("no rolling upgrade is under way: `{SELF} status` tells of the last one"))
    })
}

/// Asks the running server, which may be starting just now.
fn ask(config: &Config, command: &Command) -> Result<Option<UpgradeView>, Failure> {
    let deadline = Instant::now() + Duration::from_secs(3);
    loop {
        match remote::ask_running(config, command)? {
            Some(Reply::Upgrade(view)) => return Ok(view.map(|view| *view)),
            Some(_) => return Err(strange()),
            None if Instant::now() < deadline => thread::sleep(remote::PAUSE),
            None => {
                return Err(Failure::new(
                    "no server runs here, and a rolling upgrade is a running server's work: start it",
                ));
            }
        }
    }
}

fn strange() -> Failure {
    Failure::new("the running server answered something else")
}
