//! A request that two parsers could read differently is refused: what is routed by is what the backend will read.

use testkit::FakeOllama;

use crate::rig::{Rig, read_until};

#[tokio::test]
async fn a_second_model_member_in_any_spelling_reaches_no_backend() {
    let backend = FakeOllama::builder().models(["llama3.2", "secret"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    for body in [
        r#"{"model":"llama3.2","model":"secret"}"#,
        r#"{"model":"llama3.2","MODEL":"secret"}"#,
        r#"{"model":"llama3.2","Model":null}"#,
        r#"{"model":"llama3.2","mod\u0065l":"secret"}"#,
        r#"{"MODEL":"secret"}"#,
        r#"{"model":"llama3.2"}{"model":"secret"}"#,
    ] {
        for path in ["/api/chat", "/api/generate", "/v1/completions", "/v1/responses"] {
            assert_eq!(rig.post(path, body).await.status, 400, "{path} {body}");
        }
    }
    assert_eq!(rig.post("/api/show", r#"{"model":"llama3.2","name":"secret"}"#).await.status, 400);
    assert_eq!(backend.requests().iter().filter(|request| request.method == "POST").count(), 0);
}

/// T04.
#[tokio::test]
async fn the_target_of_a_request_cannot_steer_it_elsewhere() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let canary = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let body =
        format!(r#"{{"model":"llama3.2","prompt":"x","stream":false,"api_base":"{0}","host":"{0}"}}"#, canary.base());
    let text = rig.raw_post(&format!("{}/api/generate", canary.base()), &body);
    let mut stream = rig.raw(&text).await;
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(canary.connections().len(), 0);
    assert_eq!(backend.inference_requests()[0].path, "/api/generate");
}
