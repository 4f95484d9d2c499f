//! T25: many large bodies at once. All of them together take no more memory than the setting says; what does not fit is
//! refused in the caller's dialect and may come again, and nobody else notices.

use std::fs;

use bytes::Bytes;
use testkit::{FakeOllama, Fault};
use tokio::{sync::mpsc, task::JoinSet};

use crate::harness::{Server, home_with_key, http, until_listed};

const CALLERS: usize = 200;
const BUDGET_MB: usize = 64;
/// Just under what one body may have.
const BODY: usize = 3_900_000;

/// A line of `/proc/PID/status` in bytes.
pub fn memory(server: &Server, line: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    found.trim_start_matches(':').split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}

fn body(length: usize) -> Bytes {
    let start = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}],"prompt":""#;
    format!("{start}{}\"}}", "x".repeat(length - start.len() - 2)).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_at_once_take_the_memory_they_may_and_the_rest_is_told_to_come_again() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).start().await;
    let (home, key) = home_with_key();
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    // No key has more than half of the memory.
    let other = home.ok(&["key", "create", "--user", "ada", "--name", "other"]).trim().to_owned();
    let home = home.with("MAX_BODY_MB", "4").with("BODY_MEMORY_MB", &BUDGET_MB.to_string());
    let server = home.start();
    until_listed(&server, &key, "llama3.2").await;
    let ask_by = |key: &str, path: &str, body: Bytes| http().post(server.url(path)).bearer_auth(key).body(body).send();
    let ask = |path: &str, body: Bytes| ask_by(&key, path, body);
    assert_eq!(ask("/api/generate", body(BODY)).await.unwrap().status(), 200);
    // Whoever is served holds its body until the backend has begun to answer.
    ollama.set(|script| {
        for path in ["/api/generate", "/v1/chat/completions"] {
            script.fault_at(path, Fault::HangBeforeHeaders);
        }
    });
    let before = memory(&server, "VmRSS");
    let large = body(BODY);
    let (sender, mut refused) = mpsc::channel(CALLERS);
    let mut crowd = JoinSet::new();
    for number in 0..CALLERS {
        let path = ["/api/generate", "/v1/chat/completions"][number % 2];
        let (asked, sender) = (ask_by([&key, &other][number / 2 % 2], path, large.clone()), sender.clone());
        crowd.spawn(async move {
            let answer = asked.await.unwrap();
            let (status, retry) = (answer.status(), answer.headers().get("retry-after").cloned());
            sender.send((path, status.as_u16(), retry, answer.text().await.unwrap())).await.unwrap();
        });
    }
    // In all: those that the backend has, and those that were refused.
    let holding = BUDGET_MB * 1_000_000 / BODY;
    for _ in 0..CALLERS - holding {
        let (path, status, retry, text) = refused.recv().await.unwrap();
        assert_eq!((status, retry.as_ref().map(|value| value.to_str().unwrap())), (503, Some("1")), "{text}");
        let dialect = if path.starts_with("/v1") {
            r#"{"error":{"message":"too many large"#
        } else {
            r#"{"error":"too many large"#
        };
        assert!(text.starts_with(dialect), "{text}");
    }
    // The budget was used, and by as many as fit; two may have been refused while others gave their parts back.
    ollama.wait_for(|seen| seen.inference().count() > holding - 2).await;
    // Small requests are served all the while.
    assert_eq!(http().get(server.url("/api/tags")).bearer_auth(&key).send().await.unwrap().status(), 200);
    let grown = memory(&server, "VmHWM").saturating_sub(before);
    // Beside the bodies: buffers of 200 connections, and what the allocator keeps.
    let bound = BUDGET_MB * 1_000_000 + CALLERS * 256 * 1024;
    assert!(grown < bound, "{} MB for bodies of {} MB", grown / 1_000_000, CALLERS * BODY / 1_000_000);
    // All of it is given back with the requests.
    crowd.shutdown().await;
    ollama.set(|script| script.heal());
    let mut tries = 0;
    while ask("/api/generate", body(BODY)).await.unwrap().status() != 200 {
        tries += 1;
        assert!(tries < 1_000, "{}", server.log());
    }
    server.stop();
}
