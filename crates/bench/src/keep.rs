//! Starts a foreign program and makes sure that it ends: when standard input closes, at a signal, or by itself. It knows
//! nothing of what it starts.

use std::{
    fs::File,
    path::PathBuf,
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::json;
use tokio::{
    process::Child,
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use crate::{http::Fault, lifeline, say};

/// A program that ends in order does so sooner.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub struct Keep {
    /// Takes the program's output
    #[arg(long)]
    log: PathBuf,
    program: PathBuf,
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Prints the process id and the moment of the start (microseconds since 1970) as `{"pid", "at_us"}`.
pub async fn run(keep: Keep) -> Result<(), Fault> {
    let shown = keep.program.display().to_string();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let lines = lifeline::lines();
    let log = File::options().create(true).append(true).open(&keep.log)?;
    let at = now_us();
    let mut child = tokio::process::Command::new(&keep.program)
        .args(&keep.arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // A Ctrl-C in the terminal reaches this process, which then ends the program and its children in order.
        .process_group(0)
        .spawn()
        .map_err(|error| Fault::Start(shown, error))?;
    let pid = child.id().unwrap_or_default();
    say(&json!({ "pid": pid, "at_us": at }));
    tokio::select! {
        ended = child.wait() => {
            // Whatever it left in its group goes with it.
            end_group(pid, Signal::KILL);
            say(&json!({ "fault": format!("ended by itself: {}", ended?) }));
            return Ok(());
        }
        () = lifeline::cut(lines) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    end(pid, &mut child).await
}

async fn end(pid: u32, child: &mut Child) -> Result<(), Fault> {
    if let Some(pid) = as_pid(pid) {
        let _ = kill_process(pid, Signal::TERM);
    }
    let ended = timeout(PATIENCE, child.wait()).await;
    end_group(pid, Signal::KILL);
    match ended {
        Ok(status) => {
            say(&json!({ "ended": status?.to_string() }));
            Ok(())
        }
        Err(_) => {
            child.wait().await?;
            Err(Fault::Late(PATIENCE.as_secs()))
        }
    }
}

/// The program's own group, which it got at its start.
fn end_group(pid: u32, signal: Signal) {
    if let Some(pid) = as_pid(pid) {
        let _ = kill_process_group(pid, signal);
    }
}

fn as_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
