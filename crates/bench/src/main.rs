//! The tools of `cargo xtask bench` and `cargo xtask chaos`, as processes of their own: a mock backend, a loader, and a keeper that ends what it
//! started when its own standard input closes, so that nothing outlives the bench. Each prints JSON lines. What is
//! measured, in which order, and what the figures mean belongs to `crates/xtask`.

mod answers;
mod chaos;
mod http;
mod keep;
mod lifeline;
mod load;
mod mock;
mod pages;

use std::{io::Write, process::ExitCode};

use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[derive(Parser)]
#[command(name = "bench", about = "Mock backend, loader and keeper of `cargo xtask bench`")]
struct Arguments {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Subcommand)]
enum Tool {
    /// Answer as an Ollama server does, on as many free ports of 127.0.0.1 as asked for; prints them
    Mock {
        #[arg(long, default_value_t = 1)]
        ports: usize,
    },
    /// Ask, check every answer, and print what came
    Load(load::Load),
    /// Ask for the admin pages that standard input names, and print how long each took
    Pages(pages::Pages),
    /// Answer as Ollama servers do at these addresses, and fail as standard input says
    ChaosBackend(chaos::backend::Backend),
    /// Ask as many clients do while backends fail, and hold every answer against what it must be
    ChaosLoad(chaos::load::Load),
    /// Start a program and end it when standard input closes
    Keep(keep::Keep),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    raise_open_files();
    // One thread: the tools must leave the machine to what they measure.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(http::Fault::Io).and_then(|runtime| {
        runtime.block_on(async {
            match arguments.tool {
                Tool::Mock { ports } => mock::run(ports).await,
                Tool::Load(load) => load::run(load).await,
                Tool::Pages(pages) => pages::run(pages).await,
                Tool::ChaosBackend(backend) => chaos::backend::run(backend).await,
                Tool::ChaosLoad(load) => chaos::load::run(load).await,
                Tool::Keep(keep) => keep::run(keep).await,
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            say(&serde_json::json!({ "fault": fault.to_string() }));
            ExitCode::FAILURE
        }
    }
}

/// Thousands of streams need thousands of descriptors. What is started from here inherits the limit.
fn raise_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Without it the runs that need more fail and say so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Prints one line of the interface. Nobody may be there to read it: whoever started this process can be gone.
fn say(line: &serde_json::Value) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
