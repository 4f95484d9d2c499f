//! Bytes pass as they came, frame by frame and at once, on every inference endpoint.

use futures_util::StreamExt;
use testkit::FakeOllama;

use crate::rig::{Rig, read, read_until};

const CALLS: &[(&str, &str)] = &[
    ("/api/chat", r#"{"model":"llama3.2","messages":[{"role":"user","content":"why is the sky blue?"}]}"#),
    ("/api/chat", r#"{"model":"LLAMA3.2:latest", "messages":[{"role":"user","content":"é"}],"stream":false}"#),
    ("/api/generate", r#"{"prompt":"why","model":"library/llama3.2"}"#),
    ("/api/generate", r#"{"model":"llama3.2","prompt":"why","stream":false}"#),
    ("/api/embed", r#"{"model":"llama3.2","input":["a","b"]}"#),
    ("/api/embeddings", r#"{"model":"llama3.2","prompt":"a b"}"#),
    ("/api/show", r#"{"model":"llama3.2"}"#),
    (
        "/v1/chat/completions",
        r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#,
    ),
    ("/v1/chat/completions", r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#),
    ("/v1/completions", r#"{"model":"llama3.2","prompt":"hi","stream":true}"#),
    ("/v1/embeddings", r#"{"model":"llama3.2","input":"hi"}"#),
    ("/v1/responses", r#"{"model":"llama3.2","input":"hi","stream":true}"#),
    (
        "/v1/messages",
        r#"{"model":"llama3.2","max_tokens":50,"messages":[{"role":"user","content":"hi"}],"stream":true}"#,
    ),
    ("/v1/messages", r#"{"model":"llama3.2","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#),
];

#[tokio::test]
async fn every_endpoint_passes_bodies_byte_for_byte() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await;
    let rig = Rig::start(&[&backend]).await;
    let direct = reqwest::Client::builder().no_proxy().build().unwrap();
    for &(path, body) in CALLS {
        let through = rig.post(path, body).await;
        let at_backend = backend.requests().last().unwrap().clone();
        assert_eq!(at_backend.body, body.as_bytes(), "{path}");
        let straight = read(direct.post(format!("{}{path}", backend.base())).body(body)).await;
        assert_eq!(through.status, 200, "{path} {}", through.body);
        assert_eq!(through.header("content-type"), straight.header("content-type"), "{path}");
        assert_eq!(through.header("content-length"), straight.header("content-length"), "{path}");
        assert_eq!(through.body, straight.body, "{path} {body}");
        let streamed = matches!(through.header("content-type"), Some("application/x-ndjson" | "text/event-stream"));
        assert_eq!(through.header("x-accel-buffering"), streamed.then_some("no"), "{path}");
    }
    rig.idle().await;
}

#[tokio::test]
async fn a_frame_reaches_the_client_before_the_next_one_exists() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(3).held().start().await;
    let rig = Rig::start(&[&backend]).await;
    backend.release_chunk();
    let response =
        rig.keyed("POST", "/api/generate").body(r#"{"model":"llama3.2","prompt":"x"}"#).send().await.unwrap();
    let mut frames = response.bytes_stream();
    for word in ["The", " sky", " is"] {
        let frame = frames.next().await.unwrap().unwrap();
        let text = String::from_utf8(frame.to_vec()).unwrap();
        assert!(text.contains(&format!("\"response\":\"{word}\"")) && text.ends_with('\n'), "{text}");
        backend.release_chunk();
    }
    assert!(String::from_utf8_lossy(&frames.next().await.unwrap().unwrap()).contains("\"done\":true"));
    assert!(frames.next().await.is_none());
}

#[tokio::test]
async fn a_connection_serves_many_requests_on_both_sides() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let before = backend.connections().len();
    for _ in 0..20 {
        assert_eq!(rig.post("/api/generate", r#"{"model":"llama3.2","prompt":"x"}"#).await.status, 200);
    }
    assert_eq!(backend.inference_requests().len(), 20);
    assert!(backend.connections().len() - before <= 2, "{} connections", backend.connections().len() - before);
}

#[tokio::test]
async fn a_client_that_waits_for_permission_to_send_its_body_gets_it() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let body = r#"{"model":"llama3.2","prompt":"x","stream":false}"#;
    let head = format!(
        "POST /api/generate HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        rig.key,
        body.len()
    );
    let mut stream = rig.raw(&head).await;
    read_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
    tokio::io::AsyncWriteExt::write_all(&mut stream, body.as_bytes()).await.unwrap();
    assert!(read_until(&mut stream, "}").await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn no_query_names_another_model_than_the_body() {
    let backend = FakeOllama::builder().models(["llama3.2", "secret"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    for query in ["model=secret", "beta=true&m%6Fdel=secret", "MODEL=secret"] {
        let body = r#"{"model":"llama3.2","prompt":"x"}"#;
        let answer = rig.post(&format!("/api/generate?{query}"), body).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.body);
    }
    assert!(backend.inference_requests().is_empty());
    let body = r#"{"model":"llama3.2","prompt":"x"}"#;
    assert_eq!(rig.post("/api/generate?beta=true&remodel=x", body).await.status, 200);
}

#[tokio::test]
async fn a_transcription_is_routed_by_its_form_field() {
    let backend = FakeOllama::builder().models(["whisper"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let form = |model: &str| {
        format!(
            "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--B--\r\n"
        )
    };
    let send = |model: &str| {
        rig.keyed("POST", "/v1/audio/transcriptions")
            .header("content-type", "multipart/form-data; boundary=B")
            .body(form(model))
    };
    assert_eq!(read(send("nope")).await.status, 404);
    assert_eq!(backend.inference_requests().len(), 0);
    read(send("whisper")).await;
    assert_eq!(backend.inference_requests()[0].body, form("whisper").as_bytes());
}

#[tokio::test]
async fn a_body_of_megabytes_passes_unchanged() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let body = format!(r#"{{"prompt":"x","images":["{}"],"model":"llama3.2"}}"#, "QUJD".repeat(1_000_000));
    assert_eq!(rig.post("/api/generate", body.clone()).await.status, 200);
    assert!(backend.inference_requests()[0].body == body.as_bytes());
}

#[tokio::test]
async fn the_gateway_cannot_be_a_clients_way_to_another_path_of_a_backend() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let before = backend.requests().len();
    for target in [
        "/api/../api/chat",
        "/api/chat/../create",
        "/api/chat%2f..%2fcreate",
        "/api/chat;/create",
        "/api/./chat",
        "/API/CHAT",
    ] {
        let mut stream = rig.raw(&rig.raw_post(target, r#"{"model":"llama3.2"}"#)).await;
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        let status = &answer[9..12];
        assert!(matches!(status, "404" | "400"), "{target}: {answer}");
    }
    assert_eq!(backend.requests().len(), before);
}
