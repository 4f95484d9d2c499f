//! Token and GPU budgets over real requests: what is charged when an answer ends, however it ends.

use domain::{
    id::{KeyId, UserId},
    policy::{Meter, Standing},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use gateway::Spend;
use testkit::{FakeOllama, Fault};

use crate::rig::{Answer, Rig, eventually, read, read_until, second_key};

/// Three words of prompt, and the fake counts words.
const GENERATE: &str = r#"{"model":"llama3.2","prompt":"why so blue"}"#;

fn standing(rig: &Rig) -> Standing {
    rig.gateway.standing(&KeyId::new("keykeykeykey").unwrap()).unwrap()
}

fn day(rig: &Rig) -> Meter {
    standing(rig).key.tokens_day
}

async fn generate(rig: &Rig) -> Answer {
    rig.post("/api/generate", GENERATE).await
}

#[tokio::test]
async fn a_budget_is_charged_what_the_backend_counted_and_then_refuses() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await;
    let mut rig = Rig::with(&[&backend], |plan| plan.policy.tokens_per_day = Some(16)).await;
    for used in [8, 16] {
        assert_eq!(generate(&rig).await.status, 200);
        eventually("the request is settled", || day(&rig) == Meter { used, reserved: 0, limit: Some(16) }).await;
    }
    let refused = generate(&rig).await;
    assert_eq!(refused.status, 429);
    let retry: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&retry), "{retry}");
    assert_eq!(refused.header("ratelimit-policy"), Some("\"tokens-day\";q=16;qu=\"tokens\";w=86400"));
    assert_eq!(
        refused.body,
        format!(r#"{{"error":"token budget used up: this API key has 16 tokens a day, try again in {retry} s"}}"#)
    );
    let openai = rig.post("/v1/completions", r#"{"model":"llama3.2","prompt":"x"}"#).await;
    assert!(openai.body.contains(r#""code":"token_budget_exceeded""#), "{}", openai.body);
    // What uses no tokens goes on.
    assert_eq!(rig.post("/api/show", r#"{"model":"llama3.2"}"#).await.status, 200);
    assert_eq!(rig.get("/api/tags").await.status, 200);
    rig.change(|plan| plan.policy.tokens_per_day = Some(17));
    assert_eq!(generate(&rig).await.status, 200, "a change counts at once");
    assert_eq!(backend.inference_requests().len(), 3);
}

#[tokio::test]
async fn every_dialect_is_charged_the_same() {
    let backend = FakeOllama::builder().models(["llama3.2", "embed"]).chunks(5).start().await;
    let rig = Rig::with(&[&backend], |plan| plan.policy.tokens_per_month = Some(1_000_000)).await;
    let month = |rig: &Rig| standing(rig).key.tokens_month;
    for (path, body, tokens) in [
        ("/api/generate", r#"{"model":"llama3.2","prompt":"a b c","stream":false}"#, 8),
        ("/api/chat", r#"{"model":"llama3.2","messages":[{"role":"user","content":"a b c"}]}"#, 8),
        ("/api/embed", r#"{"model":"embed","input":["a b","c"]}"#, 3),
        ("/v1/chat/completions", r#"{"model":"llama3.2","messages":[{"role":"user","content":"a b c"}]}"#, 8),
        ("/v1/messages", r#"{"model":"llama3.2","max_tokens":9,"messages":[{"role":"user","content":"a b c"}]}"#, 8),
        ("/v1/responses", r#"{"model":"llama3.2","input":"a b c","stream":true}"#, 8),
    ] {
        let before = month(&rig).used;
        assert_eq!(rig.post(path, body).await.status, 200, "{path}");
        eventually(path, || month(&rig).reserved == 0 && month(&rig).used == before + tokens).await;
    }
}

#[tokio::test]
async fn a_running_request_holds_its_estimate() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(5).held().start().await;
    let rig = Rig::with(&[&backend], |plan| plan.policy.tokens_per_minute = Some(100)).await;
    let body = r#"{"model":"llama3.2","prompt":"why so blue","options":{"num_predict":97}}"#;
    let stream = rig.raw(&rig.raw_post("/api/generate", body)).await;
    backend.wait_for(|seen| seen.inference().count() == 1).await;
    assert_eq!(standing(&rig).key.tokens_minute, Meter { used: 0, reserved: 100, limit: Some(100) });
    let refused = generate(&rig).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    drop(stream);
    // Who leaves pays for the prompt: 11 bytes are three tokens.
    eventually("settled", || standing(&rig).key.tokens_minute == Meter { used: 3, reserved: 0, limit: Some(100) })
        .await;
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_what_was_done() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(8).held().start().await;
    let rig = Rig::with(&[&backend], |plan| plan.policy.tokens_per_day = Some(1_000)).await;
    let mut stream = rig.raw(&rig.raw_post("/api/generate", GENERATE)).await;
    backend.release_chunks(4);
    read_until(&mut stream, "sky").await;
    drop(stream);
    eventually("settled", || day(&rig).reserved == 0).await;
    let used = day(&rig).used;
    assert!((3 + 2..=3 + 4).contains(&used), "{used}");
}

#[tokio::test]
async fn a_backend_that_dies_is_charged_for_what_it_said_and_an_error_for_nothing() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(8).start().await;
    let rig = Rig::with(&[&backend], |plan| plan.policy.tokens_per_day = Some(1_000)).await;
    backend.set(|script| script.fault_at("/api/generate", Fault::Status(500)));
    assert_eq!(generate(&rig).await.status, 500);
    eventually("settled", || day(&rig).reserved == 0).await;
    assert_eq!(day(&rig).used, 0);
    backend.set(|script| script.fault_at("/api/generate", Fault::CloseBeforeHeaders));
    assert_eq!(generate(&rig).await.status, 502);
    assert_eq!((day(&rig).used, day(&rig).reserved), (0, 0));
    backend.set(|script| script.fault_at("/api/generate", Fault::CutAfter(2)));
    let mut stream = rig.raw(&rig.raw_post("/api/generate", GENERATE)).await;
    crate::rig::read_to_close(&mut stream).await;
    eventually("settled", || day(&rig) == Meter { used: 3 + 2, reserved: 0, limit: Some(1_000) }).await;
}

#[tokio::test]
async fn gpu_time_is_the_backends_own_and_its_budget_ends() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::with(&[&backend], |plan| plan.user_policy.gpu_seconds_per_day = Some(5)).await;
    assert_eq!(generate(&rig).await.status, 200);
    // The fake says that it worked 5.04 seconds.
    eventually("settled", || standing(&rig).user.gpu_seconds_day.used == 6).await;
    let refused = read(rig.request("POST", "/api/generate").bearer_auth(second_key()).body(GENERATE)).await;
    assert_eq!(refused.status, 429, "all keys of the user share it");
    assert!(refused.body.contains("all API keys of this user together have 5 GPU seconds a day"), "{}", refused.body);
    assert_eq!(refused.header("ratelimit-policy"), Some("\"gpu-day\";q=5;qu=\"gpu-seconds\";w=86400"));
}

#[tokio::test]
async fn requests_at_once_pass_a_budget_of_gpu_time_by_what_one_takes() {
    let backend = FakeOllama::builder().models(["llama3.2"]).held().start().await;
    let rig = Rig::with(&[&backend], |plan| plan.policy.gpu_seconds_per_day = Some(6)).await;
    // Each is said to have worked 5.04 seconds; what nobody knows yet is taken to be ten.
    for (used, left) in [(6, 19), (11, 19)] {
        let mut calls: FuturesUnordered<_> = (0..20).map(|_| generate(&rig)).collect();
        for _ in 0..left {
            assert_eq!(calls.next().await.unwrap().status, 429);
        }
        backend.release_all();
        assert_eq!(calls.next().await.unwrap().status, 200);
        eventually("settled", || standing(&rig).key.gpu_seconds_day.used == used).await;
        assert_eq!(standing(&rig).key.gpu_seconds_day.reserved, 0);
        backend.hold();
    }
    assert_eq!(generate(&rig).await.status, 429);
}

#[tokio::test]
async fn what_was_used_before_a_restart_counts() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await;
    let rig = Rig::with(&[&backend], |plan| {
        plan.policy.tokens_per_day = Some(100);
        plan.user_policy.tokens_per_month = Some(1_000);
    })
    .await;
    let spend = |key: &str, day_tokens, month_tokens| Spend {
        key: KeyId::new(key).unwrap(),
        user: UserId::new("useruseruser").unwrap(),
        day_tokens,
        month_tokens,
        gpu_ms: 7_000,
    };
    rig.gateway.seed_spend(&[spend("keykeykeykey", 99, 400), spend("secondsecond", 5, 599)]);
    let now = standing(&rig);
    assert_eq!((now.key.tokens_day.used, now.key.tokens_month.used, now.user.tokens_month.used), (99, 400, 999));
    assert_eq!((now.key.gpu_seconds_day.used, now.user.gpu_seconds_day.used), (7, 14));
    assert_eq!(generate(&rig).await.status, 200, "one token is left");
    eventually("settled", || day(&rig).used == 107).await;
    assert!(generate(&rig).await.body.contains("this API key has 100 tokens a day"));
    let second = read(rig.request("POST", "/api/generate").bearer_auth(second_key()).body(GENERATE)).await;
    assert!(second.body.contains("all API keys of this user together have 1000 tokens a month"), "{}", second.body);
    rig.gateway.seed_spend(&[spend("keykeykeykey", 0, 0)]);
    assert_eq!(day(&rig).used, 107, "a seed never lowers a count");
}

#[tokio::test]
async fn keys_without_a_policy_are_not_counted() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    assert_eq!(generate(&rig).await.status, 200);
    assert_eq!(standing(&rig), Standing::default());
    assert_eq!(rig.gateway.standing(&KeyId::new("unknownxxxxx").unwrap()), None);
}
