//! A client that hangs up frees everything at once, in whatever phase: the backend's connection is closed, nothing stays
//! in flight, and the usage says so.

use domain::usage::Outcome;
use testkit::{Ended, FakeOllama};

use crate::rig::{Rig, read_until};

const CALLS: &[(&str, &str)] = &[
    ("/api/generate", r#"{"model":"llama3.2","prompt":"x"}"#),
    ("/api/generate", r#"{"model":"llama3.2","prompt":"x","stream":false}"#),
    ("/v1/chat/completions", r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}],"stream":true}"#),
    (
        "/v1/messages",
        r#"{"model":"llama3.2","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}"#,
    ),
];

#[tokio::test]
async fn hanging_up_before_the_headers_closes_the_backends_connection() {
    for &(path, body) in CALLS {
        let backend = FakeOllama::builder().models(["llama3.2"]).held().start().await;
        let mut rig = Rig::start(&[&backend]).await;
        let stream = rig.raw(&rig.raw_post(path, body)).await;
        backend.wait_for(|seen| seen.inference().count() == 1).await;
        assert_eq!(rig.gateway.in_flight(), 1);
        drop(stream);
        backend.wait_for(|seen| seen.inference().all(|request| request.ended == Some(Ended::CallerGone))).await;
        let record = rig.record().await;
        assert_eq!(
            (record.outcome, record.status, record.bytes_out, record.ttft_us),
            (Outcome::ClientGone, 499, 0, None),
            "{path}"
        );
        assert_eq!(record.model.as_deref(), Some("llama3.2:latest"));
        assert!(record.backend.is_some());
        rig.idle().await;
    }
}

#[tokio::test]
async fn hanging_up_in_the_middle_of_a_stream_closes_the_backends_connection() {
    for &(path, body) in CALLS.iter().filter(|(_, body)| !body.contains("\"stream\":false")) {
        let backend = FakeOllama::builder().models(["llama3.2"]).chunks(8).held().start().await;
        let mut rig = Rig::start(&[&backend]).await;
        let mut stream = rig.raw(&rig.raw_post(path, body)).await;
        backend.release_chunks(4);
        read_until(&mut stream, "sky").await;
        drop(stream);
        backend.wait_for(|seen| seen.inference().all(|request| request.ended == Some(Ended::CallerGone))).await;
        let record = rig.record().await;
        assert_eq!((record.outcome, record.status), (Outcome::ClientGone, 200), "{path}");
        assert!(record.bytes_out > 0 && record.ttft_us.is_some());
        assert!(record.tokens_estimated && record.completion_tokens.unwrap() >= 2, "{record:?}");
        rig.idle().await;
    }
}

#[tokio::test]
async fn hanging_up_in_the_middle_of_the_body_reaches_no_backend() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::start(&[&backend]).await;
    let text = rig.raw_post("/api/generate", r#"{"model":"llama3.2","prompt":"x"}"#);
    drop(rig.raw(&text[..text.len() - 3]).await);
    let record = rig.record().await;
    assert_eq!(record.outcome, Outcome::ClientGone);
    assert_eq!(backend.inference_requests().len(), 0);
    rig.idle().await;
}
