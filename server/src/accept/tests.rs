//! Callers that hold connections without using them, hundreds at once, with limits short enough to wait for.

use std::{future::pending, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use control::{
    Control, ControlConfig, EnvironmentSettings,
    command::{Command, Reply},
};
use domain::policy::PolicyEdit;
use gateway::Gateway;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use store::{Store, StoreConfig};
use testkit::{Ended, FakeOllama};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    runtime::Handle,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use url::Url;
use zeroize::Zeroizing;

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
    ending: Ending,
    gateway: Gateway,
    control: Control,
}

/// The pair of the gateway's tests: for `localhost`, signed by itself.
const CERTIFICATE: &[u8] = include_bytes!("../../../crates/gateway/src/backend/tests/tls/localhost.cert.der");
const KEY: &[u8] = include_bytes!("../../../crates/gateway/src/backend/tests/tls/localhost.key.der");

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der)).into_bytes()
}

impl Rig {
    /// That speaks TLS.
    async fn secured(patience: Patience) -> Self {
        let key = Zeroizing::new(pem("PRIVATE KEY", KEY));
        Self::with(patience, Vec::new(), |control| {
            control.take_tls_files(Ok((pem("CERTIFICATE", CERTIFICATE), key))).unwrap()
        })
        .await
    }

    async fn start(patience: Patience) -> Self {
        Self::with(patience, Vec::new(), |_| ()).await
    }

    /// With a backend, and a key for it.
    async fn in_front_of(backend: &FakeOllama, patience: Patience) -> (Self, String) {
        let rig = Self::with(patience, vec![backend.url()], |_| ()).await;
        let policy = PolicyEdit::default();
        rig.control.execute(Command::UserAdd { name: "ada".into(), policy: policy.clone() }).await.unwrap();
        let command =
            Command::KeyCreate { user: "ada".into(), name: "laptop".into(), requests: None, minutes: None, policy };
        let Reply::CreatedKey(created) = rig.control.execute(command).await.unwrap() else { panic!("no key") };
        rig.gateway.refresh(None).await;
        (rig, created.token)
    }

