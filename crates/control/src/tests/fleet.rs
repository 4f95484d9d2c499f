//! Backends and settings as they reach the gateway.

use std::time::Duration;

use domain::{
    backend::{
        BackendRef, BackendState, BackendView, EditBackend, Pace, ProbeAddress, SetBackendDraining, SetBackendEnabled,
        Share, Timeouts,
    },
    balance::Balance,
    limit::RateLimit,
    network::SaveNetwork,
    settings::{RedisState, SaveSettings, Source},
    usage::UsageRecord,
};
use testkit::FakeOllama;

use super::*;
use crate::usage::tests::record;

fn edit(id: &domain::id::BackendId, url: &str, token: &str, clear_token: bool) -> EditBackend {
    let before = BackendView::new(id.clone(), "gpu".into(), url.into());
    EditBackend { token: token.into(), clear_token, ..EditBackend::of(&before) }
}

#[tokio::test]
async fn a_backend_is_named_and_reached_once() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let closed = bench.control.add_backend(&actor, add("gpu", "http://127.0.0.1:1/", "")).await.unwrap();
    assert_eq!((closed.url.as_str(), closed.state), ("http://127.0.0.1:1", BackendState::Down));
    let again = bench.control.add_backend(&actor, add("GPU", "http://127.0.0.1:1", "")).await.err().unwrap();
    assert!(again.field("name").is_some() && again.field("url").is_some());
    let option = bench.control.add_backend(&actor, add("-oProxyCommand=x", "http://127.0.0.1:2", "")).await;
    assert!(option.err().unwrap().field("name").is_some(), "commands of upgrades are given names");
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
async fn a_backend_outside_the_networks_that_are_set_is_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let network = NetworkEnvironment { backend_networks: Some("127.0.0.0/8".into()), ..Default::default() };
    let environment = EnvironmentSettings { network, ..Default::default() };
    let bench = open(ControlConfig { environment, ..config(&folder) }, "mem://").await.unwrap();
    let actor = bench.admin().await;
    let control = &bench.control;
    let refused = |done: Result<(), AdminError>| {
        let fault = done.err().unwrap();
        assert!(fault.field("url").is_some_and(|text| text.contains("BACKEND_NETWORKS")), "{fault}");
    };
    refused(control.add_backend(&actor, add("gpu", "http://10.0.0.1", "")).await.map(drop));
    refused(control.store_backend(&actor, &add("gpu", "http://[2001:db8::1]:1", "")).await.map(drop));
    assert!(control.backends(&actor).is_empty(), "nothing is half saved");
    // A name counts as what it leads to; one that nobody knows may be known later.
    let id = control.store_backend(&actor, &add("gpu", "http://localhost:1", "")).await.unwrap();
    control.store_backend(&actor, &add("later", "http://gpu.invalid:1", "")).await.unwrap();
    refused(control.edit_backend(&actor, edit(&id, "http://10.0.0.1:1", "", false)).await.map(drop));
    // What was there before the list may be renamed and switched.
    let lists = SaveNetwork { backend_networks: "192.0.2.0/24".into(), ..Default::default() };
    control.save_network(&actor, &client("127.0.0.1"), lists).await.unwrap();
    control.edit_backend(&actor, edit(&id, "http://localhost:1", "", false)).await.unwrap();
    refused(control.store_backend(&actor, &add("other", "http://localhost:2", "")).await.map(drop));
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
async fn a_backends_share_of_the_work_reaches_the_gateway_and_stays_within_bounds() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let share = |bench: &Bench| {
        let entry = &bench.gateway.snapshot().backends[0];
        (entry.parallel, entry.weight, entry.priority)
    };
    let mut input = add("gpu", "http://127.0.0.1:1", "");
    (input.parallel, input.weight, input.priority) = ("4".into(), "3".into(), "7".into());
    let added = bench.control.add_backend(&actor, input).await.unwrap();
    assert_eq!(Share::from(&added), Share { parallel: Some(4), weight: 3, priority: 7 });
    assert_eq!(share(&bench), (Some(4), 3, 7));

    let edit = EditBackend { parallel: "".into(), weight: "100".into(), ..EditBackend::of(&added) };
    let changed = bench.control.edit_backend(&actor, edit).await.unwrap();
    assert_eq!((share(&bench), changed.weight), ((None, 100, 7), 100));
    let edit = EditBackend {
        parallel: "1001".into(),
        weight: "0".into(),
        priority: "-1".into(),
        name: "other".into(),
        ..EditBackend::of(&changed)
    };
    let faults = bench.control.edit_backend(&actor, edit).await.err().unwrap();
    for (field, bounds) in [("parallel", "1 to 1000"), ("weight", "1 to 100"), ("priority", "0 to 100")] {
        assert!(faults.field(field).is_some_and(|message| message.contains(bounds)), "{faults}");
    }
    assert_eq!((bench.control.backends(&actor)[0].name.as_str(), share(&bench)), ("gpu", (None, 100, 7)));
}

