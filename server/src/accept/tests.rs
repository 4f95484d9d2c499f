//! Callers that hold connections without using them, hundreds at once, with limits short enough to wait for.

use std::{future::pending, path::PathBuf};

use control::{Control, ControlConfig, EnvironmentSettings};
use gateway::Gateway;
use store::{Store, StoreConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Handle,
    task::JoinSet,
    time::timeout,
};

use super::{
    places::{Limits, Places},
    *,
};
use crate::{
    admin_plane::AdminPlane,
    edge::{Planes, Readiness, Transport},
    proxies::TrustedProxies,
    tls::TlsDoor,
};

/// Longest wait for what must happen.
const DEADLINE: Duration = Duration::from_secs(60);
/// A limit that no test reaches.
const NEVER: Duration = Duration::from_secs(3600);
const ALIVE: &[u8] = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";

struct Rig {
    address: SocketAddr,
    connections: TaskTracker,
    stop: CancellationToken,
}

impl Rig {
    async fn start(patience: Patience) -> Self {
        let (gateway, _) = Gateway::new(1);
        let store = Store::open(&StoreConfig { address: "mem://".into() }).await.unwrap();
        let config = ControlConfig {
            data_dir: PathBuf::new(),
            secret_key: Some("a secret of this test, long enough".into()),
            admin: None,
            ollama_servers: Vec::new(),
            listens: Vec::new(),
            environment: EnvironmentSettings::default(),
        };
        let control = Control::open(config, store, gateway.clone()).await.unwrap();
        let stop = CancellationToken::new();
        let edge = Edge {
            gateway,
            admin: AdminPlane::new(Handle::current(), control.clone(), stop.clone()).unwrap(),
            control: control.clone(),
            proxies: TrustedProxies::new(Vec::new()),
            readiness: Readiness::default(),
            tls: TlsDoor::new(control).unwrap(),
            places: Places::new(Limits { all: 10_000, per_address: 10_000 }),
            planes: Planes::Both,
            transport: Transport::Plain,
        };
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let connections = TaskTracker::new();
        tokio::spawn(run(listener, Arc::new(edge), connections.clone(), stop.clone(), patience));
        Self { address, connections, stop }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A caller that does as it should is answered.
    async fn assert_serves(&self) {
        let mut stream = self.connect().await;
        stream.write_all(ALIVE).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    }

    /// Waits until the server has let go of every connection.
    async fn assert_all_ended(&self) {
        let looks = async {
            while !self.connections.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(DEADLINE, looks).await.unwrap_or_else(|_| panic!("{} connections are held", self.connections.len()));
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The head of one answer.
async fn answer(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 4096];
    let mut text = String::new();
    while !text.contains("\r\n\r\n") {
        let read = timeout(DEADLINE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(read > 0, "closed after {text:?}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    text
}

/// Sends one byte of `bytes` after the other, slowly, until the server hangs up; ends with the test if it never does.
async fn dribble(mut stream: TcpStream, bytes: impl Iterator<Item = u8>) -> bool {
    let mut buffer = [0; 512];
    for byte in bytes {
        if stream.write_all(&[byte]).await.is_err() {
            return false;
        }
        if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_millis(5), stream.read(&mut buffer)).await {
            return false;
        }
    }
    pending().await
}

/// Sends `bytes`, then nothing, and reads until the server hangs up. On a starved machine that may be before the bytes
/// were seen, so a failed write and a reset are a close too. Whether there was an answer.
async fn until_closed(mut stream: TcpStream, bytes: &'static [u8]) -> bool {
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer.starts_with(b"HTTP/1.1 200")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_callers_that_never_finish_a_head_are_closed_while_others_are_served() {
    let rig = Rig::start(Patience { head: Duration::from_secs(1), handshake: NEVER, write: NEVER }).await;
    let mut crowd = JoinSet::new();
    for number in 0..400 {
        let stream = rig.connect().await;
        match number % 4 {
            0 => crowd.spawn(until_closed(stream, b"")),
            1 => crowd.spawn(until_closed(stream, &ALIVE[..20])),
            // Never silent, never done.
            2 => crowd.spawn(dribble(stream, b"GET / HTTP/1.1\r\nx: ".iter().copied().chain(std::iter::repeat(b'y')))),
            // Idle after an answer.
            _ => crowd.spawn(until_closed(stream, ALIVE)),
        };
    }
    rig.assert_serves().await;
    let mut answered = 0;
    while let Some(ended) = timeout(DEADLINE, crowd.join_next()).await.expect("a connection is held for ever") {
        answered += usize::from(ended.unwrap());
    }
    assert!(answered > 0, "the idle ones were answered first");
    rig.assert_serves().await;
    rig.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_take_nothing_of_their_answers_are_let_go() {
    let rig = Rig::start(Patience { head: NEVER, handshake: NEVER, write: Duration::from_millis(200) }).await;
    let large = crate::assets::manifest().unwrap().wasm;
    let request = format!("GET {large} HTTP/1.1\r\nhost: x\r\naccept-encoding: identity\r\n\r\n");
    // More than both sides' buffers take.
    let requests = request.repeat(40);
    let mut crowd = Vec::new();
    for _ in 0..20 {
        let mut stream = rig.connect().await;
        stream.write_all(requests.as_bytes()).await.unwrap();
        crowd.push(stream);
    }
    rig.assert_serves().await;
    rig.assert_all_ended().await;
}
