//! The fake itself: what it answers, and that it tells the truth about what it saw.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use testkit::{Ended, FakeOllama, Fault};

async fn post(fake: &FakeOllama, path: &str, body: &str) -> reqwest::Response {
    client().post(format!("{}{path}", fake.base())).body(body.to_owned()).send().await.unwrap()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

const CHAT: &str = r#"{"model":"llama3.2","messages":[{"role":"user","content":"why is the sky blue?"}]}"#;

#[tokio::test]
async fn a_stream_has_the_scripted_frames_and_counts_words() {
    let fake = FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await;
    let answer = post(&fake, "/api/chat", CHAT).await;
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.text().await.unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[0]["model"], "llama3.2", "the client's own spelling is echoed");
    assert_eq!((&lines[5]["prompt_eval_count"], &lines[5]["eval_count"]), (&5.into(), &5.into()));
    let seen = fake.wait_for(|seen| seen.requests.iter().all(|request| request.ended.is_some())).await;
    assert_eq!((seen.requests[0].frames, seen.requests[0].ended), (6, Some(Ended::Complete)));
    assert_eq!(seen.requests[0].body, CHAT);
}

#[tokio::test]
async fn an_unknown_model_gets_each_endpoints_own_text() {
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    for (path, expected) in [
        ("/api/chat", r#"{"error":"model 'nope' not found"}"#),
        ("/api/show", r#"{"error":"model 'nope:latest' not found"}"#),
        ("/api/embed", r#"{"error":"model \"nope\" not found, try pulling it first"}"#),
        (
            "/v1/chat/completions",
            "{\"error\":{\"message\":\"model 'nope' not found\",\"type\":\"not_found_error\",\"param\":null,\"code\":null}}\n",
        ),
        (
            "/v1/messages",
            "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model 'nope' not found\"},\"request_id\":\"req_123\"}\n",
        ),
    ] {
        let body = r#"{"model":"nope","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
        let answer = post(&fake, path, body).await;
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.text().await.unwrap(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_held_stream_shows_one_frame_at_a_time_and_notices_the_caller_leave() {
    let fake = FakeOllama::builder().models(["llama3.2"]).held().start().await;
    fake.release_chunk();
    let mut answer = post(&fake, "/api/chat", CHAT).await;
    assert!(answer.chunk().await.unwrap().is_some());
    let seen = fake.wait_for(|seen| seen.requests.len() == 1).await;
    assert_eq!((seen.requests[0].frames, seen.requests[0].ended, seen.open_connections()), (1, None, 1));
    drop(answer);
    let seen = fake.wait_for(|seen| seen.open_connections() == 0).await;
    assert_eq!(seen.requests[0].ended, Some(Ended::CallerGone));
}

#[tokio::test]
async fn a_caller_that_leaves_before_the_headers_is_noticed() {
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    fake.set(|script| script.fault = Some(Fault::HangBeforeHeaders));
    let base = fake.base();
    let call = tokio::spawn(async move { client().post(format!("{base}/api/chat")).body(CHAT).send().await });
    fake.wait_for(|seen| seen.requests.len() == 1).await;
    call.abort();
    let seen = fake.wait_for(|seen| seen.open_connections() == 0).await;
    assert_eq!(seen.requests[0].ended, Some(Ended::CallerGone));
}

#[tokio::test]
async fn a_cut_delivers_the_frames_before_it_and_then_breaks() {
    for fault in [Fault::CutAfter(2), Fault::ResetAfter(2)] {
        let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
        fake.set(|script| script.fault = Some(fault.clone()));
        let mut answer = post(&fake, "/api/chat", CHAT).await;
        let mut received = String::new();
        let error = loop {
            match answer.chunk().await {
                Ok(Some(bytes)) => received.push_str(std::str::from_utf8(&bytes).unwrap()),
                Ok(None) => panic!("{fault:?} ended properly"),
                Err(error) => break error,
            }
        };
        // A reset may destroy what the caller has not read yet.
        if fault == Fault::CutAfter(2) {
            assert_eq!(received.lines().count(), 2, "{error}");
        }
        let seen = fake.wait_for(|seen| seen.open_connections() == 0).await;
        assert_eq!(seen.requests[0].ended, Some(Ended::Fault));
    }
}

#[tokio::test]
async fn raw_bytes_replace_the_response() {
    let fake = FakeOllama::builder().start().await;
    fake.set(|script| script.fault_at("/api/tags", Fault::RawBytes("SSH-2.0-OpenSSH\r\n".to_owned())));
    let error = client().get(format!("{}/api/tags", fake.base())).send().await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    let seen = fake.wait_for(|seen| seen.open_connections() == 0).await;
    assert_eq!(seen.connections[0].bytes_out, 17);
}

#[tokio::test]
async fn a_closed_port_refuses_and_opens_again_at_the_same_address() {
    let fake = FakeOllama::builder().start().await;
    let version = format!("{}/api/version", fake.base());
    fake.refuse_connections().await;
    assert!(client().get(&version).send().await.unwrap_err().is_connect());
    fake.accept_connections().await;
    assert_eq!(client().get(&version).send().await.unwrap().text().await.unwrap(), r#"{"version":"0.5.1"}"#);
}

#[tokio::test]
async fn foreign_hosts_and_missing_tokens_are_refused_as_ollama_does() {
    let fake = FakeOllama::builder().token("backend-secret").start().await;
    let version = || client().get(format!("{}/api/version", fake.base()));
    assert_eq!(version().bearer_auth("backend-secret").send().await.unwrap().status(), 200);
    assert_eq!(version().send().await.unwrap().status(), 401);
    assert_eq!(version().header("host", "gateway.example").send().await.unwrap().status(), 403);
    assert_eq!(version().header("origin", "https://gateway.example").send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_reused_connection_can_be_closed_without_a_byte_and_a_fresh_one_serves() {
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    fake.set(|script| script.fault_at("/api/chat", Fault::CloseReused));
    for _ in 0..2 {
        assert_eq!(post(&fake, "/api/chat", CHAT).await.status(), 200);
    }
    let (client, url) = (client(), format!("{}/api/chat", fake.base()));
    let first = client.post(&url).body(CHAT).send().await.unwrap();
    assert_eq!(first.text().await.unwrap().lines().count(), 4);
    // reqwest mends what it may, so the records tell.
    let _ = client.post(&url).body(CHAT).send().await;
    let seen = fake.wait_for(|seen| seen.requests.len() >= 4).await;
    assert_eq!(seen.requests[3].ended, Some(Ended::Fault));
    assert_eq!(seen.requests[3].connection, seen.requests[2].connection);
}
