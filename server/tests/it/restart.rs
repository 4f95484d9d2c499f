//! R26. A restart that nobody notices: the port stays open in whoever started the server, and callers wait there until the
//! next process lets them in. Here the test is that service manager.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use testkit::FakeOllama;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use crate::harness::{DEADLINE, Home, Server, home_with_key, until_listed};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ollama-fortress");
const QUESTION: &str = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;

/// How often the server is restarted, and what it is asked meanwhile.
struct Plan {
    restarts: usize,
    /// Requests that must have been answered between two restarts.
    between: usize,
    callers: usize,
    /// From one request of a caller to its next; what is missed is made up for. `None`: as fast as they are answered.
    every: Option<Duration>,
}

impl Plan {
    /// As much as fits into a few seconds. `RESTARTS=20` in the environment asks for so many restarts at 200 requests a
    /// second, as the row has it, and for the figures.
    fn of_now() -> (Self, bool) {
        match std::env::var("RESTARTS").ok().map(|text| text.parse().expect("RESTARTS is a number")) {
            None => (Self { restarts: 8, between: 40, callers: 8, every: None }, false),
            Some(restarts) => {
                (Self { restarts, between: 200, callers: 80, every: Some(Duration::from_millis(400)) }, true)
            }
        }
    }
}

/// A command that becomes the server with `socket` as its third file, as systemd does it.
fn activated(home: &Home, socket: impl Into<OwnedFd>, names: &str) -> Command {
    let script = "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" serve 3<&0 0</dev/null";
    let mut command = home.command_of("sh", &["-c", script, PROGRAM]);
    command.stdin(Stdio::from(socket.into())).env("LISTEN_FDNAMES", names);
    command
}

fn start(home: &Home, listener: &TcpListener) -> Server {
    home.start_command(activated(home, listener.try_clone().unwrap(), "ollama-fortress.socket"))
}

/// Asks once on `stream`; whether the connection may be used again. Nothing is tried twice.
async fn ask(stream: &mut TcpStream, key: &str) -> bool {
    let head = "POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let length = QUESTION.len();
    let text = format!("{head}authorization: Bearer {key}\r\ncontent-length: {length}\r\n\r\n{QUESTION}");
    stream.write_all(text.as_bytes()).await.expect("the request is taken");
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while !answer.ends_with(b"0\r\n\r\n") {
        let read = timeout(DEADLINE, stream.read(&mut buffer)).await.expect("an answer in time").expect("no reset");
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..read]);
        assert!(answer.len() < 13 || answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains(r#""done":true"#), "{answer}");
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    !head.contains("connection: close")
}

/// Asks one after the other until it is told to stop, on kept connections or each time on a new one.
async fn caller(
    address: SocketAddr,
    key: String,
    (keeps, every): (bool, Option<Duration>),
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
) {
    let (mut kept, mut pace) = (None, every.map(tokio::time::interval));
    while !stop.load(SeqCst) {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => TcpStream::connect(address).await.expect("no connection is refused"),
        };
        if ask(&mut stream, &key).await && keeps {
            kept = Some(stream);
        }
        answered.fetch_add(1, SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_under_load_refuse_and_lose_nothing() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).chunks(3).start().await;
    let (home, key) = home_with_key();
    let (plan, tells) = Plan::of_now();
    // Figures are of the server, and not of its log.
    let home = if tells { home.with("LOG_LEVEL", "warn") } else { home };
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut server = start(&home, &listener);
    assert_eq!(server.address, listener.local_addr().unwrap());
    let listed = until_listed(&server, &key, "llama3.2").await;
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut callers = JoinSet::new();
    for number in 0..plan.callers {
        let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
        callers.spawn(caller(server.address, key.clone(), (number % 2 == 0, plan.every), stop, answered));
    }
    let under_load = async || {
        let (wanted, deadline) = (answered.load(SeqCst) + plan.between, Instant::now() + DEADLINE);
        while answered.load(SeqCst) < wanted {
            assert!(Instant::now() < deadline, "nothing is answered any more");
            tokio::task::yield_now().await;
        }
    };
    let (begun, before) = (Instant::now(), answered.load(SeqCst));
    for _ in 0..plan.restarts {
        under_load().await;
        server.signal(rustix::process::Signal::TERM);
        assert_eq!(tokio::task::block_in_place(|| server.wait()), Some(0), "{}", server.log());
        server = tokio::task::block_in_place(|| start(&home, &listener));
    }
    under_load().await;
    if tells {
        let (count, seconds) = (answered.load(SeqCst) - before, begun.elapsed().as_secs_f64());
        let (restarts, rate) = (plan.restarts, count as f64 / seconds);
        writeln!(std::io::stdout(), "{restarts} restarts in {seconds:.1} s, {count} requests, {rate:.0} a second")
            .unwrap();
    }
    stop.store(true, SeqCst);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    server.stop();
    let answered = answered.load(SeqCst) as u64;
    let used = home.json(&["key", "list"])[0]["requests"].as_u64().unwrap();
    assert_eq!(used, listed + answered, "and all of it was accounted for");
}

#[tokio::test]
async fn a_service_manager_is_told_when_it_serves_and_when_it_stops() {
    let home = Home::new();
    let path = home.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(DEADLINE)).unwrap();
    let told = || {
        let mut text = [0; 100];
        let length = manager.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).trim_end().to_owned()
    };
    let home = home.with("NOTIFY_SOCKET", path.to_str().unwrap());
    let server = home.start();
    assert_eq!(told(), "READY=1");
    assert_eq!(server.raw(b"GET /readyz HTTP/1.0\r\n\r\n").lines().last(), Some("ready"));
    server.stop();
    assert_eq!(told(), "STOPPING=1");
}

#[test]
fn a_socket_called_admin_is_the_admin_pages() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = Home::new().with("ADMIN_LISTEN", "127.0.0.1:1");
    let mut server = home.start_command(activated(&home, listener.try_clone().unwrap(), "admin"));
    assert_ne!(server.address, listener.local_addr().unwrap());
    let line = server.line();
    assert!(line.ends_with(&format!("http://{}/admin", listener.local_addr().unwrap())), "{line}");
    server.stop();
    let refused = activated(&Home::new(), listener, "admin").output().unwrap();
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(64), "{text}");
    assert!(text.contains("LISTEN_FDNAMES: ") && text.contains("ADMIN_LISTEN"), "{text}");
}

#[test]
fn what_is_no_listening_socket_is_refused_by_name_and_what_is_meant_for_others_is_left_alone() {
    let home = Home::new();
    let idle = UnixDatagram::unbound().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    for (socket, expected) in [(OwnedFd::from(idle), "is not for TCP"), (connected.into(), "does not listen")] {
        let refused = activated(&home, socket, "x").output().unwrap();
        let text = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(64), "{text}");
        assert!(text.contains("LISTEN_FDS: socket 1 ") && text.contains(expected), "{text}");
    }
    let mut others = home.command_of(PROGRAM, &["serve"]);
    others.env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    let server = home.start_command(others);
    assert_ne!(server.address, listener.local_addr().unwrap());
    server.stop();
}
