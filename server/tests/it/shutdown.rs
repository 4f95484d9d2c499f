//! Ending: running streams are finished, late ones ended with an error their client understands, a second signal obeyed, and
//! what was used is accounted for.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use futures_util::StreamExt;
use rustix::process::Signal;
use testkit::{FakeOllama, Fault};

use crate::harness::{DEADLINE, Home, Server, home_with_key, http, until, until_listed};

const QUESTION: &str = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;

/// A server, its running stream, what came of it, and the requests the key made before it.
struct Held {
    server: Server,
    answer: reqwest::Response,
    bytes: Vec<u8>,
    requests: u64,
}

/// A server with a stream that has sent its first frame and is held there.
async fn held(home: &Home, ollama: &FakeOllama) -> Held {
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    let server = home.start();
    let requests = until_listed(&server, &key, "llama3.2").await;
    ollama.hold();
    let sent = http().post(server.url("/api/chat")).bearer_auth(&key).body(QUESTION).send();
    let release = async {
        ollama.wait_for(|seen| seen.inference().count() == 1).await;
        ollama.release_chunk();
    };
    let (answer, ()) = tokio::join!(sent, release);
    let mut answer = answer.unwrap();
    let bytes = answer.chunk().await.unwrap().unwrap().to_vec();
    Held { server, answer, bytes, requests }
}

#[tokio::test]
async fn a_running_stream_is_finished() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await;
    let home = Home::new();
    let Held { mut server, answer, mut bytes, requests } = held(&home, &ollama).await;
    server.signal(Signal::TERM);
    until("new connections are refused", || server.is_closed().then_some(()));
    ollama.release_all();
    bytes.extend(answer.bytes().await.unwrap());
    let text = String::from_utf8(bytes).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["done"], true, "{text}");
    assert_eq!(server.wait(), Some(0), "{}", server.log());
    let used = home.json(&["key", "list"]);
    assert_eq!(used[0]["requests"], requests + 1, "its usage was written: {used:?}");
}

#[tokio::test]
async fn a_stream_that_outlives_the_deadline_ends_with_an_error() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await;
    let home = Home::new().with("DRAIN_SECONDS", "0");
    let Held { mut server, answer, mut bytes, .. } = held(&home, &ollama).await;
    server.signal(Signal::TERM);
    let mut rest = answer.bytes_stream();
    while let Some(Ok(chunk)) = rest.next().await {
        bytes.extend(chunk);
    }
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.lines().last().unwrap().starts_with(r#"{"error""#), "{text}");
    assert_eq!(server.wait(), Some(0), "{}", server.log());
}

#[tokio::test]
async fn a_second_signal_waits_for_nobody_and_still_tells_and_accounts() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await;
    let home = Home::new().with("DRAIN_SECONDS", "3600");
    let Held { mut server, answer, mut bytes, requests } = held(&home, &ollama).await;
    server.signal(Signal::TERM);
    until("new connections are refused", || server.is_closed().then_some(()));
    server.signal(Signal::INT);
    let mut rest = answer.bytes_stream();
    while let Some(Ok(chunk)) = rest.next().await {
        bytes.extend(chunk);
    }
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.lines().last().unwrap().starts_with(r#"{"error""#), "{text}");
    assert_eq!(server.wait(), Some(0), "{}", server.log());
    assert_eq!(home.json(&["key", "list"])[0]["requests"], requests + 1, "its usage was written");
}

/// R25: nobody is cut without being told, in whichever form it is answered, and nothing that was used is forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_streams_that_outlive_the_deadline_each_end_with_an_error_of_their_own_form() {
    const FORMS: [(&str, &str, &str); 3] = [
        ("/api/chat", QUESTION, r#"{"error":"#),
        (
            "/v1/chat/completions",
            r#"{"model":"llama3.2","stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
            r#"data: {"error":{"#,
        ),
        (
            "/v1/messages",
            r#"{"model":"llama3.2","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
            r#"data: {"type":"error","error":{"#,
        ),
    ];
    let ollama = FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await;
    let (home, key) = home_with_key();
    let home = home.with("DRAIN_SECONDS", "1");
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    let mut server = home.start();
    let requests = until_listed(&server, &key, "llama3.2").await;
    ollama.set(|script| {
        for (path, ..) in FORMS {
            script.fault_at(path, Fault::StallAfter(1));
        }
    });
    let mut streams = Vec::new();
    for number in 0..50 {
        let (path, body, error) = FORMS[number % FORMS.len()];
        let mut answer = http().post(server.url(path)).bearer_auth(&key).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let first = answer.chunk().await.unwrap().expect("a first frame");
        streams.push((answer, first.to_vec(), error));
    }
    server.signal(Signal::TERM);
    for (answer, mut bytes, error) in streams {
        let mut rest = answer.bytes_stream();
        while let Some(Ok(chunk)) = rest.next().await {
            bytes.extend(chunk);
        }
        let text = String::from_utf8(bytes).unwrap();
        let last = text.lines().rfind(|line| !line.is_empty()).unwrap();
        assert!(last.starts_with(error) && last.contains("the gateway is shutting down"), "{text}");
    }
    assert_eq!(server.wait(), Some(0), "{}", server.log());
    assert_eq!(home.json(&["key", "list"])[0]["requests"], requests + 50, "all usage was written");
}

#[test]
fn a_request_on_a_kept_connection_is_served_while_stopping_and_is_its_last() {
    let (home, key) = home_with_key();
    let home = home.with("DRAIN_SECONDS", "3600");
    let mut server = home.start();
    let mut kept: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    for stream in &mut kept {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        assert!(!exchange(stream, "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").contains("connection: close"));
    }
    server.signal(Signal::TERM);
    until("new connections are refused", || server.is_closed().then_some(()));
    let tags = format!("GET /api/tags HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\r\n");
    for (stream, (request, status)) in
        kept.iter_mut().zip([(tags.as_str(), "200"), ("GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n", "503")])
    {
        let answer = exchange(stream, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "closed behind it");
    }
    assert_eq!(kept[2].read(&mut [0; 1]).unwrap(), 0, "one that asks nothing is closed");
    assert_eq!(server.wait(), Some(0), "{}", server.log());
}

/// Sends a request and reads one answer of known length.
fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = Vec::new();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
        if text.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(text).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    head
}

#[test]
fn idle_connections_do_not_hold_the_end_up() {
    let home = Home::new().with("DRAIN_SECONDS", "3600");
    let mut server = home.start();
    let fresh = std::net::TcpStream::connect(server.address).unwrap();
    let mut used = std::net::TcpStream::connect(server.address).unwrap();
    std::io::Write::write_all(&mut used, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    std::io::Read::read_exact(&mut used, &mut [0; 12]).unwrap();
    server.signal(Signal::INT);
    assert_eq!(server.wait(), Some(0), "{}", server.log());
    drop((fresh, used));
}
