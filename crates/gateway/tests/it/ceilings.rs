//! Ceilings as a backend sees them: what asks for too much arrives clamped, and everything else as it was sent.

use domain::policy::Policy;
use serde_json::json;
use testkit::FakeOllama;

use crate::rig::Rig;

async fn rig(backend: &FakeOllama) -> Rig {
    Rig::with(&[backend], |plan| {
        plan.policy = Policy { num_ctx: Some(8_192), num_predict: Some(100), ..Policy::default() };
        plan.user_policy = Policy { keep_alive_s: Some(300), num_ctx: Some(4_096), ..Policy::default() };
    })
    .await
}

/// T39.
#[tokio::test]
async fn a_backend_never_sees_more_than_the_ceilings() {
    let backend = FakeOllama::builder().models(["llama3.2", "embed"]).start().await;
    let rig = rig(&backend).await;
    for (path, body, expected) in [
        (
            "/api/chat",
            json!({"model": "llama3.2", "messages": [{"role": "user", "content": "x"}], "keep_alive": -1}),
            json!({"keep_alive": 300, "options": {"num_predict": 100}}),
        ),
        (
            "/api/generate",
            json!({"model": "llama3.2", "prompt": "x", "keep_alive": "-1m", "options": {"num_ctx": 131_072, "num_predict": -1, "seed": 7}}),
            json!({"keep_alive": "300s", "options": {"num_ctx": 4_096, "num_predict": 100, "seed": 7}}),
        ),
        ("/api/embed", json!({"model": "embed", "input": "x", "keep_alive": "24h"}), json!({"keep_alive": "300s"})),
        (
            "/v1/chat/completions",
            json!({"model": "llama3.2", "messages": [{"role": "user", "content": "x"}], "max_completion_tokens": 9_999}),
            json!({"max_tokens": 100, "max_completion_tokens": 100}),
        ),
        ("/v1/responses", json!({"model": "llama3.2", "input": "x"}), json!({"max_output_tokens": 100})),
        (
            "/v1/messages",
            json!({"model": "llama3.2", "max_tokens": 4_096, "messages": [{"role": "user", "content": "x"}]}),
            json!({"max_tokens": 100}),
        ),
    ] {
        assert_eq!(rig.post(path, body.to_string()).await.status, 200, "{path}");
        let mut seen = body.clone();
        for (name, value) in expected.as_object().unwrap() {
            seen[name] = value.clone();
        }
        assert_eq!(backend.inference_requests().last().unwrap().json(), seen, "{path}");
    }
}

#[tokio::test]
async fn what_obeys_arrives_byte_for_byte() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = rig(&backend).await;
    let body = "{ \"model\":\"llama3.2\" ,\"prompt\":\"\\u00e9\", \"options\" : { \"num_predict\" : 1e1,\"num_ctx\":4096.0 },\"keep_alive\":\"5m\" }\n";
    assert_eq!(rig.post("/api/generate", body).await.status, 200);
    assert_eq!(backend.inference_requests()[0].body, body);
}

#[tokio::test]
async fn a_body_that_two_readers_read_differently_reaches_no_backend() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = rig(&backend).await;
    for body in [
        r#"{"model":"llama3.2","prompt":"x","options":{"num_predict":1},"options":{"num_predict":9999}}"#,
        r#"{"model":"llama3.2","prompt":"x","options":{"num_predict":1},"OPTIONS":{"num_predict":9999}}"#,
        r#"{"model":"llama3.2","prompt":"x","option\u017f":{"num_predict":9999}}"#,
        r#"{"model":"llama3.2","prompt":"x","keep_alive":1,"Keep_Alive":-1}"#,
        r#"{"model":"llama3.2","prompt":"x","keep_alive":"forever"}"#,
    ] {
        let refused = rig.post("/api/generate", body).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.body);
    }
    assert_eq!(backend.inference_requests().len(), 0);
}

#[tokio::test]
async fn a_large_body_is_clamped_too() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = rig(&backend).await;
    let image = "A".repeat(2_000_000);
    let body = format!(r#"{{"model":"llama3.2","prompt":"x","images":["{image}"],"keep_alive":-1}}"#);
    assert_eq!(rig.post("/api/generate", body.clone()).await.status, 200);
    let expected =
        body.replace("\"keep_alive\":-1", "\"keep_alive\":300").replacen('{', "{\"options\":{\"num_predict\":100},", 1);
    assert!(backend.inference_requests()[0].body == expected, "the body is clamped and otherwise unchanged");
}
