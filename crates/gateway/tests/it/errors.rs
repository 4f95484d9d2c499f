//! Golden answers to bad requests: status, headers and body text that Ollama, OpenAI and Anthropic clients understand,
//! and nothing of it reaches a backend.

use testkit::FakeOllama;

use crate::rig::{Rig, read};

const JSON: &str = "application/json; charset=utf-8";

async fn fleet() -> (FakeOllama, Rig) {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    (backend, rig)
}

/// Method, path, body, status, body of the answer.
type Case = (&'static str, &'static str, &'static str, u16, &'static str);

async fn hold(cases: &[Case]) {
    let (backend, rig) = fleet().await;
    for &(method, path, body, status, expected) in cases {
        let answer = read(rig.keyed(method, path).body(body)).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, expected), "{method} {path} {body}");
        let kind = if expected.ends_with('\n') { "application/json" } else { JSON };
        assert_eq!(answer.header("content-type"), Some(kind), "{method} {path}");
        assert_eq!(answer.header("x-request-id").map(str::len), Some(16));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(backend.records().requests.iter().filter(|request| request.method != "GET").count(), 0);
    rig.idle().await;
}

#[tokio::test]
async fn unknown_models() {
    hold(&[
        ("POST", "/api/chat", r#"{"model":"nope"}"#, 404, r#"{"error":"model 'nope' not found"}"#),
        ("POST", "/api/generate", r#"{"model":"nope"}"#, 404, r#"{"error":"model 'nope' not found"}"#),
        ("POST", "/api/show", r#"{"model":"nope"}"#, 404, r#"{"error":"model 'nope:latest' not found"}"#),
        ("POST", "/api/show", r#"{"name":"nope"}"#, 404, r#"{"error":"model 'nope:latest' not found"}"#),
        ("POST", "/api/embed", r#"{"model":"nope"}"#, 404, r#"{"error":"model \"nope\" not found, try pulling it first"}"#),
        ("POST", "/api/embeddings", r#"{"model":"nope"}"#, 404, r#"{"error":"model \"nope\" not found, try pulling it first"}"#),
        (
            "POST",
            "/v1/chat/completions",
            r#"{"model":"nope","messages":[{"role":"user","content":"x"}]}"#,
            404,
            "{\"error\":{\"message\":\"model 'nope' not found\",\"type\":\"not_found_error\",\"param\":null,\"code\":null}}\n",
        ),
        (
            "POST",
            "/v1/embeddings",
            r#"{"model":"nope","input":"x"}"#,
            404,
            "{\"error\":{\"message\":\"model \\\"nope\\\" not found, try pulling it first\",\"type\":\"not_found_error\",\"param\":null,\"code\":null}}\n",
        ),
        (
            "GET",
            "/v1/models/nope",
            "",
            404,
            "{\"error\":{\"message\":\"model 'nope' not found\",\"type\":\"not_found_error\",\"param\":null,\"code\":null}}\n",
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_unknown_model_is_told_to_anthropic_clients_with_the_request_id() {
    let (_backend, rig) = fleet().await;
    let body = r#"{"model":"nope","max_tokens":5,"messages":[{"role":"user","content":"x"}]}"#;
    let answer = rig.post("/v1/messages", body).await;
    let id = answer.header("x-request-id").unwrap();
    let expected = format!(
        "{{\"type\":\"error\",\"error\":{{\"type\":\"not_found_error\",\"message\":\"model 'nope' not found\"}},\"request_id\":\"req_{id}\"}}\n"
    );
    assert_eq!((answer.status, answer.body), (404, expected));
}

#[tokio::test]
async fn bad_bodies() {
    const BAD: &str = r#"{"error":"invalid character 'b' looking for beginning of object key string"}"#;
    hold(&[
        ("POST", "/api/chat", "", 400, r#"{"error":"missing request body"}"#),
        ("POST", "/api/chat", "{bad", 400, BAD),
        ("POST", "/api/generate", "{bad", 400, BAD),
        ("POST", "/api/chat", "{}", 400, r#"{"error":"model is required"}"#),
        ("POST", "/api/chat", r#"{"model":""}"#, 400, r#"{"error":"model is required"}"#),
        ("POST", "/api/generate", "{}", 404, r#"{"error":"model '' not found"}"#),
        ("POST", "/api/show", "{}", 400, r#"{"error":"model is required"}"#),
        (
            "POST",
            "/v1/chat/completions",
            "{bad",
            400,
            r#"{"error":{"message":"invalid character 'b' looking for beginning of object key string","type":"invalid_request_error","param":null,"code":null}}"#,
        ),
        (
            "POST",
            "/v1/chat/completions",
            "",
            400,
            r#"{"error":{"message":"EOF","type":"invalid_request_error","param":null,"code":null}}"#,
        ),
        (
            "POST",
            "/v1/chat/completions",
            r#"{"model":"llama3.2"}"#,
            400,
            r#"{"error":{"message":"[] is too short - 'messages'","type":"invalid_request_error","param":null,"code":null}}"#,
        ),
        ("POST", "/api/chat", r#"{"model":"a b"}"#, 400, r#"{"error":"invalid model name"}"#),
        (
            "POST",
            "/api/chat",
            r#"{"model":"x:local:cloud"}"#,
            400,
            r#"{"error":"use either :local or :cloud, not both: \"x:local:cloud\""}"#,
        ),
    ])
    .await;
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods() {
    let openai = |message: &str| {
        let kind = if message.starts_with("404") { "not_found_error" } else { "invalid_request_error" };
        format!(r#"{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":null}}}}"#)
    };
    let (not_found, not_allowed) = (openai("404 page not found"), openai("405 method not allowed"));
    hold(&[
        ("GET", "/api/nope", "", 404, r#"{"error":"404 page not found"}"#),
        ("POST", "/api/chat/", r#"{"model":"llama3.2"}"#, 404, r#"{"error":"404 page not found"}"#),
        ("POST", "/api/%63hat", r#"{"model":"llama3.2"}"#, 404, r#"{"error":"404 page not found"}"#),
        ("POST", "//api/chat", r#"{"model":"llama3.2"}"#, 404, r#"{"error":"404 page not found"}"#),
        ("GET", "/v1/nope", "", 404, not_found.leak()),
        ("GET", "/api/chat", "", 405, r#"{"error":"405 method not allowed"}"#),
        ("OPTIONS", "/v1/chat/completions", "", 405, not_allowed.leak()),
    ])
    .await;
    let (_backend, rig) = fleet().await;
    assert_eq!(rig.get("/api/chat").await.header("allow"), Some("POST"));
}

#[tokio::test]
async fn management_account_and_cloud_calls() {
    hold(&[
        ("POST", "/api/pull", r#"{"model":"x"}"#, 403, r#"{"error":"this API key may not manage models"}"#),
        ("POST", "/api/create", r#"{"model":"x"}"#, 403, r#"{"error":"this API key may not manage models"}"#),
        ("DELETE", "/api/delete", r#"{"model":"llama3.2"}"#, 403, r#"{"error":"this API key may not manage models"}"#),
        ("POST", "/api/blobs/sha256:00", "x", 403, r#"{"error":"this API key may not manage models"}"#),
        (
            "POST",
            "/api/me",
            "",
            403,
            r#"{"error":"account and web endpoints of ollama.com are not available through this gateway"}"#,
        ),
        (
            "POST",
            "/api/experimental/web_search",
            "{}",
            403,
            r#"{"error":"account and web endpoints of ollama.com are not available through this gateway"}"#,
        ),
        (
            "POST",
            "/api/chat",
            r#"{"model":"gpt-oss:120b-cloud"}"#,
            403,
            r#"{"error":"cloud models are not available through this gateway"}"#,
        ),
        (
            "POST",
            "/api/show",
            r#"{"model":"kimi:CLOUD"}"#,
            403,
            r#"{"error":"cloud models are not available through this gateway"}"#,
        ),
    ])
    .await;
}

#[tokio::test]
async fn bodies_too_large_or_compressed() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::with(&[&backend], |plan| plan.settings.max_body = 100).await;
    let large = format!(r#"{{"model":"llama3.2","prompt":"{}"}}"#, "x".repeat(100));
    let answer = rig.post("/api/generate", large.clone()).await;
    assert_eq!((answer.status, answer.body.as_str()), (413, r#"{"error":"request body is larger than 100 bytes"}"#));
    let chunks = large.into_bytes().chunks(7).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let chunked = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    assert_eq!(rig.post("/api/generate", chunked).await.status, 413);
    let gzip = rig.keyed("POST", "/api/generate").header("content-encoding", "gzip").body("x");
    assert_eq!(read(gzip).await.status, 415);
    assert_eq!(backend.inference_requests().len(), 0);
}

#[tokio::test]
async fn the_root_says_that_it_runs_and_asks_for_no_key() {
    let (_backend, rig) = fleet().await;
    let answer = read(rig.request("GET", "/")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "Ollama is running"));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    let answer = read(rig.request("HEAD", "/")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}

#[tokio::test]
async fn local_endpoints_answer_without_a_backend() {
    let (_backend, rig) = fleet().await;
    assert_eq!(rig.get("/api/version").await.body, r#"{"version":"0.5.1"}"#);
    assert_eq!(rig.get("/api/status").await.body, r#"{"cloud":{"disabled":true,"source":"gateway"}}"#);
    assert_eq!(rig.get("/api/experimental/model-recommendations").await.body, r#"{"recommendations":[]}"#);
    assert!(rig.get("/api/tags").await.body.contains("\"llama3.2:latest\""));
    assert!(rig.get("/v1/models/llama3.2").await.body.contains("\"owned_by\":\"library\""));
    assert_eq!(read(rig.keyed("HEAD", "/api/tags")).await.status, 200);
}
