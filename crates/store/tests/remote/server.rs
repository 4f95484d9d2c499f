//! A SurrealDB server of the test's own, with its data in a folder that goes with it. The server's tests use this file,
//! too.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(60);
pub const USER: &str = "root";
/// Every character that means something in an address.
const PASSWORD: &str = "p@ss:w/rd#1";
/// The same in an address.
pub const PASSWORD_IN_ADDRESS: &str = "p%40ss%3Aw%2Frd%231";

pub struct SurrealServer {
    folder: TempDir,
    address: SocketAddr,
    child: Option<Child>,
}

impl SurrealServer {
    pub fn start() -> Self {
        loop {
            // The server does not tell which port it took, so it gets one that was free a moment ago.
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let mut server = Self { folder: tempfile::tempdir().unwrap(), address, child: None };
            if server.run() {
                return server;
            }
        }
    }

    /// Address with the root user, and with `path` for namespace and database.
    pub fn url(&self, path: &str) -> String {
        format!("ws://{USER}:{PASSWORD_IN_ADDRESS}@{}{path}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it as a power switch would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again on the same data and port.
    pub fn start_again(&mut self) {
        assert!(self.run(), "the server does not start again");
    }

    /// Whether it came up.
    fn run(&mut self) -> bool {
        let data = self.folder.path().join("data");
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let mut child = Command::new(program())
            .args(["start", "--no-banner", "--log", "warn", "--user", USER, "--pass", PASSWORD, "--bind"])
            .arg(self.address.to_string())
            .arg(format!("surrealkv://{}", data.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let deadline = Instant::now() + DEADLINE;
        loop {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            if is_ready(self.address) {
                self.child = Some(child);
                return true;
            }
            assert!(Instant::now() < deadline, "the server does not get ready");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for SurrealServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// It listens before it can serve, and answers 503 meanwhile.
fn is_ready(address: SocketAddr) -> bool {
    let mut answer = String::new();
    let asked = TcpStream::connect(address).and_then(|mut stream| {
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    });
    asked.is_ok() && answer.split(' ').nth(1) == Some("200")
}

fn program() -> PathBuf {
    std::env::var_os("SURREALDB_SERVER").expect("SURREALDB_SERVER is not set: run `cargo xtask remote`").into()
}
