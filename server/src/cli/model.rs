//! `model`: the arguments, waiting for a pull, and how pulls and kept models are printed. Reading the values is the control
//! plane's, so that faults sound as they do in the pages.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use clap::{Args, Subcommand};
use control::command::{Command, Reply};
use domain::{
    id::PullId,
    pull::{PullState, PullView, WishView},
};

use super::{
    Failure,
    output::{clean, hint, print_rows},
    remote,
};
use crate::config::Config;

/// How often a pull is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often is said how far it is.
const SAY: Duration = Duration::from_secs(5);

pub const PULL_HEAD: [&str; 6] = ["MODEL", "BACKEND", "ID", "STATE", "HOW FAR", "WHAT ELSE"];
pub const KEPT_HEAD: [&str; 5] = ["MODEL", "WISHED", "ON", "ONLY", "WHAT ELSE"];

#[derive(Subcommand)]
pub enum Model {
    /// Have backends pull a model; what waits or runs goes on after a restart of the gateway.
    Pull(PullArguments),
    /// List models on their way, and those that arrived or failed.
    Pulls,
    /// End a pull; what has come of it stays for another try.
    Cancel {
        /// The id that `model pulls` shows.
        id: String,
    },
    /// Keep a model on at least so many backends: where it is missing it is pulled, one pull at a time. Nothing is ever
    /// removed. Without arguments: list the models that are kept.
    Keep {
        /// For example qwen3:8b
        #[arg(requires = "copies")]
        model: Option<String>,
        /// On how many backends; 0 keeps it no longer.
        copies: Option<u32>,
        /// Only on these, by name or id; may be given more than once.
        #[arg(long, value_name = "NAME", num_args = 1.., requires = "model")]
        backend: Vec<String>,
    },
}

#[derive(Args)]
pub struct PullArguments {
    /// For example qwen3:8b or hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF
    model: String,
    /// To this one, by name or id; may be given more than once. Needed where there are several.
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "all")]
    backend: Vec<String>,
    /// To every backend that pulls models.
    #[arg(long)]
    all: bool,
    /// To every backend that has it, which brings it up to date there.
    #[arg(long, conflicts_with = "all")]
    update: bool,
    /// Return when it has ended everywhere; exit code 1 where it failed or was cancelled.
    #[arg(long)]
    wait: bool,
}

impl PullArguments {
    pub fn waits(&self) -> bool {
        self.wait
    }
}

impl From<PullArguments> for Command {
    fn from(arguments: PullArguments) -> Self {
        let PullArguments { model, backend, all, update, wait: _ } = arguments;
        Self::ModelPull { model, backends: backend, all, update }
    }
}

impl Model {
    pub fn into_command(self) -> Command {
        match self {
            Self::Pull(arguments) => arguments.into(),
            Self::Pulls => Command::ModelPulls,
            Self::Cancel { id } => Command::ModelCancel { id },
            Self::Keep { model: Some(model), copies: Some(copies), backend } => {
                Command::ModelKeep { model, copies, backends: backend }
            }
            Self::Keep { .. } => Command::ModelKept,
        }
    }
}

/// Pulls and waits until it has ended everywhere. A running server does the work; this only looks.
pub fn pull(config: &Config, arguments: PullArguments, json: bool) -> Result<(), Failure> {
    let started = asked(config, &arguments.into())?;
    let ids: Vec<PullId> = started.into_iter().map(|pull| pull.id).collect();
    let mut said = Instant::now();
    loop {
        let mut pulls = asked(config, &Command::ModelPulls)?;
        pulls.retain(|pull| ids.contains(&pull.id));
        if pulls.len() < ids.len() {
            return Err(Failure::new(
                "a pull is not remembered any more: `ollama-fortress backend list` shows the models",
            ));
        }
        if pulls.iter().all(|pull| pull.ended_at.is_some()) {
            return ended(&pulls, json);
        }
        if said.elapsed() >= SAY {
            said = Instant::now();
            for pull in pulls.iter().filter(|pull| !pull.amount.is_empty() && pull.ended_at.is_none()) {
                // Whoever is not told waits all the same.
                let _ = hint(&clean(&format!("{} on {}: {}", pull.model, pull.backend_name, pull.amount)));
            }
        }
        thread::sleep(LOOK);
    }
}

fn asked(config: &Config, command: &Command) -> Result<Vec<PullView>, Failure> {
    match remote::ask_running(config, command)? {
        Some(Reply::Pulls(pulls)) => Ok(pulls),
        Some(_) => Err(Failure::new("the running server answered something else")),
        None => Err(Failure::new(
            "no server answers here, and pulling is a running server's work: start it, or leave out --wait, and the pull begins \
             with the server",
        )),
    }
}

fn ended(pulls: &[PullView], json: bool) -> Result<(), Failure> {
    match print_rows(pulls, json, &PULL_HEAD, pull_cells) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        printed => printed.map_err(|error| Failure::new(format_args!("cannot print the result: {error}")))?,
    }
    let missed = pulls.iter().filter(|pull| pull.state != PullState::Done);
    let missed: Vec<String> = missed.map(|pull| format!("{}: {}", pull.backend_name, pull.said)).collect();
    if missed.is_empty() { Ok(()) } else { Err(Failure::new(clean(&missed.join("; ")))) }
}

pub fn pull_cells(pull: &PullView) -> Vec<String> {
    let (model, backend, state) = (clean(&pull.model), clean(&pull.backend_name), pull.state.words().to_lowercase());
    let far = match pull.percent() {
        Some(percent) => format!("{percent} %, {}", pull.amount),
        None => "-".to_owned(),
    };
    vec![model, backend, pull.id.to_string(), state, far, clean(&pull.said)]
}

pub fn kept_cells(wish: &WishView) -> Vec<String> {
    let names = |names: &[String]| if names.is_empty() { "-".to_owned() } else { clean(&names.join(", ")) };
    let short = clean(wish.short.as_deref().unwrap_or_default());
    vec![clean(&wish.model), wish.copies.to_string(), names(&wish.on), names(&wish.only), short]
}
