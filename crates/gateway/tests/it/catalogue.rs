//! The listing endpoints over a fleet, in good times and bad.

use std::time::Duration;

use domain::backend::BackendState;
use testkit::{FakeOllama, Fault};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::rig::{Rig, eventually};

/// Keeps the rig's catalogue fresh until the guard is dropped.
fn run(rig: &Rig) -> DropGuard {
    let stop = CancellationToken::new();
    let (gateway, until) = (rig.gateway.clone(), stop.clone());
    tokio::spawn(async move { gateway.run_catalogue(until).await });
    stop.drop_guard()
}

fn names(body: &str, list: &str, member: &str) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body[list].as_array().unwrap().iter().map(|row| row[member].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_fleet_that_hangs_answers_its_lists_at_once() {
    let one = FakeOllama::builder().models(["a", "both"]).version("0.12.1").start().await;
    let two = FakeOllama::builder().models(["b", "both"]).version("0.9.9").start().await;
    let mut rig = Rig::start(&[&one, &two]).await;
    let _running = run(&rig);
    for fake in [&one, &two] {
        fake.set(|script| script.fault = Some(Fault::HangBeforeHeaders));
    }
    let asked = [&one, &two].map(|fake| fake.records().to("/api/tags").count());
    rig.change(|plan| plan.settings.catalogue_interval = Duration::from_millis(1));
    for (fake, asked) in [&one, &two].into_iter().zip(asked) {
        fake.wait_for(|records| records.to("/api/tags").count() > asked).await;
    }
    let mut tags = names(&rig.get("/api/tags").await.body, "models", "name");
    tags.sort();
    assert_eq!(tags, ["a:latest", "b:latest", "both:latest"]);
    assert_eq!(names(&rig.get("/v1/models").await.body, "data", "id").len(), 3);
    assert_eq!(rig.get("/api/ps").await.body, r#"{"models":[]}"#);
    assert_eq!(rig.get("/api/version").await.body, r#"{"version":"0.9.9"}"#);
    assert_eq!(rig.get("/v1/models/both").await.status, 200);
    assert_eq!(rig.get("/v1/models/library%2Fboth").await.status, 200);
    assert_eq!(rig.get("/v1/models/nope").await.status, 404);
}

#[tokio::test]
async fn a_loaded_model_is_listed_after_the_next_look() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let rig = Rig::start(&[&fake]).await;
    rig.post("/api/chat", r#"{"model":"a","stream":false,"messages":[{"role":"user","content":"x"}]}"#).await;
    rig.gateway.refresh(None).await;
    assert_eq!(names(&rig.get("/api/ps").await.body, "models", "name"), ["a:latest"]);
}

#[tokio::test]
async fn what_a_cold_start_pushed_out_is_known_long_before_the_next_poll() {
    let fake = FakeOllama::builder().models(["a", "b"]).start().await;
    let rig = Rig::with(&[&fake], |plan| plan.settings.catalogue_interval = Duration::from_secs(3_600)).await;
    let _running = run(&rig);
    let chat =
        |model: &str| format!(r#"{{"model":"{model}","stream":false,"messages":[{{"role":"user","content":"x"}}]}}"#);
    let loaded = async |expected: &str| {
        let shown = async { while names(&rig.get("/api/ps").await.body, "models", "name") != [expected] {} };
        tokio::time::timeout(Duration::from_secs(20), shown).await.unwrap();
    };
    assert_eq!(rig.post("/api/chat", chat("a")).await.header("x-fortress-warm"), Some("false"));
    loaded("a:latest").await;
    // It has room for one.
    fake.set(|script| script.loaded.clear());
    assert_eq!(rig.post("/api/chat", chat("b")).await.header("x-fortress-warm"), Some("false"));
    loaded("b:latest").await;
    assert_eq!(rig.post("/api/chat", chat("a")).await.header("x-fortress-warm"), Some("false"));
}

#[tokio::test]
async fn a_backend_that_lost_a_model_is_asked_for_its_list_again() {
    let fake = FakeOllama::builder().models(["a", "b"]).start().await;
    let rig = Rig::start(&[&fake]).await;
    let _running = run(&rig);
    fake.wait_for(|records| records.to("/api/tags").count() == 2).await;
    fake.set(|script| script.models.retain(|model| model.name.starts_with('a')));
    let chat = r#"{"model":"b","stream":false,"messages":[{"role":"user","content":"x"}]}"#;
    assert_eq!(rig.post("/api/chat", chat).await.status, 404);
    let listed = || rig.gateway.live().backends[0].models.clone();
    eventually("the list is read again", || listed() == ["a:latest"]).await;
    let reached = fake.inference_requests().len();
    assert_eq!(rig.post("/api/chat", chat).await.status, 404);
    assert_eq!(fake.inference_requests().len(), reached, "the gateway knows now");
}

#[tokio::test]
async fn a_backend_added_while_it_runs_serves_and_a_change_is_told() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let mut rig = Rig::start(&[]).await;
    let _running = run(&rig);
    let changes = rig.gateway.changes();
    assert_eq!(rig.get("/api/tags").await.body, r#"{"models":[]}"#);
    rig.change(|plan| plan.backends.push(fake.url()));
    assert!(changes.has_changed().unwrap());
    eventually("the backend is up", || rig.gateway.live().backends[0].state == BackendState::Up).await;
    let chat = r#"{"model":"a","stream":false,"messages":[{"role":"user","content":"x"}]}"#;
    assert_eq!(rig.post("/api/chat", chat).await.status, 200);
}
