//! Bodies that come as Zstandard: a backend gets them as if they had come plain, every rule sees what they mean, and what
//! is made to burst does not.

use std::sync::Arc;

use domain::{policy::Policy, usage::Outcome};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::json;
use testkit::{FakeOllama, RecordedRequest};

use crate::rig::{Answer, Rig, read};

fn zstd(body: &[u8], level: i32) -> Vec<u8> {
    let mut frame = Vec::with_capacity(zstd_safe::compress_bound(body.len()));
    zstd_safe::compress(&mut frame, body, level).unwrap();
    frame
}

/// A frame of one blank, over and over: 128 KiB for each four bytes.
fn bomb(blocks: usize, window: u8) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, window];
    for block in 1..=blocks {
        let header = (0x20000_u32 << 3 | 1 << 1 | u32::from(block == blocks)).to_le_bytes();
        frame.extend_from_slice(&[header[0], header[1], header[2], b' ']);
    }
    frame
}

const MIB: u8 = 10 << 3;

async fn post(rig: &Rig, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    read(rig.keyed("POST", path).header("content-encoding", "zstd").body(body)).await
}

fn last(backend: &FakeOllama) -> RecordedRequest {
    backend.inference_requests().pop().unwrap()
}

#[tokio::test]
async fn a_backend_gets_the_plain_body_with_its_length_and_no_encoding() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::start(&[&backend]).await;
    let prompt = "why is the sky blue? ".repeat(10_000);
    let messages = json!([{"role": "user", "content": prompt}]);
    for (path, body) in [
        ("/api/generate", json!({"model": "llama3.2", "prompt": prompt})),
        ("/api/chat", json!({"model": "llama3.2", "messages": messages})),
        ("/v1/chat/completions", json!({"model": "llama3.2", "messages": messages})),
        ("/v1/responses", json!({"model": "llama3.2", "input": prompt, "stream": true})),
        ("/v1/messages", json!({"model": "llama3.2", "max_tokens": 9, "messages": messages})),
    ] {
        let (body, frame) = (body.to_string(), zstd(body.to_string().as_bytes(), 3));
        let came = frame.len() as u64;
        let chunks: Vec<_> = frame.chunks(7).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
        let chunked = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
        for compressed in [frame.into(), chunked] {
            assert_eq!(post(&rig, path, compressed).await.status, 200, "{path}");
            let seen = last(&backend);
            assert_eq!((seen.path.as_str(), seen.body.as_ref()), (path, body.as_bytes()));
            assert_eq!(seen.header("content-length"), Some(body.len().to_string().as_str()));
            for header in ["content-encoding", "transfer-encoding"] {
                assert_eq!(seen.header(header), None, "{path}");
            }
            assert_eq!(rig.record().await.bytes_in, came, "what came is counted");
        }
    }
}

