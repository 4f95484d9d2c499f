//! The tests that need a SurrealDB server: builds one into `.tools` (once; it takes long, so this is no part of
//! `cargo xtask test`), starts it on loopback and runs the tests of the packages that have them.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    assets, lint,
    run::{cargo, command, root, run, step},
};

const MANIFEST: &str = include_str!("../remote/Cargo.toml");
const PROGRAM: &str = include_str!("../remote/main.rs");
const USER: &str = "root";
const PASSWORD: &str = "correct-horse";
/// A start takes a second or two.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn remote() -> Result<()> {
    let program = step("SurrealDB server (the first time takes about a quarter of an hour)", server)?;
    assets::build()?;
    step("binaries", || run(cargo().arg("build").args(lint::NATIVE)))?;
    let data = root().join(".tools/surrealdb/data");
    let running = Running::start(&program, &data)?;
    step("tests on a SurrealDB server", || {
        run(cargo()
            .args(["test", "--no-fail-fast"])
            .args(lint::NATIVE)
            // Each of several tests at once has a server of its own, unoptimised.
            .args(["--test", "remote", "--", "--test-threads", "2"])
            .env("SURREALDB_SERVER", &program)
            .env("SURREALDB_URL", format!("ws://{USER}:{PASSWORD}@{}", running.address)))
    })
}

/// Path of the server, built unless the very same one was built before.
fn server() -> Result<PathBuf> {
    let folder = root().join(".tools/surrealdb");
    let program = folder.join("surreal");
    let stamp = folder.join("built-from");
    let wanted = format!("{MANIFEST}{PROGRAM}");
    if program.is_file() && fs::read_to_string(&stamp).is_ok_and(|built| built == wanted) {
        return Ok(program);
    }
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), MANIFEST)?;
    fs::write(folder.join("src/main.rs"), PROGRAM)?;
    // The versions that the program itself is built with, as far as both use the same.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let target = folder.join("target");
    run(cargo().current_dir(&folder).arg("build").arg("--target-dir").arg(&target))?;
    fs::copy(target.join("debug/surrealdb-test-server"), &program)?;
    fs::write(stamp, wanted)?;
    // Several gigabytes that nobody needs again.
    fs::remove_dir_all(target)?;
    Ok(program)
}

/// The server that most tests share, each in a database of its own; ends with the value.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    fn start(program: &Path, data: &Path) -> Result<Self> {
        if data.exists() {
            fs::remove_dir_all(data)?;
        }
        // It does not tell which port it took, so it gets one that was free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = command(program)
            .args(["start", "--no-banner", "--log", "warn", "--user", USER, "--pass", PASSWORD, "--bind"])
            .arg(address.to_string())
            .arg(format!("surrealkv://{}", data.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| program.display().to_string())?;
        let mut running = Self { child, address };
        let start = Instant::now();
        while !is_ready(address) {
            if let Some(status) = running.child.try_wait()? {
                bail!("the SurrealDB server ended: {status}");
            }
            if start.elapsed() > PATIENCE {
                bail!("the SurrealDB server does not get ready");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(running)
    }
}

/// It listens before it can serve, and answers 503 meanwhile.
fn is_ready(address: SocketAddr) -> bool {
    let mut answer = String::new();
    let asked = TcpStream::connect(address).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    });
    asked.is_ok() && answer.split(' ').nth(1) == Some("200")
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
