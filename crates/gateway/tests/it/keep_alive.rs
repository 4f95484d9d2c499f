//! A connection after a refusal: it goes on where the rest of the request came soon, and otherwise says that it ends.

use testkit::FakeOllama;
use tokio::io::AsyncWriteExt;

use crate::rig::{Rig, read_to_close, read_until};

const BODY: &str = r#"{"model":"llama3.2","prompt":"x"}"#;

fn head(method: &str, path: &str, key: &str, more: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\n{more}Content-Length: {}\r\n\r\n",
        BODY.len()
    )
}

/// Requests that are refused before their body is read.
fn refused(key: &str, more: &str) -> [(&'static str, String); 4] {
    [
        ("401", head("POST", "/api/chat", "op_nobody", more)),
        ("403", head("POST", "/api/pull", key, more)),
        ("404", head("POST", "/api/nothing", key, more)),
        ("405", head("PUT", "/api/chat", key, more)),
    ]
}

#[tokio::test]
async fn a_refusal_before_the_body_came_keeps_the_connection_for_the_next_request() {
    let fake = FakeOllama::builder().start().await;
    let rig = Rig::start(&[&fake]).await;
    for (status, head) in refused(&rig.key, "") {
        let mut stream = rig.raw(&head).await;
        stream.flush().await.unwrap();
        stream.write_all(BODY.as_bytes()).await.unwrap();
        let first = read_until(&mut stream, "}").await;
        assert!(first.starts_with(&format!("HTTP/1.1 {status} ")), "{first}");
        assert!(!first.to_ascii_lowercase().contains("connection: close"), "{first}");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n").await.unwrap();
        let second = read_until(&mut stream, "Ollama is running").await;
        assert!(second.contains("HTTP/1.1 200 OK"), "{status}: {second}");
    }
}

#[tokio::test]
async fn where_the_body_does_not_come_the_answer_says_that_the_connection_ends() {
    let fake = FakeOllama::builder().start().await;
    let rig = Rig::start(&[&fake]).await;
    for more in ["", "Expect: 100-continue\r\n"] {
        for (status, head) in refused(&rig.key, more) {
            let mut stream = rig.raw(&head).await;
            let answer = read_to_close(&mut stream).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{more}{answer}");
            assert!(answer.to_ascii_lowercase().contains("connection: close"), "{more}{answer}");
        }
    }
}