#[tokio::test]
async fn rules_see_what_a_compressed_body_means() {
    let backend = FakeOllama::builder().models(["llama3.2", "secret"]).start().await;
    let rig = Rig::with(&[&backend], |plan| {
        plan.policy = Policy {
            models: vec!["llama*".parse().unwrap()],
            num_predict: Some(100),
            management: true,
            ..Policy::default()
        };
    })
    .await;
    let send = |path: &'static str, body: serde_json::Value| {
        let rig = &rig;
        async move { post(rig, path, zstd(body.to_string().as_bytes(), 1)).await }
    };
    let answer = send("/v1/responses", json!({"model": "llama3.2", "input": "x", "max_output_tokens": 9_999})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(last(&backend).json()["max_output_tokens"], 100);
    let answer = send("/api/generate", json!({"model": "secret", "prompt": "x"})).await;
    assert_eq!((answer.status, answer.body.as_str()), (404, r#"{"error":"model 'secret' not found"}"#));
    assert_eq!(send("/v1/responses", json!({"model": "x:cloud", "input": "x"})).await.status, 403);
    let twice = zstd(br#"{"model":"llama3.2","Model":"secret","prompt":"x"}"#, 1);
    assert_eq!(post(&rig, "/api/generate", twice).await.status, 400);
    assert_eq!(send("/api/delete", json!({"model": "secret"})).await.status, 405);
    assert_eq!(send("/api/copy", json!({"source": "secret", "destination": "llama"})).await.status, 404);
    assert_eq!(send("/api/copy", json!({"source": "llama3.2", "destination": "llama"})).await.status, 200);
    let seen = backend.records().to("/api/copy").last().unwrap().clone();
    assert_eq!(seen.json(), json!({"source": "llama3.2", "destination": "llama"}));
    // Nothing is still nothing.
    for empty in [Vec::new(), zstd(b"", 1)] {
        let answer = post(&rig, "/api/generate", empty).await;
        assert_eq!((answer.status, answer.body.as_str()), (400, r#"{"error":"missing request body"}"#));
    }
}

#[tokio::test]
async fn what_bursts_or_is_broken_is_refused_in_every_dialect_and_reaches_no_backend() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::with(&[&backend], |plan| {
        plan.settings.max_body = 1 << 20;
        plan.settings.body_memory = 4 << 20;
    })
    .await;
    let good =
        zstd(br#"{"model":"llama3.2","prompt":"x","messages":[{"role":"user","content":"x"}],"max_tokens":9}"#, 1);
    // A gigabyte in one frame, in many frames, and 32 MiB out of a kilobyte.
    let bombs = [bomb(8_192, MIB), bomb(1, MIB).repeat(8_192), bomb(250, MIB)];
    assert!(bombs[2].len() < 1_024);
    let broken = [
        good[..good.len() - 1].to_vec(),
        [good.clone(), b"garbage".to_vec()].concat(),
        bomb(1, 31 << 3),
        bomb(1, 14 << 3),
        br#"{"model":"llama3.2","prompt":"x"}"#.to_vec(),
    ];
    let faults = bombs.iter().map(|body| (413, body)).chain(broken.iter().map(|body| (400, body)));
    for (status, body) in faults {
        for path in ["/api/generate", "/api/chat", "/v1/chat/completions", "/v1/responses", "/v1/messages"] {
            let answer = post(&rig, path, body.clone()).await;
            assert_eq!(answer.status, status, "{path} {answer:?}");
            let error: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            let message = match path {
                "/api/generate" | "/api/chat" => error["error"].as_str(),
                _ => error["error"]["message"].as_str(),
            };
            let wanted = if status == 413 { "request body is larger than 1048576 bytes" } else { "zstd" };
            assert!(message.is_some_and(|text| text.contains(wanted)), "{path} {answer:?}");
            let record = rig.record().await;
            assert_eq!((record.status, record.outcome), (status, Outcome::Refused));
        }
    }
    for coding in ["zstd, zstd", "zstd, gzip", "gzip", "br", "deflate"] {
        let request = rig.keyed("POST", "/api/generate").header("content-encoding", coding).body(good.clone());
        let answer = read(request).await;
        assert_eq!((answer.status, answer.header("accept-encoding")), (415, Some("zstd")), "{coding}");
        assert!(answer.body.contains("send it uncompressed or as zstd"), "{answer:?}");
    }
    assert_eq!(backend.inference_requests().len(), 0);
    rig.idle().await;
    assert_eq!(post(&rig, "/api/generate", good).await.status, 200, "the gateway goes on");
}

#[tokio::test]
async fn a_small_frame_that_would_take_the_room_of_many_is_refused_within_the_limit_of_bodies() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let request = br#"{"model":"llama3.2","prompt":"x"}"#;
    let body = [bomb(450, MIB), zstd(request, 1)].concat();
    assert!(body.len() < 2_048);
    let answer = post(&rig, "/api/generate", body).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(backend.inference_requests().len(), 0);
}

#[tokio::test]
async fn bombs_at_once_hold_no_more_than_the_budget_and_nobody_else_up() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::with(&[&backend], |plan| {
        plan.settings.max_body = 4 << 20;
        plan.settings.body_memory = 4 << 20;
    })
    .await;
    let rig = Arc::new(rig);
    let bombs: Vec<_> = (0..64)
        .map(|_| {
            let rig = rig.clone();
            tokio::spawn(async move { post(&rig, "/api/generate", bomb(8_192, MIB)).await.status })
        })
        .collect();
    for _ in 0..32 {
        assert_eq!(rig.post("/api/generate", r#"{"model":"llama3.2","prompt":"x"}"#).await.status, 200);
    }
    for bomb in bombs {
        let status = bomb.await.unwrap();
        assert!(matches!(status, 413 | 503), "{status}");
    }
    // All that they held is free: the largest body fits in again.
    let large = format!(r#"{{"model":"llama3.2","prompt":"{}"}}"#, "x".repeat((4 << 20) - 100));
    assert_eq!(rig.post("/api/generate", large.clone()).await.status, 200);
    assert_eq!(last(&backend).body, large.as_bytes());
}

#[test]
fn any_body_at_any_level_arrives_as_the_same_bytes() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (backend, rig) = runtime.block_on(async {
        let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
        let rig = Rig::start(&[&backend]).await;
        (backend, rig)
    });
    let piece = prop::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter);
    let prompt = prop::collection::vec((piece, 1_usize..400), 0..6);
    // A request of its own for each case: a few hundred, because every one of them is kept to be compared.
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) });
    let outcome = runner.run(&(prompt, -7_i32..=19), |(pieces, level)| {
        let prompt: String = pieces.iter().map(|(piece, times)| piece.repeat(*times)).collect();
        let body = json!({"model": "llama3.2", "prompt": prompt}).to_string();
        runtime.block_on(async {
            let answer = post(&rig, "/api/generate", zstd(body.as_bytes(), level)).await;
            prop_assert_eq!(answer.status, 200);
            prop_assert_eq!(last(&backend).body, body.as_bytes());
            Ok(())
        })
    });
    outcome.unwrap();
}
