//! One record for every request with a valid key, saying what it was and what it used.

use domain::{endpoint::Endpoint, usage::Outcome};
use serde_json::json;
use testkit::FakeOllama;

use crate::rig::Rig;

#[tokio::test]
async fn every_dialects_tokens_are_recorded() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await;
    let mut rig = Rig::start(&[&backend]).await;
    let message = r#""messages":[{"role":"user","content":"one two three"}]"#;
    for (endpoint, rest, streams) in [
        (Endpoint::Chat, message.to_owned(), [",\"stream\":true", ",\"stream\":false"]),
        (Endpoint::Generate, r#""prompt":"one two three""#.to_owned(), ["", ",\"stream\":false"]),
        (Endpoint::OpenAiChat, message.to_owned(), [r#","stream":true,"stream_options":{"include_usage":true}"#, ""]),
        (Endpoint::AnthropicMessages, format!("{message},\"max_tokens\":99"), [",\"stream\":true", ""]),
    ] {
        for stream in streams {
            let body = format!(r#"{{"model":"LLAMA3.2",{rest}{stream}}}"#);
            let answer = rig.post(endpoint.path(), body.clone()).await;
            let record = rig.record().await;
            assert_eq!(
                (record.prompt_tokens, record.completion_tokens, record.tokens_estimated),
                (Some(3), Some(5), false),
                "{body}"
            );
            assert_eq!((record.endpoint, record.status, record.outcome), (endpoint, 200, Outcome::Complete), "{body}");
            assert_eq!((record.model.as_deref(), record.unresolved), (Some("llama3.2:latest"), false));
            assert_eq!((record.bytes_in, record.bytes_out), (body.len() as u64, answer.body.len() as u64));
            assert_eq!(format!("{:016x}", record.request_id), answer.header("x-request-id").unwrap());
            assert!(record.ttft_us.unwrap() <= record.total_us);
            assert_eq!(record.address, Some(std::net::Ipv4Addr::LOCALHOST.into()));
            if endpoint == Endpoint::Chat {
                assert_eq!(record.load_us, 5025);
            }
        }
    }
}

#[tokio::test]
async fn a_stream_without_usage_is_counted_and_marked_as_an_estimate() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await;
    let mut rig = Rig::start(&[&backend]).await;
    let long = "four bytes a token ".repeat(1_000);
    for (path, member, prompt) in [
        ("/v1/chat/completions", json!({"messages": [{"role": "user", "content": "x"}]}), 8..=8),
        ("/v1/chat/completions", json!({"messages": [{"role": "user", "content": long}]}), 4_750..=4_760),
        ("/v1/completions", json!({"prompt": "12345678"}), 2..=2),
    ] {
        let mut body = json!({"model": "llama3.2", "stream": true});
        body.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
        rig.post(path, body.to_string()).await;
        let record = rig.record().await;
        assert_eq!(record.outcome, Outcome::Complete);
        assert!(record.tokens_estimated, "{record:?}");
        assert_eq!(record.completion_tokens, Some(5), "one a piece");
        assert!(record.prompt_tokens.is_some_and(|tokens| prompt.contains(&tokens)), "{record:?}");
        // What the backend counts itself is no estimate.
        body["stream_options"] = json!({"include_usage": true});
        rig.post(path, body.to_string()).await;
        let record = rig.record().await;
        assert!(!record.tokens_estimated && record.prompt_tokens != Some(*prompt.start()), "{record:?}");
    }
    rig.post("/api/embeddings", r#"{"model":"llama3.2","prompt":"12345678"}"#).await;
    let record = rig.record().await;
    assert_eq!((record.prompt_tokens, record.tokens_estimated), (Some(2), true));
}

#[tokio::test]
async fn refused_and_local_requests_are_recorded_too() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::start(&[&backend]).await;
    let long = "x".repeat(10_000);
    rig.post("/api/chat", format!(r#"{{"model":"{long}:y"}}"#)).await;
    let record = rig.record().await;
    assert!(record.model.as_ref().is_some_and(|model| model.len() == 200), "{record:?}");
    assert_eq!((record.outcome, record.backend, record.unresolved), (Outcome::Refused, None, true));
    for model in ["x:cloud", "a b", "nope"] {
        rig.post("/v1/completions", format!(r#"{{"model":"{model}"}}"#)).await;
        let record = rig.record().await;
        assert_eq!((record.model.as_deref(), record.unresolved), (Some(model), true));
    }
    let answer = rig.get("/api/tags").await;
    let record = rig.record().await;
    assert_eq!(
        (record.endpoint, record.outcome, record.bytes_out),
        (Endpoint::Tags, Outcome::Complete, answer.body.len() as u64)
    );
    rig.post("/api/pull", "{}").await;
    assert_eq!(rig.record().await.status, 403);
    rig.get("/api/nope").await;
    rig.request("GET", "/api/tags").send().await.unwrap();
    rig.no_record();
}

#[tokio::test]
async fn a_full_channel_drops_records_and_counts_them() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    for _ in 0..1_003 {
        assert_eq!(rig.get("/api/status").await.status, 200);
    }
    assert_eq!(rig.gateway.live().usage_dropped, 3);
}