#[tokio::test]
async fn a_backends_own_time_outs_reach_the_gateway_and_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("surrealkv://{}", folder.path().join("db").display());
    let bench = bench_of(&folder, &address).await;
    let actor = bench.admin().await;
    let mut input = add("gpu", "http://127.0.0.1:1", "");
    (input.connect_timeout_s, input.stall_timeout_s) = ("9".into(), "86400".into());
    let added = bench.control.add_backend(&actor, input).await.unwrap();
    let own = Timeouts { connect_timeout_s: Some(9), first_byte_timeout_s: None, stall_timeout_s: Some(86_400) };
    assert_eq!((added.timeouts, bench.gateway.snapshot().backends[0].timeouts), (own, own));

    let faulty = EditBackend { connect_timeout_s: "61".into(), ..EditBackend::of(&added) };
    let fault = bench.control.edit_backend(&actor, faulty).await.err().unwrap();
    assert!(fault.field("connect_timeout_s").is_some_and(|message| message.contains("1 to 60")), "{fault}");
    let edit = EditBackend { connect_timeout_s: String::new(), ..EditBackend::of(&added) };
    bench.control.edit_backend(&actor, edit).await.unwrap();
    bench.control.close().await.unwrap();

    let bench = bench_of(&folder, &address).await;
    let own = Timeouts { connect_timeout_s: None, ..own };
    assert_eq!(bench.gateway.snapshot().backends[0].timeouts, own);
}

#[tokio::test]
async fn a_drained_backend_stays_drained_over_a_restart_until_it_is_taken_back() {
    let ollama = FakeOllama::builder().models(["llama3.2:latest"]).start().await;
    let folder = tempfile::tempdir().unwrap();
    let address = format!("surrealkv://{}", folder.path().join("db").display());
    let first = bench_of(&folder, &address).await;
    let actor = first.admin().await;
    let id = first.control.add_backend(&actor, add("gpu", &ollama.base(), "")).await.unwrap().id;
    let drain = |draining| SetBackendDraining { id: id.clone(), draining };
    let drained = first.control.set_backend_draining(&actor, drain(true)).await.unwrap();
    assert_eq!((drained.state, drained.drained().as_deref()), (BackendState::Draining, Some("Drained")));
    assert!(first.gateway.snapshot().backends[0].draining);
    let revision = first.gateway.snapshot().revision;
    first.control.set_backend_draining(&actor, drain(true)).await.unwrap();
    assert_eq!(first.gateway.snapshot().revision, revision, "once more changes nothing");
    let edited = first.control.edit_backend(&actor, EditBackend::of(&drained)).await.unwrap();
    assert!(edited.draining, "an edit does not take it back");
    first.control.close().await.unwrap();

    let second = bench_of(&folder, &address).await;
    assert!(second.gateway.snapshot().backends[0].draining);
    let actor = second.control.login(guess("root", PASSWORD), &client("127.0.0.1")).await.unwrap().actor;
    let back = second.control.set_backend_draining(&actor, drain(false)).await.unwrap();
    assert!(!back.draining && back.drained().is_none() && !second.gateway.snapshot().backends[0].draining);
    let gone = SetBackendDraining { id: "aaaaaaaaaaaa".parse().unwrap(), draining: true };
    assert_eq!(second.control.set_backend_draining(&actor, gone).await.err().unwrap().status(), 404);
}

#[tokio::test]
async fn why_a_request_was_slow_is_told_with_the_names_of_backend_and_key() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let backend = bench.control.add_backend(&actor, add("gpu-7", "http://127.0.0.1:1", "")).await.unwrap().id;
    let user = bench.user(&actor, "ada").await;
    let key = bench.key(&actor, &user, "ci").await.view.id;
    let slow = UsageRecord {
        backend: Some(backend.clone()),
        load_us: 14_000_000,
        ttft_us: Some(18_000_000),
        evicted_by: Some(key.clone()),
        ..record(&key, 1, 200)
    };
    let why = bench.control.why_slow(&slow);
    assert_eq!(why.as_deref(), Some("18 s: 14 s loading llama3:latest on gpu-7, evicted by key ci"));
    bench.control.remove_backend(&actor, BackendRef { id: backend }).await.unwrap();
    let why = bench.control.why_slow(&slow);
    assert_eq!(why.as_deref(), Some("18 s: 14 s loading llama3:latest, evicted by key ci"));
    assert_eq!(bench.control.why_slow(&record(&key, 1, 200)), None);
}

