//! The failing backends: processes of `crates/bench` that are told how to behave, killed, and started again at the same
//! address; and a list of when which of them was at fault.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};

use super::{gateway::ask, schedule::Mode};
use crate::bench::process::Tool;

/// A time in which a backend was at fault, in microseconds since 1970.
#[derive(Clone, Debug)]
pub struct Window {
    pub backend: usize,
    pub mode: Mode,
    pub from: u64,
    /// `u64::MAX` while it lasts.
    pub to: u64,
}

struct One {
    name: String,
    at: SocketAddr,
    record: PathBuf,
    process: Option<Tool>,
}

pub struct Fleet {
    tool: PathBuf,
    models: String,
    backends: Vec<One>,
    pub windows: Vec<Window>,
}

/// What a process is started with beside its address.
pub struct Memory {
    pub models: usize,
    pub load_ms: u64,
    pub slots: usize,
}

impl Fleet {
    /// Addresses for so many backends, nobody there yet. Each has an address of 127.0.0.0/8 to itself: on one that clients
    /// share, a connection to a port where nobody listens can meet itself.
    pub fn new(tool: &Path, folder: &Path, count: u8, models: &[&str]) -> Result<Self> {
        let one = |number: u8| {
            let at = TcpListener::bind((Ipv4Addr::new(127, 0, 1, number), 0))?.local_addr()?;
            let name = format!("gpu-{number}");
            Ok(One { record: folder.join(format!("{name}.record")), name, at, process: None })
        };
        let backends = (1..=count).map(one).collect::<Result<_>>()?;
        Ok(Self { tool: tool.to_owned(), models: models.join(","), backends, windows: Vec::new() })
    }

    pub fn len(&self) -> usize {
        self.backends.len()
    }

    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.backends.iter().map(|one| (one.name.clone(), one.at)).collect()
    }

    pub fn names(&self) -> Vec<&str> {
        self.backends.iter().map(|one| one.name.as_str()).collect()
    }

    pub fn name(&self, backend: usize) -> &str {
        &self.backends[backend].name
    }

    pub fn start(&mut self, backend: usize) -> Result<()> {
        let one = &self.backends[backend];
        let mut command = self.command(&one.record, None);
        command.args(["--listen", &one.at.to_string()]);
        self.backends[backend].process = Some(started(command)?);
        self.ends(backend);
        Ok(())
    }

    /// All addresses in one process, so that it knows at each call what the others have.
    pub fn start_together(&mut self, record: &Path, memory: &Memory) -> Result<()> {
        self.backends.iter_mut().for_each(|one| one.process = None);
        let mut command = self.command(record, Some(memory));
        self.backends.iter().for_each(|one| _ = command.args(["--listen", &one.at.to_string()]));
        self.backends[0].process = Some(started(command)?);
        Ok(())
    }

    fn command(&self, record: &Path, memory: Option<&Memory>) -> Command {
        let mut command = Command::new(&self.tool);
        command.args(["chaos-backend", "--models", &self.models, "--record"]).arg(record);
        if let Some(Memory { models, load_ms, slots }) = memory {
            for (name, value) in [("memory", *models as u64), ("load-ms", *load_ms), ("slots", *slots as u64)] {
                command.args([format!("--{name}"), value.to_string()]);
            }
        }
        command
    }

    /// SIGKILL.
    pub fn kill(&mut self, backend: usize) -> Result<()> {
        self.begins(backend, Mode::Dead);
        if let Some(mut process) = self.backends[backend].process.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// Puts a backend into a mode; returns when it is in it.
    pub fn tell(&mut self, backend: usize, mode: Mode) -> Result<()> {
        match (mode, self.backends[backend].process.is_some()) {
            (Mode::Dead, _) => return self.kill(backend),
            (Mode::Well, false) => return self.start(backend),
            (_, false) => bail!("a dead backend cannot be told anything"),
            (Mode::Well, true) => {}
            _ => self.begins(backend, mode),
        }
        let process = self.backends[backend].process.as_mut().context("no process")?;
        process.say(mode.name())?;
        process.line()?;
        if mode == Mode::Well {
            self.ends(backend);
        }
        Ok(())
    }

    fn begins(&mut self, backend: usize, mode: Mode) {
        self.windows.push(Window { backend, mode, from: now_us(), to: u64::MAX });
    }

    fn ends(&mut self, backend: usize) {
        let lasting = self.windows.iter_mut().filter(|window| window.backend == backend && window.to == u64::MAX);
        lasting.for_each(|window| window.to = now_us());
    }

    /// Answers that the backends are giving now.
    pub fn open(&self) -> Result<u64> {
        let open = |one: &One| Ok(ask(one.at, "GET /bench/open HTTP/1.1", "")?.body.trim().parse::<u64>()?);
        self.backends.iter().map(open).sum()
    }

    /// Which backends each call came to, and how often in all a call came to a backend.
    pub fn calls(&self) -> Result<(BTreeMap<String, BTreeSet<usize>>, usize)> {
        let (mut calls, mut came) = (BTreeMap::<String, BTreeSet<usize>>::new(), 0);
        for (number, one) in self.backends.iter().enumerate() {
            for line in fs::read_to_string(&one.record).unwrap_or_default().lines() {
                if let Some(id) = line.strip_prefix("R ") {
                    calls.entry(id.to_owned()).or_default().insert(number);
                    came += 1;
                }
            }
        }
        Ok((calls, came))
    }
}

fn started(command: Command) -> Result<Tool> {
    let mut process = Tool::start(command)?;
    process.line()?;
    Ok(process)
}

pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
