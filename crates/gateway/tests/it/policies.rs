//! What the policies of a key and its user refuse: too much at once, other addresses, other models, after its time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::{
    id::KeyId,
    network::Networks,
    policy::{Classes, Policy, Standing},
    usage::Outcome,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use testkit::FakeOllama;
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, eventually, read, read_to_close, read_until, second_key};

const CHAT: &str = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;

fn standing(rig: &Rig) -> Standing {
    rig.gateway.standing(&KeyId::new("keykeykeykey").unwrap()).unwrap()
}

fn only(models: &[&str]) -> Policy {
    Policy { models: models.iter().map(|model| model.parse().unwrap()).collect(), ..Policy::default() }
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// T39.
#[tokio::test]
async fn of_fifty_streams_on_four_places_forty_six_are_refused() {
    let backend = FakeOllama::builder().models(["llama3.2"]).held().start().await;
    let rig = Rig::with(&[&backend], |plan| plan.policy.concurrent = Some(4)).await;
    let mut calls: FuturesUnordered<_> = (0..50).map(|_| rig.post("/api/chat", CHAT)).collect();
    for _ in 0..46 {
        let answer = calls.next().await.unwrap();
        assert_eq!(answer.status, 429);
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("ratelimit-policy"), Some("\"concurrent\";q=4;qu=\"concurrent-requests\""));
        assert_eq!(answer.header("ratelimit"), Some("\"concurrent\";r=0;t=1"));
        assert_eq!(
            answer.body,
            r#"{"error":"too many requests at once: this API key may have 4 running, try again in 1 s"}"#
        );
    }
    backend.wait_for(|seen| seen.inference().count() == 4).await;
    assert_eq!((standing(&rig).key.concurrent.used, standing(&rig).key.concurrent.limit), (4, Some(4)));
    backend.release_all();
    while let Some(answer) = calls.next().await {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(backend.inference_requests().len(), 4);
    eventually("all places are free", || standing(&rig).key.concurrent.used == 0).await;
    assert_eq!(rig.post("/api/chat", CHAT).await.status, 200);
}

#[tokio::test]
async fn all_keys_of_a_user_share_its_places_and_each_dialect_is_told() {
    let backend = FakeOllama::builder().models(["llama3.2"]).held().start().await;
    let mut rig = Rig::with(&[&backend], |plan| plan.user_policy.concurrent = Some(1)).await;
    let stream = rig.raw(&rig.raw_post("/api/chat", CHAT)).await;
    backend.wait_for(|seen| seen.inference().count() == 1).await;
    let with_second = |path| read(rig.request("POST", path).bearer_auth(second_key()).body(CHAT));
    let refused = with_second("/api/chat").await;
    assert_eq!(refused.status, 429);
    assert!(refused.body.contains("this user's API keys may together have 1 running"), "{}", refused.body);
    let openai = with_second("/v1/chat/completions").await;
    assert!(
        openai.body.contains(r#""type":"rate_limit_error","param":null,"code":"concurrency_exceeded""#),
        "{openai:?}"
    );
    let anthropic = with_second("/v1/messages").await;
    assert!(anthropic.body.contains(r#""error":{"type":"rate_limit_error""#), "{anthropic:?}");
    assert_eq!(rig.record().await.outcome, Outcome::Refused);
    // Whoever hangs up gives its place back at once, before the backend has said a word.
    drop(stream);
    eventually("the place is free", || standing(&rig).user.concurrent.used == 0).await;
    backend.release_all();
    assert_eq!(read(rig.request("POST", "/api/chat").bearer_auth(second_key()).body(CHAT)).await.status, 200);
}

#[tokio::test]
async fn hanging_up_in_the_middle_of_a_stream_frees_the_place() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(8).held().start().await;
    let rig = Rig::with(&[&backend], |plan| plan.policy.concurrent = Some(1)).await;
    let mut stream = rig.raw(&rig.raw_post("/api/chat", CHAT)).await;
    backend.release_chunks(4);
    read_until(&mut stream, "sky").await;
    assert_eq!(rig.post("/api/chat", CHAT).await.status, 429);
    drop(stream);
    eventually("the place is free", || standing(&rig).key.concurrent.used == 0).await;
    backend.release_all();
    assert_eq!(rig.post("/api/chat", CHAT).await.status, 200);
}

#[tokio::test]
async fn a_refusal_for_what_runs_takes_nothing_from_the_request_limit() {
    let backend = FakeOllama::builder().models(["llama3.2"]).held().start().await;
    let rig = Rig::with(&[&backend], |plan| {
        plan.policy.concurrent = Some(1);
        plan.limit = domain::limit::RateLimit::new(2, 60);
    })
    .await;
    let first = rig.raw(&rig.raw_post("/api/chat", CHAT)).await;
    backend.wait_for(|seen| seen.inference().count() == 1).await;
    for _ in 0..5 {
        assert_eq!(rig.post("/api/chat", CHAT).await.status, 429);
    }
    let window = standing(&rig).window.unwrap();
    assert_eq!((window.used, window.left), (1, 1));
    assert!(window.reset_s > 3_500, "{window:?}");
    drop(first);
    eventually("the place is free", || standing(&rig).key.concurrent.used == 0).await;
    backend.release_all();
    assert_eq!(rig.post("/api/chat", CHAT).await.status, 200);
    assert_eq!(standing(&rig).window.unwrap().left, 0);
}

#[tokio::test]
async fn a_key_is_used_from_its_networks_only() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::with(&[&backend], |plan| plan.policy.networks = Networks::parse("10.0.0.0/8").unwrap()).await;
    let message = "this API key may not be used from this address";
    let refused = rig.post("/api/chat", CHAT).await;
    assert_eq!((refused.status, refused.body), (403, format!(r#"{{"error":"{message}"}}"#)));
    assert_eq!(rig.record().await.status, 403);
    let refused = rig.get("/v1/models").await;
    assert!(
        refused.body.contains(r#""type":"permission_error","param":null,"code":"address_forbidden""#),
        "{refused:?}"
    );
    rig.change(|plan| {
        plan.policy.networks = Networks::parse("::ffff:127.0.0.0/104").unwrap();
        plan.user_policy.networks = Networks::parse("127.0.0.1").unwrap();
    });
    assert_eq!(rig.post("/api/chat", CHAT).await.status, 200);
    rig.change(|plan| plan.user_policy.networks = Networks::parse("127.0.0.2").unwrap());
    assert_eq!(rig.post("/api/chat", CHAT).await.status, 403);
    assert_eq!(backend.inference_requests().len(), 1);
}

#[tokio::test]
async fn other_models_do_not_exist_for_a_key() {
    let backend = FakeOllama::builder().models(["llama3.2", "qwen3:8b", "secret"]).start().await;
    let mut rig = Rig::with(&[&backend], |plan| plan.policy = only(&["llama3.2", "qwen3:*"])).await;
    let body = |path: &str, model: &str| match path {
        "/api/generate" | "/v1/completions" => format!(r#"{{"model":"{model}","prompt":"x"}}"#),
        "/api/embed" | "/v1/embeddings" | "/v1/responses" => format!(r#"{{"model":"{model}","input":"x"}}"#),
        "/api/embeddings" => format!(r#"{{"model":"{model}","prompt":"x"}}"#),
        _ => format!(r#"{{"model":"{model}","max_tokens":9,"messages":[{{"role":"user","content":"hi"}}]}}"#),
    };
    for path in [
        "/api/show",
        "/api/generate",
        "/api/chat",
        "/api/embed",
        "/api/embeddings",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/responses",
        "/v1/messages",
    ] {
        for name in ["secret", "SECRET:latest", "library/secret", "registry.ollama.ai/library/secret"] {
            let hidden = rig.post(path, body(path, name)).await;
            let unknown =
                rig.post(path, body(path, &name.replace("secret", "absent").replace("SECRET", "ABSENT"))).await;
            assert_eq!((hidden.status, unknown.status), (404, 404), "{path} {name}");
            let without_id = |text: &str| text.split("\"request_id\"").next().unwrap().to_owned();
            let expected = unknown.body.replace("absent", "secret").replace("ABSENT", "SECRET");
            assert_eq!(without_id(&hidden.body), without_id(&expected), "{path} {name}");
        }
    }
    assert_eq!(backend.records().to("/api/show").count() + backend.inference_requests().len(), 0);
    for name in ["LLAMA3.2", "library/llama3.2:latest", "qwen3:8b"] {
        assert_eq!(rig.post("/api/chat", body("/api/chat", name)).await.status, 200, "{name}");
    }
    assert_eq!(rig.get("/v1/models/secret").await.status, 404);
    assert_eq!(rig.get("/v1/models/Llama3.2").await.status, 200);
    rig.change(|plan| plan.user_policy = only(&["llama*"]));
    assert_eq!(rig.post("/api/chat", body("/api/chat", "qwen3:8b")).await.status, 404, "both must admit it");
    rig.change(|plan| (plan.policy, plan.user_policy) = (Policy::default(), Policy::default()));
    assert_eq!(rig.post("/api/chat", body("/api/chat", "secret")).await.status, 200, "a change counts at once");
}

/// T38.
#[tokio::test]
async fn no_key_ever_sees_the_list_of_another() {
    let backend = FakeOllama::builder().models(["llama3.2", "qwen3:8b"]).start().await;
    let rig = Rig::with(&[&backend], |plan| {
        plan.policy = only(&["llama3.2"]);
        plan.second_policy = only(&["qwen3:*"]);
    })
    .await;
    for (key, model) in [(rig.key.clone(), "llama3.2"), (second_key(), "qwen3:8b")] {
        let chat = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
        assert_eq!(read(rig.request("POST", "/api/chat").bearer_auth(key).body(chat)).await.status, 200);
    }
    rig.gateway.refresh(None).await;
    for round in 0..testkit::rounds(1_000, 10_000) {
        for (key, own, other) in [(&rig.key, "\"llama3.2", "\"qwen3"), (&second_key(), "\"qwen3:8b", "\"llama3")] {
            let path = ["/api/tags", "/v1/models", "/api/ps"][round % 3];
            let answer = read(rig.request("GET", path).bearer_auth(key)).await;
            assert!(answer.body.contains(own) && !answer.body.contains(other), "{path}: {}", answer.body);
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
}

#[tokio::test]
async fn a_key_that_may_use_nothing_sees_empty_lists() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::with(&[&backend], |plan| plan.policy = only(&["none"])).await;
    assert_eq!(rig.get("/api/tags").await.body, r#"{"models":[]}"#);
    assert_eq!(rig.get("/api/ps").await.body, r#"{"models":[]}"#);
    assert_eq!(rig.get("/v1/models").await.body, r#"{"object":"list","data":[]}"#);
}

#[tokio::test]
async fn classes_that_are_turned_off_are_refused_for_everybody() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::with(&[&backend], |plan| {
        plan.settings.classes = Classes { inference: false, ..Classes::default() };
        plan.policy.management = true;
    })
    .await;
    assert_eq!(rig.post("/api/chat", CHAT).await.status, 403);
    assert_eq!(rig.get("/api/tags").await.status, 200);
    rig.change(|plan| plan.settings.classes = Classes { catalogue: false, ..Classes::default() });
    assert_eq!(rig.post("/api/chat", CHAT).await.status, 200);
    let refused = rig.get("/v1/models").await;
    assert!(refused.status == 403 && refused.body.contains("class_forbidden"), "{refused:?}");
    assert_eq!(rig.get("/api/status").await.status, 200, "what the gateway says of itself is no class");
    assert_eq!(backend.inference_requests().len(), 1);
}

#[tokio::test]
async fn a_stream_ends_when_its_key_expires() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(8).held().start().await;
    let rig = Rig::with(&[&backend], |plan| plan.policy.expires_at = Some(unix_ms() + 1_500)).await;
    let stop = CancellationToken::new();
    let (gateway, until) = (rig.gateway.clone(), stop.clone());
    tokio::spawn(async move { gateway.run_catalogue(until).await });
    let _stop = stop.drop_guard();
    let mut stream = rig.raw(&rig.raw_post("/api/chat", CHAT)).await;
    backend.release_chunks(2);
    read_until(&mut stream, "The").await;
    let rest = tokio::time::timeout(Duration::from_secs(10), read_to_close(&mut stream)).await.unwrap();
    assert!(rest.contains(r#"{"error":"the API key is no longer valid"}"#), "{rest}");
    let refused = rig.post("/api/chat", CHAT).await;
    assert_eq!((refused.status, refused.body.as_str()), (401, r#"{"error":"invalid API key"}"#));
}
