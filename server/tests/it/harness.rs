//! A folder to run the binary in, the running server, and waiting for what can be observed.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use domain::key::{KEY_LENGTH, parse_key};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longest wait for anything. Only a broken program or a starved machine gets there.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Variables whose values nobody may read.
const SECRET: [&str; 4] = ["ADMIN_PASSWORD", "SECRET_KEY", "SECRET_KEY_PREVIOUS", "METRICS_TOKEN"];
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A working directory with an environment of its own.
pub struct Home {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// What a finished process left.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    pub fn new() -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() };
        home.with("PROXY_PORT", "0")
    }

    /// Sets a variable for everything run from here.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub fn socket(&self) -> PathBuf {
        self.data().join("control.sock")
    }

    /// `program` in this folder and environment, and nothing of ours.
    pub fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_ollama-fortress"), arguments)
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().unwrap();
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs the binary to its end with `input` on its standard input.
    pub fn run_with(&self, input: &str, arguments: &[&str]) -> Outcome {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed; its standard output without the last line break.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {outcome:?}");
        outcome.stdout.trim_end().to_owned()
    }

    /// The array that a command prints with `--json`.
    pub fn json(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.ok(&arguments)).unwrap()
    }

    /// The names in a list that a command prints.
    pub fn names(&self, arguments: &[&str]) -> Vec<String> {
        self.json(arguments).iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Starts the server and waits until it says where it is.
    pub fn start(&self) -> Server {
        self.start_command(self.command(&["serve"]))
    }

    /// As [`start`](Self::start), with a command that becomes the server.
    pub fn start_command(&self, mut command: Command) -> Server {
        if !self.environment.iter().any(|(name, _)| name == "LOG_LEVEL") {
            // The whole suite is a search for secrets: what a test makes the server do is logged as talkatively as can be,
            // and looked through when the server has ended.
            command.env("LOG_LEVEL", "trace");
        }
        let log = self.path().join("stderr.log");
        let append = fs::File::options().create(true).append(true).open(&log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(append).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        let secrets = self.environment.iter().filter(|(name, _)| SECRET.contains(&name.as_str()));
        let secrets = secrets.map(|(_, value)| value.clone()).filter(|value| value.len() > 7).collect();
        let mut server = Server { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), lines, log, secrets };
        let first = server.line();
        let (_, address) = first.rsplit_once("://").unwrap_or_else(|| panic!("no address in {first:?}"));
        server.address = address.parse().unwrap();
        server
    }
}

/// The files under a folder that are there; another server may be at work in it.
fn read_all(folder: &Path, files: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => read_all(&entry.path(), files),
            Ok(kind) if kind.is_file() => files.extend(fs::read(entry.path())),
            _ => {}
        }
    }
}

fn is_key(text: Option<&[u8]>) -> bool {
    text.and_then(|text| std::str::from_utf8(text).ok()).is_some_and(|text| parse_key(text).is_ok())
}

/// A running server; ends with the test.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    lines: mpsc::Receiver<String>,
    log: PathBuf,
    /// What it was started with and nobody may read.
    secrets: Vec<String>,
}

impl Server {
    /// The next line it prints.
    pub fn line(&mut self) -> String {
        self.lines.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("the server said nothing; its log: {}", self.log()))
    }

    /// Everything it and its predecessors in this folder logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the process to end; its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let child = &mut self.child;
        let status = until("the server ends", || child.try_wait().unwrap());
        status.code()
    }

    /// Ends it in order.
    pub fn stop(mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.wait(), Some(0), "{}", self.log());
    }

    /// Ends it as a power switch would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends `bytes` on a connection of its own and reads what comes until the server closes it.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = std::net::TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Looks for secrets in what it logged and in its data folder: keys, hashes of passwords, what it was started with.
    fn search(&self) {
        let data = self.log.with_file_name("data");
        let mut places = vec![fs::read(&self.log).unwrap_or_default()];
        let hashed = memchr::memmem::find(&places[0], b"$argon2").is_some();
        assert!(!hashed, "the hash of a password is in the log");
        read_all(&data, &mut places);
        for bytes in &places {
            let key = memchr::memmem::find_iter(bytes, b"op_").find(|&at| is_key(bytes.get(at..at + KEY_LENGTH)));
            assert!(key.is_none(), "a key is in the log or the data folder of {}", self.log.display());
            for secret in &self.secrets {
                let found = memchr::memmem::find(bytes, secret.as_bytes()).is_some();
                assert!(!found, "a secret of the environment is in the log or the data folder");
            }
        }
    }

    /// New connections are refused.
    pub fn is_closed(&self) -> bool {
        std::net::TcpStream::connect(self.address).is_err()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !thread::panicking() {
            self.search();
        }
    }
}

/// Looks until there is something, or fails.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(LOOK);
    }
}

/// A client that follows nothing and asks no proxy.
pub fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(DEADLINE).build().unwrap()
}

/// Waits until the gateway lists `model` for `key`; how many requests that took.
pub async fn until_listed(server: &Server, key: &str, model: &str) -> u64 {
    let mut requests = 0;
    let deadline = Instant::now() + DEADLINE;
    loop {
        let answer = http().get(server.url("/api/tags")).bearer_auth(key).send().await.unwrap().text().await.unwrap();
        requests += 1;
        if answer.contains(model) {
            return requests;
        }
        assert!(Instant::now() < deadline, "{model} never appeared: {answer}; log: {}", server.log());
        tokio::time::sleep(LOOK).await;
    }
}

/// A home with a user and its key; the key's text.
pub fn home_with_key() -> (Home, String) {
    let home = Home::new();
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    (home, key)
}
