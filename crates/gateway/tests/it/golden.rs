//! Golden bodies: every refusal as the clients of Ollama's, OpenAI's and Anthropic's APIs read it, letter by letter.

use domain::limit::RateLimit;
use reqwest::RequestBuilder;
use testkit::FakeOllama;

use crate::rig::{Rig, read};

const PATHS: [&str; 3] = ["/api/chat", "/v1/chat/completions", "/v1/messages"];
/// Good in all three dialects.
const CHAT: &str = r#"{"model":"llama3.2","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;

/// Sends one request in each dialect and compares status and whole body. In the expected text `ID` stands for the request's
/// id and `RETRY` for the seconds of `Retry-After`.
async fn golden(what: &str, send: impl Fn(&str) -> RequestBuilder, status: u16, expected: [&str; 3]) {
    for (path, expected) in PATHS.into_iter().zip(expected) {
        let answer = read(send(path)).await;
        let expected = expected
            .replace("ID", answer.header("x-request-id").unwrap())
            .replace("RETRY", answer.header("retry-after").unwrap_or("nothing"));
        assert_eq!((answer.status, answer.body), (status, expected), "{what} at {path}");
    }
}

#[tokio::test]
async fn bad_requests_and_unknown_models() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::with(&[&backend], |plan| plan.settings.max_body = 200).await;
    let keyed = |method: &'static str, body: &'static str| {
        let rig = &rig;
        move |path: &str| rig.keyed(method, path).body(body)
    };
    let unknown = CHAT.replace("llama3.2", "nope");
    let large = CHAT.replace("hi", &"x".repeat(200));
    golden("bad JSON", keyed("POST", "{bad"), 400, [
        r#"{"error":"invalid character 'b' looking for beginning of object key string"}"#,
        r#"{"error":{"message":"invalid character 'b' looking for beginning of object key string","type":"invalid_request_error","param":null,"code":null}}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"invalid character 'b' looking for beginning of object key string"},"request_id":"req_ID"}"#,
    ])
    .await;
    golden("no model", keyed("POST", r#"{"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#), 400, [
        r#"{"error":"model is required"}"#,
        "{\"error\":{\"message\":\"model is required\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}\n",
        "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"model is required\"},\"request_id\":\"req_ID\"}\n",
    ])
    .await;
    golden("unknown model", |path| rig.keyed("POST", path).body(unknown.clone()), 404, [
        r#"{"error":"model 'nope' not found"}"#,
        "{\"error\":{\"message\":\"model 'nope' not found\",\"type\":\"not_found_error\",\"param\":null,\"code\":null}}\n",
        "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model 'nope' not found\"},\"request_id\":\"req_ID\"}\n",
    ])
    .await;
    golden("two models", keyed("POST", r#"{"model":"llama3.2","Model":"x","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#), 400, [
        r#"{"error":"duplicate member \"model\" in the request body"}"#,
        r#"{"error":{"message":"duplicate member \"model\" in the request body","type":"invalid_request_error","param":null,"code":null}}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"duplicate member \"model\" in the request body"},"request_id":"req_ID"}"#,
    ])
    .await;
    golden("too large", |path| rig.keyed("POST", path).body(large.clone()), 413, [
        r#"{"error":"request body is larger than 200 bytes"}"#,
        r#"{"error":{"message":"request body is larger than 200 bytes","type":"invalid_request_error","param":null,"code":"body_too_large"}}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"request body is larger than 200 bytes"},"request_id":"req_ID"}"#,
    ])
    .await;
    golden("compressed", |path| rig.keyed("POST", path).header("content-encoding", "gzip").body(CHAT), 415, [
        r#"{"error":"a request body with this content encoding is not supported, send it uncompressed or as zstd"}"#,
        r#"{"error":{"message":"a request body with this content encoding is not supported, send it uncompressed or as zstd","type":"invalid_request_error","param":null,"code":"unsupported_encoding"}}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"a request body with this content encoding is not supported, send it uncompressed or as zstd"},"request_id":"req_ID"}"#,
    ])
    .await;
    golden("wrong method", keyed("GET", ""), 405, [
        r#"{"error":"405 method not allowed"}"#,
        r#"{"error":{"message":"405 method not allowed","type":"invalid_request_error","param":null,"code":null}}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"405 method not allowed"},"request_id":"req_ID"}"#,
    ])
    .await;
    golden("unknown path", |path| rig.keyed("POST", &format!("{path}/nope")).body(CHAT), 404, [
        r#"{"error":"404 page not found"}"#,
        r#"{"error":{"message":"404 page not found","type":"not_found_error","param":null,"code":null}}"#,
        r#"{"type":"error","error":{"type":"not_found_error","message":"404 page not found"},"request_id":"req_ID"}"#,
    ])
    .await;
    // Only Ollama's own API manages models.
    let answer = read(rig.keyed("POST", "/api/pull").body(CHAT)).await;
    assert_eq!((answer.status, answer.body.as_str()), (403, r#"{"error":"this API key may not manage models"}"#));
    golden("cloud model", |path| rig.keyed("POST", path).body(CHAT.replace("llama3.2", "x:cloud")), 403, [
        r#"{"error":"cloud models are not available through this gateway"}"#,
        r#"{"error":{"message":"cloud models are not available through this gateway","type":"permission_error","param":null,"code":"cloud_model"}}"#,
        r#"{"type":"error","error":{"type":"permission_error","message":"cloud models are not available through this gateway"},"request_id":"req_ID"}"#,
    ])
    .await;
    assert_eq!(backend.records().requests.iter().filter(|request| request.method != "GET").count(), 0);
}

#[tokio::test]
async fn keys_and_limits() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::with(&[&backend], |plan| plan.limit = Some(RateLimit { requests: 1, minutes: 5 })).await;
    let wrong = format!("{}x", &rig.key[..rig.key.len() - 1]);
    golden("no key", |path| rig.request("POST", path).body(CHAT), 401, [
        r#"{"error":"an API key is required, sent as `Authorization: Bearer op_...`"}"#,
        r#"{"error":{"message":"an API key is required, sent as `Authorization: Bearer op_...`","type":"authentication_error","param":null,"code":"missing_api_key"}}"#,
        r#"{"type":"error","error":{"type":"authentication_error","message":"an API key is required, sent as `Authorization: Bearer op_...`"},"request_id":"req_ID"}"#,
    ])
    .await;
    golden("wrong key", |path| rig.request("POST", path).bearer_auth(&wrong).body(CHAT), 401, [
        r#"{"error":"invalid API key"}"#,
        r#"{"error":{"message":"invalid API key","type":"authentication_error","param":null,"code":"invalid_api_key"}}"#,
        r#"{"type":"error","error":{"type":"authentication_error","message":"invalid API key"},"request_id":"req_ID"}"#,
    ])
    .await;
    golden("two keys", |path| rig.keyed("POST", path).header("x-api-key", &wrong).body(CHAT), 400, [
        r#"{"error":"two different credentials were sent, send only one"}"#,
        r#"{"error":{"message":"two different credentials were sent, send only one","type":"invalid_request_error","param":null,"code":"two_credentials"}}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"two different credentials were sent, send only one"},"request_id":"req_ID"}"#,
    ])
    .await;
    assert_eq!(rig.get("/api/version").await.status, 200);
    golden("over the limit", |path| rig.keyed("POST", path).body(CHAT), 429, [
        r#"{"error":"rate limit exceeded: 1 request in 5 minutes, try again in RETRY s"}"#,
        r#"{"error":{"message":"rate limit exceeded: 1 request in 5 minutes, try again in RETRY s","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}"#,
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"rate limit exceeded: 1 request in 5 minutes, try again in RETRY s"},"request_id":"req_ID"}"#,
    ])
    .await;
    assert_eq!(backend.inference_requests().len(), 0);
}

#[tokio::test]
async fn no_backend() {
    let rig = Rig::start(&[]).await;
    let post = |path: &str| rig.keyed("POST", path).body(CHAT);
    golden("no backend", post, 503, [
        r#"{"error":"no backend that has this model is available, try again in a moment"}"#,
        r#"{"error":{"message":"no backend that has this model is available, try again in a moment","type":"api_error","param":null,"code":"no_backend"}}"#,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"no backend that has this model is available, try again in a moment"},"request_id":"req_ID"}"#,
    ])
    .await;
    let dead = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&dead]).await;
    dead.refuse_connections().await;
    let post = |path: &str| rig.keyed("POST", path).body(CHAT);
    golden("nobody listens", post, 503, [
        r#"{"error":"no backend that has this model can be reached, try again in a moment"}"#,
        r#"{"error":{"message":"no backend that has this model can be reached, try again in a moment","type":"api_error","param":null,"code":"backend_unreachable"}}"#,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"no backend that has this model can be reached, try again in a moment"},"request_id":"req_ID"}"#,
    ])
    .await;
}
