//! Limits as clients see them: headers that count down, a 429 in the caller's dialect, and a body nobody reads.

use domain::{limit::RateLimit, usage::Outcome};
use testkit::FakeOllama;
use tokio::io::AsyncWriteExt;

use crate::rig::{Rig, read_to_close, read_until, second_key};

const LIMIT: RateLimit = RateLimit { requests: 2, minutes: 1 };

#[tokio::test]
async fn a_limited_key_is_told_its_quota_and_refused_beyond_it() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::with(&[&backend], |plan| plan.limit = Some(LIMIT)).await;
    for remaining in ["r=1", "r=0"] {
        let answer = rig.post("/api/generate", r#"{"model":"llama3.2","prompt":"x"}"#).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"key\";q=2;w=60"));
        assert!(answer.header("ratelimit").unwrap().contains(remaining), "{answer:?}");
        assert_eq!(rig.record().await.outcome, Outcome::Complete);
    }
    let answer = rig.post("/api/generate", r#"{"model":"llama3.2","prompt":"x"}"#).await;
    assert_eq!(answer.status, 429);
    let retry: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=66).contains(&retry), "{retry}");
    let quota = answer.header("ratelimit").unwrap();
    let remaining: u64 = quota.strip_prefix("\"key\";r=0;t=").unwrap().parse().unwrap();
    assert!(retry >= remaining, "whoever waits as told is not told to wait again: {retry} {quota}");
    let expected = format!(r#"{{"error":"rate limit exceeded: 2 requests in 1 minute, try again in {retry} s"}}"#);
    assert_eq!(answer.body, expected);
    let record = rig.record().await;
    assert_eq!((record.status, record.outcome), (429, Outcome::Refused));
    let answer = rig.post("/v1/chat/completions", "{}").await;
    assert!(
        answer.body.contains(r#""type":"rate_limit_error","param":null,"code":"rate_limit_exceeded""#),
        "{}",
        answer.body
    );
    assert_eq!(backend.inference_requests().len(), 2);
}

/// Ten times its limit in refusals and one more: the connection goes, so that the next try costs the client a new one.
#[tokio::test]
async fn a_client_that_hammers_loses_its_connection_and_nobody_else_does() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::with(&[&backend], |plan| plan.limit = Some(LIMIT)).await;
    let call = format!("GET /api/tags HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\n\r\n", rig.key);
    let mut stream = rig.raw("").await;
    for number in 1..=22 {
        stream.write_all(call.as_bytes()).await.unwrap();
        let end = if number <= 2 { "]}" } else { " s\"}" };
        let answer = read_until(&mut stream, end).await.to_lowercase();
        assert!(answer.starts_with(if number <= 2 { "http/1.1 200" } else { "http/1.1 429" }), "{number}: {answer}");
        assert!(!answer.contains("connection: close"), "{number}: {answer}");
    }
    stream.write_all(call.as_bytes()).await.unwrap();
    let last = read_to_close(&mut stream).await.to_lowercase();
    assert!(last.starts_with("http/1.1 429") && last.contains("\r\nconnection: close\r\n"), "{last}");
    let other = crate::rig::read(rig.request("GET", "/api/tags").bearer_auth(second_key())).await;
    assert_eq!((other.status, other.header("connection")), (200, None));
}

#[tokio::test]
async fn the_default_limit_is_for_keys_without_their_own_and_changes_apply_at_once() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::with(&[&backend], |plan| plan.settings.default_limit = Some(LIMIT)).await;
    assert_eq!(rig.get("/api/tags").await.status, 200);
    assert_eq!(rig.get("/api/tags").await.status, 200);
    assert_eq!(rig.get("/api/tags").await.status, 429);
    rig.change(|plan| plan.limit = Some(RateLimit { requests: 3, minutes: 1 }));
    assert_eq!(rig.get("/api/tags").await.status, 200);
    assert_eq!(rig.get("/api/tags").await.status, 429);
    rig.change(|plan| (plan.limit, plan.settings.default_limit) = (None, None));
    let free = rig.get("/api/tags").await;
    assert_eq!((free.status, free.header("ratelimit")), (200, None));
}

#[tokio::test]
async fn a_hundred_callers_at_once_get_exactly_the_limit() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::with(&[&backend], |plan| plan.limit = Some(RateLimit { requests: 20, minutes: 60 })).await;
    let answers = futures_util::future::join_all((0..100).map(|_| rig.get("/api/tags"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 20);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 80);
}
