//! The command that upgrades a backend: run here, told about while it runs, and ended with everything it began where somebody
//! insists.

use std::{collections::HashMap, fs, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// Starts a command for a backend.
pub fn start(command: &str, name: &str, url: &str, json: bool) -> std::io::Result<Child> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env("FORTRESS_BACKEND_NAME", name).env("FORTRESS_BACKEND_URL", url);
    if json {
        // Standard output is for what happens to the upgrade.
        shell.stdout(Stdio::from(std::io::stderr()));
    }
    shell.spawn()
}

/// Kills a process and all that it began: of a shell alone, what it waits for would live on.
pub fn kill(process: u32) {
    let children = children();
    let mut doomed = vec![process];
    let mut at = 0;
    while let Some(parent) = doomed.get(at) {
        let more = children.get(parent).cloned().unwrap_or_default();
        doomed.extend(more);
        at += 1;
    }
    for process in doomed {
        if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
            // One that ended by itself meanwhile is what was wanted.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Children by the process that began them; what cannot be read is left out.
fn children() -> HashMap<u32, Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name in parentheses may hold anything; state and parent come behind it.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(process);
        }
    }
    children
}