    async fn with(patience: Patience, ollama_servers: Vec<Url>, prepare: impl FnOnce(&Control)) -> Self {
        let (gateway, _) = Gateway::new(1);
        let store = Store::open(&StoreConfig { address: "mem://".into() }).await.unwrap();
        let config = ControlConfig {
            data_dir: PathBuf::new(),
            secret_key: Some("a secret of this test, long enough".into()),
            secret_key_previous: None,
            admin: None,
            ollama_servers,
            listens: Vec::new(),
            environment: EnvironmentSettings::default(),
        };
        let control = Control::open(config, store, gateway.clone()).await.unwrap();
        prepare(&control);
        let edge = Edge {
            gateway: gateway.clone(),
            admin: AdminPlane::new(Handle::current(), control.clone(), gateway.clone(), CancellationToken::new())
                .unwrap(),
            control: control.clone(),
            proxies: TrustedProxies::new(Vec::new()),
            readiness: Readiness::default(),
            tls: TlsDoor::new(control.clone()).unwrap(),
            places: Places::new(Limits { all: 10_000, per_address: 10_000 }),
            planes: Planes::Both,
            transport: Transport::Plain,
        };
        edge.readiness.set(true);
        let socket = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = socket.local_addr().unwrap();
        let (connections, ending) = (TaskTracker::new(), Ending::default());
        let listener = Listener { socket, handed_over: false };
        let served = Connections { tasks: connections.clone(), lanes: Lanes::new([Handle::current()]) };
        tokio::spawn(run(listener, Arc::new(edge), served, ending.clone(), patience));
        Self { address, connections, ending, gateway, control }
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
        self.ending.begin();
        self.ending.cut();
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
async fn dribble(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: impl Iterator<Item = u8>) -> bool {
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
async fn until_closed(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &'static [u8]) -> bool {
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer.starts_with(b"HTTP/1.1 200")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_callers_that_never_finish_a_head_are_closed_while_others_are_served() {
    let rig = Rig::start(Patience {
        head: Duration::from_secs(1),
        idle: Duration::from_secs(1),
        handshake: NEVER,
        write: NEVER,
    })
    .await;
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
async fn a_connection_is_kept_longer_than_a_head_may_take() {
    let rig =
        Rig::start(Patience { head: Duration::from_millis(200), idle: NEVER, handshake: NEVER, write: NEVER }).await;
    let mut kept = rig.connect().await;
    kept.write_all(ALIVE).await.unwrap();
    answer(&mut kept).await;
    // Whoever has said nothing by the time is closed, and so is whoever began a second head; they came later than the kept one.
    assert!(!until_closed(rig.connect().await, b"").await);
    let mut second = rig.connect().await;
    second.write_all(ALIVE).await.unwrap();
    answer(&mut second).await;
    assert!(!until_closed(second, &ALIVE[..20]).await);
    kept.write_all(ALIVE).await.unwrap();
    assert!(answer(&mut kept).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_take_nothing_of_their_answers_are_let_go() {
    let rig =
        Rig::start(Patience { head: NEVER, idle: NEVER, handshake: NEVER, write: Duration::from_millis(200) }).await;
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

/// R09. As the threads of the admin plane have: the engine recurses deeply.
fn deep(test: impl Future<Output = ()> + Send + 'static) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).thread_stack_size(10 << 20).enable_all().build().unwrap();
    runtime.block_on(runtime.spawn(test)).unwrap();
}

#[test]
fn a_caller_that_takes_nothing_of_a_stream_is_cut_and_its_backend_is_free() {
    deep(async {
        // More than all sockets on the way hold.
        let ollama = FakeOllama::builder().models(["llama3.2"]).chunks(2_000).start().await;
        ollama.set(|script| script.padding = 16 * 1024);
        let patience = Patience { head: NEVER, idle: NEVER, handshake: NEVER, write: Duration::from_millis(200) };
        let (rig, key) = Rig::in_front_of(&ollama, patience).await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut stream = socket.connect(rig.address).await.unwrap();
        let question = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;
        let length = question.len();
        let request = format!(
            "POST /api/chat HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {length}\r\n\r\n{question}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
        rig.assert_all_ended().await;
        assert_eq!(rig.gateway.in_flight(), 0);
        ollama.wait_for(|seen| seen.inference().all(|request| request.ended == Some(Ended::CallerGone))).await;
    });
}

/// What stands behind a request keeps hyper from reading on, and so from seeing the end.
#[tokio::test]
async fn a_caller_that_sent_more_and_left_lets_its_backend_go() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).held().start().await;
    let (rig, key) = Rig::in_front_of(&ollama, Patience::default()).await;
    let question = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;
    let length = question.len();
    for (number, more) in ["\r\n", "GET /api/tags HTTP/1.1\r\nhost: x\r\n\r\n"].into_iter().enumerate() {
        let mut stream = rig.connect().await;
        let request = format!(
            "POST /api/chat HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {length}\r\n\r\n{question}{more}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        ollama.wait_for(|seen| seen.inference().count() == number + 1).await;
        drop(stream);
        ollama.wait_for(|seen| seen.inference().all(|request| request.ended == Some(Ended::CallerGone))).await;
        rig.assert_all_ended().await;
        assert_eq!(rig.gateway.in_flight(), 0);
    }
}

/// A finished handshake.
async fn secure(stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CERTIFICATE.into()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// A handshake's first bytes: a record that announces 512 bytes, and the beginning of a hello.
const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_callers_that_never_finish_a_handshake_are_closed_while_others_are_served() {
    let rig =
        Rig::secured(Patience { head: NEVER, idle: NEVER, handshake: Duration::from_secs(1), write: NEVER }).await;
    let mut crowd = JoinSet::new();
    for number in 0..300 {
        let stream = rig.connect().await;
        match number % 3 {
            0 => crowd.spawn(until_closed(stream, b"")),
            1 => crowd.spawn(until_closed(stream, HELLO)),
            // Never silent, never done.
            _ => crowd.spawn(dribble(stream, HELLO.iter().copied().chain(std::iter::repeat(0)))),
        };
    }
    let mut good = secure(rig.connect().await).await.unwrap();
    good.write_all(ALIVE).await.unwrap();
    let mut begin = [0; 12];
    good.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    while let Some(ended) = timeout(DEADLINE, crowd.join_next()).await.expect("a connection is held for ever") {
        assert!(!ended.unwrap(), "nobody of them was answered");
    }
    drop(good);
    rig.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_over_tls_that_never_finish_a_head_are_closed_too() {
    let rig = Rig::secured(Patience {
        head: Duration::from_secs(1),
        idle: Duration::from_secs(1),
        handshake: NEVER,
        write: NEVER,
    })
    .await;
    let mut crowd = JoinSet::new();
    for number in 0..60 {
        // On a starved machine the patience may be over before the handshake is.
        let Ok(stream) = secure(rig.connect().await).await else { continue };
        match number % 4 {
            0 => crowd.spawn(until_closed(stream, b"")),
            1 => crowd.spawn(until_closed(stream, &ALIVE[..20])),
            2 => crowd.spawn(dribble(stream, b"GET / HTTP/1.1\r\nx: ".iter().copied().chain(std::iter::repeat(b'y')))),
            _ => crowd.spawn(until_closed(stream, ALIVE)),
        };
    }
    let mut answered = 0;
    while let Some(ended) = timeout(DEADLINE, crowd.join_next()).await.expect("a connection is held for ever") {
        answered += usize::from(ended.unwrap());
    }
    assert!(answered > 0, "those that asked were answered first");
    rig.assert_all_ended().await;
}
