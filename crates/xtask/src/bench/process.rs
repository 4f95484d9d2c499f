//! Starting the tools of `crates/bench`, and foreign programs under its keeper. Everything ends with the value that stands
//! for it, and, because each holds the other end of a pipe, with this process, however that ends.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::proc;

/// Longest wait for what takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program to start, with nothing of our environment but what is named here.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub folder: PathBuf,
}

/// A tool of `crates/bench` that talks in JSON lines.
pub struct Tool {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Tool {
    pub fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("tool of the bench")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("no standard output")?;
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// The next line; a fault in it is an error.
    pub fn line(&mut self) -> Result<Value> {
        let mut text = String::new();
        if self.output.read_line(&mut text)? == 0 {
            bail!("a tool of the bench ended without a word");
        }
        let line: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        match line["fault"].as_str() {
            Some(fault) => Err(anyhow!("{fault}")),
            None => Ok(line),
        }
    }

    fn tell(&mut self) -> Result<()> {
        self.say("")
    }

    /// Gives it a line.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("the tool's input is closed")?;
        Ok(input.write_all(format!("{line}\n").as_bytes())?)
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        // The tool ends when its input does; a load ends by itself when it is done.
        self.input = None;
        let _ = self.child.wait();
    }
}

/// The mock backend, with one address per proxy so that they share no ports.
pub struct Mock {
    _tool: Tool,
    /// Where it is asked about itself.
    own: SocketAddr,
    addresses: VecDeque<SocketAddr>,
}

impl Mock {
    pub fn start(bench: &Path, ports: usize) -> Result<Self> {
        let mut command = Command::new(bench);
        command.args(["mock", "--ports", &(ports + 1).to_string()]);
        let mut tool = Tool::start(command)?;
        let line = tool.line()?;
        let addresses = line["addresses"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut addresses = addresses.map(str::parse).collect::<Result<VecDeque<_>, _>>()?;
        let own = addresses.pop_back().context("the mock has no address")?;
        Ok(Self { _tool: tool, own, addresses })
    }

    /// Waits until no stream is open; one that stays is a leak of whatever stands in front.
    pub fn wait_until_closed(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let open = self.open()?;
            if open == 0 {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                bail!("{open} streams are still open {} s after their clients went", PATIENCE.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn open(&self) -> Result<usize> {
        let mut stream = TcpStream::connect(self.own)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /bench/open HTTP/1.1\r\nhost: mock\r\n\r\n")?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("the mock's answer has no body")?;
        Ok(body.parse()?)
    }

    /// An address that nobody else got.
    pub fn address(&mut self) -> Result<SocketAddr> {
        self.addresses.pop_front().context("the mock has no address left")
    }
}

/// A program under the keeper.
pub struct Kept {
    tool: Tool,
    pub pid: u32,
    /// When it was started, in microseconds since 1970.
    pub at_us: u64,
    log: PathBuf,
}

impl Kept {
    pub fn start(bench: &Path, log: &Path, launch: &Launch) -> Result<Self> {
        let mut command = Command::new(bench);
        command.arg("keep").arg("--log").arg(log).arg(&launch.program).arg("--").args(&launch.arguments);
        command.current_dir(&launch.folder).env_clear().envs(path());
        command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
        let mut tool = Tool::start(command)?;
        let line = tool.line()?;
        let pid =
            line["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).context("the keeper names no process")?;
        Ok(Self { tool, pid, at_us: line["at_us"].as_u64().unwrap_or_default(), log: log.to_owned() })
    }

    /// Ends it in order; a program that would not, or that had ended before, is an error.
    pub fn end(mut self) -> Result<()> {
        self.tool.input = None;
        let said = self.tool.line().map(drop);
        said.with_context(|| self.said())
    }

    /// The last lines of its log.
    pub fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

/// One run of the loader.
#[derive(Debug)]
pub struct Run {
    pub answers: f64,
    pub chunks: f64,
    /// Waits in milliseconds.
    pub waits: Vec<f64>,
}

/// Where a load goes.
#[derive(Clone, Debug)]
pub struct Aim {
    pub to: SocketAddr,
    pub key: Option<String>,
}

impl Aim {
    fn load(&self, bench: &Path, arguments: &[String]) -> Result<Tool> {
        let mut command = Command::new(bench);
        command.args(["load", "--to", &self.to.to_string()]).args(arguments).env_remove("BENCH_KEY");
        if let Some(key) = &self.key {
            command.env("BENCH_KEY", key);
        }
        Tool::start(command)
    }

    /// Runs a bounded load to its end. Any answer that was not right is an error: a run with errors has no figures.
    pub fn run(&self, bench: &Path, arguments: &[String]) -> Result<Run> {
        let line = self.load(bench, arguments)?.line()?;
        let number = |name: &str| line[name].as_f64().unwrap_or_default();
        let faults = number("faults");
        if faults > 0.0 {
            bail!("{faults} faults");
        }
        let samples = line["samples_ns"].as_array().into_iter().flatten().filter_map(Value::as_f64);
        let run =
            Run { answers: number("answers"), chunks: number("chunks"), waits: samples.map(|ns| ns / 1e6).collect() };
        if run.answers == 0.0 {
            bail!("not one answer");
        }
        Ok(run)
    }

    /// Asks from now on; [`First::came`] waits for the first right answer.
    pub fn first(&self, bench: &Path) -> Result<First> {
        Ok(First(self.load(bench, &["first".to_owned()])?))
    }

    /// Opens streams and waits until each gave its first chunk.
    pub fn hold(&self, bench: &Path, streams: u64) -> Result<Held> {
        let mut tool = self.load(bench, &["hold".to_owned(), "--streams".to_owned(), streams.to_string()])?;
        tool.line()?;
        Ok(Held(tool))
    }
}

pub struct First(Tool);

impl First {
    /// When the first right answer came, in microseconds since 1970.
    pub fn came(mut self) -> Result<u64> {
        self.0.line()?["at_us"].as_u64().context("the loader names no moment")
    }
}

/// Open streams.
pub struct Held(Tool);

impl Held {
    /// Lets go; a stream that broke while it was held is an error.
    pub fn let_go(mut self) -> Result<()> {
        self.0.tell()?;
        self.0.line().map(drop)
    }
}

/// Exists so that a program without an environment still finds others.
fn path() -> Option<(&'static str, OsString)> {
    std::env::var_os("PATH").map(|path| ("PATH", path))
}

/// A program's whole CPU time and memory.
impl Kept {
    pub fn cpu(&self) -> Result<proc::CpuTimes> {
        proc::CpuTimes::of(self.pid).with_context(|| self.said())
    }

    pub fn memory(&self) -> Result<proc::Memory> {
        proc::memory(self.pid).with_context(|| self.said())
    }
}
