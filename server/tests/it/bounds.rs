//! What one caller, or all of them, can take of the process: connections, memory, and the buffers of answers that nobody
//! reads.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use rustix::process::Signal;
use testkit::{FakeOllama, Fault};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
};

use crate::{
    harness::{DEADLINE, Home, Server, home_with_key, http, until, until_listed},
    memory::memory,
};

const QUESTION: &str = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;
const ALIVE: &[u8] = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";

/// A connection that is kept after an answer, or the refusal.
fn visit(server: &Server) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // Whoever is turned away may find the door closed already.
    let _ = stream.write_all(ALIVE);
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).unwrap();
    (stream, String::from_utf8_lossy(&begin).into_owned())
}

#[test]
fn one_address_has_its_share_of_connections_and_a_trusted_proxy_all() {
    let home = Home::new().with("MAX_CONNECTIONS_PER_IP", "3");
    let server = home.start();
    let mut kept: Vec<(TcpStream, String)> = (0..3).map(|_| visit(&server)).collect();
    assert!(kept.iter().all(|(_, begin)| begin == "HTTP/1.1 200"), "{kept:?}");
    assert_eq!(visit(&server).1, "HTTP/1.1 503");
    kept.pop();
    until("the place is free", || (visit(&server).1 == "HTTP/1.1 200").then_some(()));
    server.stop();

    let server = home.with("TRUSTED_PROXIES", "127.0.0.1").start();
    let kept: Vec<(TcpStream, String)> = (0..5).map(|_| visit(&server)).collect();
    assert!(kept.iter().all(|(_, begin)| begin == "HTTP/1.1 200"), "{kept:?}");
    server.stop();
}

/// R30. The debug binary alone takes more than the least that can be set.
#[tokio::test]
async fn above_the_memory_it_may_take_new_inference_is_told_to_come_again_until_what_runs_has_ended() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).start().await;
    let (home, key) = home_with_key();
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    let home = home.with("MAX_MEMORY_MB", "64");
    let server = home.start();
    until_listed(&server, &key, "llama3.2").await;
    assert!(memory(&server, "VmRSS") > 64_000_000, "the premise of this test");
    let ask = |path: &str| http().post(server.url(path)).bearer_auth(&key).body(QUESTION).send();
    ollama.set(|script| script.fault_at("/api/chat", Fault::StallAfter(1)));
    // Nothing is in flight: refusing would not help.
    let mut running = loop {
        let answer = ask("/api/chat").await.unwrap();
        if answer.status() == 200 {
            break answer;
        }
    };
    assert!(running.chunk().await.unwrap().is_some());
    until_status(&ask, 503).await;
    for (path, dialect) in [
        ("/api/generate", r#"{"error":"the gateway is short of memory"#),
        ("/v1/chat/completions", r#"{"error":{"message":"the gateway is short of memory"#),
        (
            "/v1/messages",
            r#"{"type":"error","error":{"type":"overloaded_error","message":"the gateway is short of memory"#,
        ),
    ] {
        let answer = ask(path).await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"5".parse().unwrap()));
        let text = answer.text().await.unwrap();
        assert!(text.starts_with(dialect), "{text}");
    }
    let tags = http().get(server.url("/api/tags")).bearer_auth(&key).send().await.unwrap();
    assert_eq!(tags.status(), 200, "what takes no memory goes on");
    assert!(server.log().contains("above MAX_MEMORY_MB"), "{}", server.log());
    drop(running);
    until_status(&ask, 200).await;
    server.stop();
}

/// Asks until the answer has `status`.
async fn until_status<F: Future<Output = reqwest::Result<reqwest::Response>>>(ask: &impl Fn(&str) -> F, status: u16) {
    let deadline = std::time::Instant::now() + DEADLINE;
    while ask("/api/generate").await.unwrap().status() != status {
        assert!(std::time::Instant::now() < deadline, "never {status}");
    }
}

const READERS: usize = 60;
const LINE: &str = r#"{"model":"llama3.2","created_at":"2026-05-04T17:37:44Z","message":{"role":"assistant","content":"PADDING"},"done":false}"#;

/// A backend whose answers never end: streams that are open now, bytes they have sent, and its address.
async fn endless() -> (Arc<AtomicUsize>, Arc<AtomicUsize>, String) {
    let (open, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let counters = (Arc::clone(&open), Arc::clone(&sent));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (open, sent) = (Arc::clone(&counters.0), Arc::clone(&counters.1));
            tokio::spawn(async move {
                let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut buffer).await {
                        Ok(read @ 1..) => head.extend_from_slice(&buffer[..read]),
                        _ => return,
                    }
                }
                let json = |body: &str| {
                    let length = body.len();
                    format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                    )
                };
                let whole = match () {
                    () if head.starts_with(b"POST /api/chat ") => None,
                    () if head.starts_with(b"GET /api/tags ") => Some(json(
                        r#"{"models":[{"name":"llama3.2:latest","model":"llama3.2:latest","modified_at":"2026-05-04T17:37:44Z","size":1,"digest":"a"}]}"#,
                    )),
                    () if head.starts_with(b"GET /api/version ") => Some(json(r#"{"version":"0.5.1"}"#)),
                    () => Some(json(r#"{"models":[]}"#)),
                };
                if let Some(whole) = whole {
                    let _ = stream.write_all(whole.as_bytes()).await;
                    return;
                }
                open.fetch_add(1, SeqCst);
                let line = LINE.replace("PADDING", &"x".repeat(16_000)) + "\n";
                let chunk = format!("{:x}\r\n{line}\r\n", line.len());
                let mut text =
                    "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
                        .to_owned()
                        + &chunk;
                while stream.write_all(text.as_bytes()).await.is_ok() {
                    sent.fetch_add(text.len(), SeqCst);
                    text.clone_from(&chunk);
                }
                open.fetch_sub(1, SeqCst);
            });
        }
    });
    (open, sent, base)
}

/// R09, and the end of R25: readers that stop reading cost little, and cannot hold the process up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_do_not_read_take_little_memory_and_do_not_hold_the_end_up() {
    let (open, sent, base) = endless().await;
    let (home, key) = home_with_key();
    home.ok(&["backend", "add", "--name", "gpu", "--url", &base]);
    let home = home.with("DRAIN_SECONDS", "0");
    let mut server = home.start();
    let requests = until_listed(&server, &key, "llama3.2").await;
    let before = memory(&server, "VmRSS");
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut stream = socket.connect(server.address).await.unwrap();
        let length = QUESTION.len();
        let text = format!(
            "POST /api/chat HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {length}\r\n\r\n{QUESTION}"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).await.unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200");
        readers.push(stream);
    }
    // Back-pressure has reached the backend once nothing is sent any more.
    let (mut last, mut quiet) = (0, 0);
    until("the backend is held back", || {
        let now = sent.load(SeqCst);
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
        (quiet == 25).then_some(())
    });
    assert_eq!(open.load(SeqCst), READERS);
    let grown = memory(&server, "VmHWM").saturating_sub(before);
    let bound = 64 * 1024 * 1024 * READERS / 200;
    assert!(grown < bound, "{grown} bytes of at most {bound}");
    server.signal(Signal::TERM);
    assert_eq!(tokio::task::block_in_place(|| server.wait()), Some(0), "{}", server.log());
    until("the backend is free", || (open.load(SeqCst) == 0).then_some(()));
    assert_eq!(home.json(&["key", "list"])[0]["requests"], requests + READERS as u64, "their usage was written");
}
