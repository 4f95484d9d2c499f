//! A real redis-server in a folder of its own: a door on loopback leads to its socket, which tests shut, hold and slow
//! down. It has a TCP port only where it speaks TLS, and the door leads there then. The server is killed, stopped and
//! started again by its process id.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::task::AbortOnDropHandle;

use crate::certificates::Pair;

const DEADLINE: Duration = Duration::from_secs(20);

/// What the door does with what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Open,
    /// Connections are cut, new ones too.
    Shut,
    /// Bytes are taken and go nowhere.
    Hold,
    /// Answers come this much later.
    Slow(Duration),
}

/// A running server; ends with the test.
pub struct RedisServer {
    folder: PathBuf,
    arguments: Vec<String>,
    child: Option<Child>,
    /// Of the door.
    port: u16,
    /// Where it speaks TLS itself.
    secured: watch::Sender<Option<u16>>,
    door: watch::Sender<Door>,
    _relay: AbortOnDropHandle<()>,
}

impl RedisServer {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// That speaks TLS with this pair.
    pub async fn secured(pair: &Pair) -> Self {
        let mut server =
            Self::make(&["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-auth-clients", "no"]).await;
        pair.write(&server.folder);
        server.secured.send_replace(Some(0));
        server.restart().await;
        server
    }

    /// With more arguments, for example `["--requirepass", "secret"]`.
    pub async fn with(arguments: &[&str]) -> Self {
        let mut server = Self::make(arguments).await;
        server.restart().await;
        server
    }

    /// Not started yet.
    async fn make(arguments: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("redis-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder for redis-server");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of its own");
        let port = listener.local_addr().expect("its address").port();
        let (door, seen) = watch::channel(Door::Open);
        let (secured, behind) = watch::channel(None);
        let relay = AbortOnDropHandle::new(tokio::spawn(relay(listener, folder.join("socket"), behind, seen)));
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { folder, arguments, child: None, port, secured, door, _relay: relay }
    }

    /// Kills it, if it runs, and starts it again with nothing in it.
    pub async fn restart(&mut self) {
        self.kill();
        let socket = self.socket();
        let deadline = Instant::now() + DEADLINE;
        while !self.spawn(&socket).await {
            assert!(Instant::now() < deadline, "redis-server did not start");
        }
    }

    /// Whether it runs. A port that was free a moment ago may be taken: then it ends, and gets another.
    async fn spawn(&mut self, socket: &Path) -> bool {
        let _ = std::fs::remove_file(socket);
        let mut tls = Vec::new();
        if self.secured.borrow().is_some() {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let port = listener.local_addr().expect("its address").port();
            self.secured.send_replace(Some(port));
            tls = vec!["--bind".to_owned(), "127.0.0.1".to_owned(), "--tls-port".to_owned(), port.to_string()];
        }
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no", "--unixsocket"])
            .arg(socket)
            .arg("--dir")
            .arg(&self.folder)
            .args(&self.arguments)
            .args(tls)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = self.child.insert(child.expect("redis-server is installed"));
        while UnixStream::connect(socket).await.is_err() {
            if child.try_wait().expect("a child").is_some() {
                self.child = None;
                return false;
            }
            sleep(Duration::from_millis(10)).await;
        }
        true
    }

    /// Starts it again with another pair.
    pub async fn renew(&mut self, pair: &Pair) {
        pair.write(&self.folder);
        self.restart().await;
    }

    /// As a power switch would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops the process without ending it, as SIGSTOP does, or lets it go on.
    pub fn freeze(&self, frozen: bool) {
        let child = self.child.as_ref().expect("a running redis-server");
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").arg(signal).arg(child.id().to_string()).status();
        assert!(status.expect("kill").success());
    }

    pub fn door(&self, door: Door) {
        let _ = self.door.send(door);
    }

    /// Its address through the door.
    pub fn url(&self) -> url::Url {
        format!("redis://127.0.0.1:{}/0", self.port).parse().expect("an address")
    }

    /// The same over TLS, by this name.
    pub fn secured_url(&self, host: &str) -> url::Url {
        format!("rediss://{host}:{}/0", self.port).parse().expect("an address")
    }

    /// Its socket, past the door.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// What redis-cli prints for a command, past the door.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").arg("-s").arg(self.socket()).args(arguments).output();
        String::from_utf8_lossy(&output.expect("redis-cli is installed").stdout).trim().to_owned()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn relay(
    listener: TcpListener,
    socket: PathBuf,
    secured: watch::Receiver<Option<u16>>,
    door: watch::Receiver<Door>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (socket, secured, door) = (socket.clone(), *secured.borrow(), door.clone());
        tokio::spawn(async move {
            match secured {
                Some(port) => {
                    let Ok(inside) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    let _ = inside.set_nodelay(true);
                    pass(stream, inside, door).await;
                }
                None => {
                    let Ok(inside) = UnixStream::connect(socket).await else { return };
                    pass(stream, inside, door).await;
                }
            }
        });
    }
}

async fn pass(mut outside: TcpStream, inside: impl AsyncRead + AsyncWrite, door: watch::Receiver<Door>) {
    let _ = outside.set_nodelay(true);
    let (mut from_outside, mut to_outside) = outside.split();
    let (mut from_inside, mut to_inside) = tokio::io::split(inside);
    let mut watched = door.clone();
    tokio::select! {
        () = copy(&mut from_outside, &mut to_inside, door.clone(), false) => {}
        () = copy(&mut from_inside, &mut to_outside, door, true) => {}
        _ = watched.wait_for(|door| *door == Door::Shut) => {}
    }
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut door: watch::Receiver<Door>,
    answers: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if door.wait_for(|door| *door != Door::Hold).await.is_err() {
            return;
        }
        let state = *door.borrow();
        if let (Door::Slow(by), true) = (state, answers) {
            sleep(by).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
