//! Ending: running streams are finished, late ones ended with an error their client understands, a second signal obeyed.

use futures_util::StreamExt;
use rustix::process::Signal;
use testkit::FakeOllama;

use crate::harness::{Home, Server, http, until, until_listed};

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
async fn a_second_signal_ends_at_once() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await;
    let home = Home::new();
    let Held { mut server, answer: _answer, .. } = held(&home, &ollama).await;
    server.signal(Signal::TERM);
    until("new connections are refused", || server.is_closed().then_some(()));
    server.signal(Signal::INT);
    assert_eq!(server.wait(), Some(1));
    home.ok(&["user", "list"]);
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