#[tokio::test]
async fn the_latest_requests_that_were_kept_waiting_are_on_the_live_status() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let key = bench.key(&actor, &user, "ci").await.view.id;
    let kept_waiting = |at| UsageRecord { queue_us: 3_000_000, ttft_us: Some(3_100_000), ..record(&key, at, 200) };
    // Long, and given whole: nobody waited for anything but the answer itself.
    let whole = UsageRecord { total_us: 9_000_000, ttft_us: Some(9_000_000), ..record(&key, 50, 200) };
    bench
        .control
        .tell_slow(&(1..=12).map(kept_waiting).chain([whole.clone(), record(&key, 60, 200)]).collect::<Vec<_>>());
    let slow = bench.control.live(&actor).borrow().slow.clone();
    assert_eq!(slow.iter().map(|slow| slow.at).collect::<Vec<_>>(), (3..=12).rev().collect::<Vec<_>>());
    let first = &slow[0];
    assert_eq!((first.request_id.as_str(), first.key.as_deref()), ("000000000000000c", Some("ci")));
    assert_eq!((first.model.as_deref(), first.why.as_str()), (Some("llama3:latest"), "3 s: 3 s waiting for a slot"));
}

#[tokio::test]
async fn the_choosing_of_backends_is_a_setting() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let of = |bench: &Bench| {
        let settings = bench.gateway.snapshot().settings.clone();
        (settings.balance, settings.queue_max, settings.queue_timeout.as_secs())
    };
    assert_eq!(of(&bench), (Balance::WarmFirst, 1_000, 60));
    let input = SaveSettings {
        balance: "affinity".into(),
        queue_max: "0".into(),
        queue_seconds: "3600".into(),
        ..Default::default()
    };
    bench.control.save_settings(&actor, input).await.unwrap();
    assert_eq!(of(&bench), (Balance::Affinity, 0, 3_600));
    let bad = SaveSettings {
        balance: "fastest".into(),
        queue_max: "100001".into(),
        queue_seconds: "0".into(),
        ..Default::default()
    };
    let faults = bench.control.save_settings(&actor, bad).await.err().unwrap();
    for (field, bounds) in [("balance", "warm-first"), ("queue_max", "0 to 100000"), ("queue_seconds", "1 to 3600")] {
        assert!(faults.field(field).is_some_and(|message| message.contains(bounds)), "{faults}");
    }
    assert_eq!(of(&bench), (Balance::Affinity, 0, 3_600));
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
    let none = bench.control.test_redis(&actor, SaveSettings::default()).await.unwrap();
    assert_eq!(none, RedisState::NotConfigured);
    let input = SaveSettings { redis_url: "redis://127.0.0.1:1/0".into(), ..Default::default() };
    bench.control.save_settings(&actor, input.clone()).await.unwrap();
    assert!(matches!(bench.control.test_redis(&actor, input).await.unwrap(), RedisState::Unreachable { .. }));
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

#[tokio::test]
async fn the_live_status_says_what_a_backend_has_in_memory_and_how_it_did_lately() {
    let fake = FakeOllama::builder().models(["llama3.2", "qwen3:4b"]).start().await;
    fake.set(|script| script.loaded.push("qwen3:4b".into()));
    let bench = bench().await;
    let actor = bench.admin().await;
    let backend = bench.control.add_backend(&actor, add("gpu", fake.url().as_str(), "")).await.unwrap().id;
    bench.gateway.refresh(None).await;
    let user = bench.user(&actor, "ada").await;
    let key = bench.key(&actor, &user, "ci").await.view.id;
    let now = Now::read().wall;
    let ended = UsageRecord {
        backend: Some(backend),
        completion_tokens: Some(600),
        ttft_us: Some(250_000),
        streamed: true,
        ..record(&key, now, 200)
    };
    bench.control.0.usage.absorb(&[ended], now);
    let status = bench.control.live(&actor).borrow().clone();
    let gpu = &status.backends[0];
    assert_eq!((gpu.warm.len(), gpu.warm_all, gpu.warm[0].name.as_str()), (1, 1, "qwen3:4b"));
    assert!(gpu.warm[0].text.contains("VRAM, "), "{}", gpu.warm[0].text);
    assert_eq!(gpu.pace, Pace { tokens: 600, ttft_ms: Some(250) });
}
