//! Backends and settings as they reach the gateway.

use std::time::Duration;

use domain::{
    backend::{BackendRef, BackendState, EditBackend, ProbeAddress, SetBackendEnabled},
    limit::RateLimit,
    settings::{RedisState, SaveSettings, Source},
};
use testkit::FakeOllama;

use super::*;

fn edit(id: &domain::id::BackendId, url: &str, token: &str, clear_token: bool) -> EditBackend {
    EditBackend { id: id.clone(), name: "gpu".into(), url: url.into(), token: token.into(), clear_token }
}

#[tokio::test]
async fn a_backend_is_named_and_reached_once() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let closed = bench.control.add_backend(&actor, add("gpu", "http://127.0.0.1:1/", "")).await.unwrap();
    assert_eq!((closed.url.as_str(), closed.state), ("http://127.0.0.1:1", BackendState::Down));
    let again = bench.control.add_backend(&actor, add("GPU", "http://127.0.0.1:1", "")).await.err().unwrap();
    assert!(again.field("name").is_some() && again.field("url").is_some());
    let faults = bench.control.add_backend(&actor, add(" ", "ftp://x", "a b")).await.err().unwrap();
    assert!(["name", "url", "token"].iter().all(|field| faults.field(field).is_some()), "{faults}");
}

#[tokio::test]
async fn a_token_is_sealed_reaches_the_gateway_and_goes_to_its_own_server_only() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let added = bench.control.add_backend(&actor, add("gpu", "http://127.0.0.1:1", "geheim-token")).await.unwrap();
    assert!(added.has_token);
    let token = |bench: &Bench| bench.gateway.snapshot().backends[0].token.as_ref().map(|token| token.0.clone());
    assert_eq!(token(&bench).as_deref(), Some("geheim-token"));
    let sealed = bench.control.0.store.load().await.unwrap().backends[0].sealed_token.clone().unwrap();
    assert!(!sealed.windows(6).any(|part| part == b"geheim"));

    let kept =
        bench.control.edit_backend(&actor, edit(&added.id, "http://127.0.0.1:1/prefix", "", false)).await.unwrap();
    assert!(kept.has_token, "an empty field keeps it");
    let moved =
        bench.control.edit_backend(&actor, edit(&added.id, "http://127.0.0.1:2", "", false)).await.err().unwrap();
    assert!(moved.field("token").is_some(), "another server does not get it");
    bench.control.edit_backend(&actor, edit(&added.id, "http://127.0.0.1:2", "", true)).await.unwrap();
    assert_eq!(token(&bench), None);
    bench.control.edit_backend(&actor, edit(&added.id, "http://127.0.0.1:2", "neu", false)).await.unwrap();
    assert_eq!(token(&bench).as_deref(), Some("neu"));
}

#[tokio::test]
async fn switching_and_removing_are_in_force_when_answered() {
    let ollama = FakeOllama::builder().models(["llama3.2:latest"]).start().await;
    let bench = bench().await;
    let actor = bench.admin().await;
    let id = bench.control.add_backend(&actor, add("gpu", &ollama.base(), "")).await.unwrap().id;
    let switch = async |enabled| {
        bench.control.set_backend_enabled(&actor, SetBackendEnabled { id: id.clone(), enabled }).await.unwrap().state
    };
    assert_eq!(switch(false).await, BackendState::Disabled);
    assert!(!bench.gateway.snapshot().backends[0].enabled);
    assert_eq!(switch(true).await, BackendState::Up);
    let report = bench.control.test_backend(&actor, BackendRef { id: id.clone() }).await.unwrap();
    assert!(report.result.is_ok());
    bench.control.remove_backend(&actor, BackendRef { id: id.clone() }).await.unwrap();
    assert!(bench.gateway.snapshot().backends.is_empty() && bench.control.backends(&actor).is_empty());
    let gone = bench.control.test_backend(&actor, BackendRef { id }).await.err().unwrap();
    assert_eq!(gone.status(), 404);
}

#[tokio::test]
async fn an_address_can_be_looked_at_before_it_is_stored() {
    let ollama = FakeOllama::builder().models(["llama3.2:latest"]).start().await;
    let bench = bench().await;
    let actor = bench.admin().await;
    let probe = |url: &str| ProbeAddress { url: url.into(), token: String::new() };
    let report = bench.control.probe_address(&actor, probe(&ollama.base())).await.unwrap();
    assert!(report.result.is_ok());
    assert!(bench.control.probe_address(&actor, probe("ftp://x")).await.err().unwrap().field("url").is_some());
    assert!(bench.control.backends(&actor).is_empty());
}

#[tokio::test]
async fn saved_settings_are_in_force_when_answered() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let input =
        SaveSettings { requests: "5".into(), minutes: "1".into(), max_body_mb: "2".into(), ..Default::default() };
    let shown = bench.control.save_settings(&actor, input).await.unwrap();
    assert_eq!(shown.default_limit.source, Source::Saved);
    let settings = bench.gateway.snapshot().settings.clone();
    assert_eq!((settings.default_limit, settings.max_body), (RateLimit::new(5, 1), 2_000_000));
    let bad = SaveSettings { requests: "7".into(), minutes: "1".into(), max_body_mb: "x".into(), ..Default::default() };
    assert!(bench.control.save_settings(&actor, bad).await.err().unwrap().field("max_body_mb").is_some());
    assert_eq!(bench.control.settings(&actor).default_limit.value, RateLimit::new(5, 1), "all or nothing");
}

#[tokio::test]
async fn redis_is_not_configured_until_it_is() {
    let bench = bench().await;
    let actor = bench.admin().await;
    assert_eq!(bench.control.test_redis(&actor).await.unwrap(), RedisState::NotConfigured);
    let input = SaveSettings { redis_url: "redis://127.0.0.1:1/0".into(), ..Default::default() };
    bench.control.save_settings(&actor, input).await.unwrap();
    assert!(matches!(bench.control.test_redis(&actor).await.unwrap(), RedisState::Unreachable { .. }));
}

#[tokio::test]
async fn the_live_status_follows_the_fleet_while_somebody_listens() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let stop = CancellationToken::new();
    let housekeeping = tokio::spawn({
        let (control, stop) = (bench.control.clone(), stop.clone());
        async move { control.run_housekeeping(stop).await }
    });
    let mut live = bench.control.live(&actor);
    assert_eq!(live.borrow_and_update().minutes.len(), 60);
    bench.control.add_backend(&actor, add("gpu", "http://127.0.0.1:1", "")).await.unwrap();
    let seen = live.wait_for(|status| status.backends.iter().any(|backend| backend.state == BackendState::Down));
    let status = tokio::time::timeout(Duration::from_secs(10), seen).await.unwrap().unwrap().clone();
    assert!(status.sequence >= 1 && status.at > 0 && status.read_only.is_none());
    stop.cancel();
    housekeeping.await.unwrap();
}

#[tokio::test]
async fn help_names_the_public_address_or_the_one_asked_under() {
    let bench = bench().await;
    let actor = bench.admin().await;
    assert_eq!(bench.control.help_facts(&actor, "http", "gate.lan:8080").address, "http://gate.lan:8080");
    let input = SaveSettings { public_url: "https://gate.example.com/".into(), ..Default::default() };
    bench.control.save_settings(&actor, input).await.unwrap();
    assert_eq!(bench.control.help_facts(&actor, "http", "gate.lan:8080").address, "https://gate.example.com");
}
