//! The catalogue over time: who is looked at when, and what stays when a look fails.

use domain::backend::BackendState;
use testkit::{FakeOllama, Fault};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    listing,
    resolve::{ResolveError, resolve},
};

/// The whole of a list.
const ALL: Option<fn(&str) -> bool> = None;

/// Keeps the catalogue fresh until it is dropped.
fn run(fleet: &Fleet) -> (tokio::task::JoinHandle<()>, tokio_util::sync::DropGuard) {
    let stop = CancellationToken::new();
    let (fleet, until) = (fleet.clone(), stop.clone());
    (tokio::spawn(async move { fleet.run(until).await }), stop.drop_guard())
}

fn chosen(fleet: &Fleet, model: &str) -> Vec<String> {
    let mut candidates = resolve(&fleet.view(), model).unwrap();
    let mut names: Vec<String> =
        std::iter::from_fn(|| candidates.choose()).map(|choice| choice.backend.name().to_owned()).collect();
    names.sort();
    names
}

fn unresolved(fleet: &Fleet, model: &str) -> Option<ResolveError> {
    resolve(&fleet.view(), model).err()
}

#[tokio::test]
async fn a_hung_backend_delays_nobody() {
    let hung = FakeOllama::builder()
        .models(["a"])
        .script(|script| script.fault = Some(Fault::HangBeforeHeaders))
        .start()
        .await;
    let well = FakeOllama::builder().models(["a", "b"]).start().await;
    let fleet = Fleet::new();
    let _running = run(&fleet);
    fleet.publish(snapshot([entry(0, hung.url()), entry(1, well.url())]));
    let live = until(&fleet, |live| live.backends[1].state == BackendState::Up).await;
    assert_eq!(live.backends[0].state, BackendState::Unknown);
    assert_eq!(live.backends[1].models, ["a:latest", "b:latest"]);
    assert_eq!(chosen(&fleet, "a"), ["gpu-1"]);
}

#[tokio::test]
async fn a_start_waits_for_one_answer_and_not_for_what_hangs() {
    let (hour, none) = (Duration::from_secs(3600), Duration::ZERO);
    let hung = FakeOllama::builder().script(|script| script.fault = Some(Fault::HangBeforeHeaders)).start().await;
    let well = FakeOllama::builder().models(["a"]).start().await;
    let fleet = Fleet::new();
    fleet.publish(snapshot([entry(0, hung.url())]));
    fleet.first_looks(hour, none).await;
    assert_eq!(fleet.live().backends[0].state, BackendState::Unknown);

    fleet.publish(snapshot([entry(0, hung.url()), entry(1, well.url())]));
    fleet.first_looks(none, hour).await;
    let states = fleet.live().backends.into_iter().map(|backend| backend.state).collect::<Vec<_>>();
    assert_eq!(states, [BackendState::Unknown, BackendState::Up]);

    fleet.publish(snapshot([entry(1, well.url())]));
    fleet.first_looks(hour, hour).await;
}

#[tokio::test]
async fn the_last_good_list_outlives_a_dead_backend() {
    let fake = FakeOllama::builder().models(["a"]).version("0.9.2").start().await;
    let fleet = fleet(&[&fake]).await;
    let before = listing::tags(&fleet.view(), ALL);
    assert!(before.starts_with(br#"{"models":[{"#));
    fake.refuse_connections().await;
    fleet.refresh(None).await;
    let backend = fleet.live().backends.remove(0);
    assert_eq!((backend.state, backend.models.as_slice()), (BackendState::Down, &["a:latest".to_owned()][..]));
    assert!(backend.last_error.unwrap().message.contains("refused"));
    assert_eq!(listing::tags(&fleet.view(), ALL), before);
    assert_eq!(listing::version(&fleet.view()), r#"{"version":"0.9.2"}"#);
    assert_eq!(chosen(&fleet, "a"), ["gpu-0"], "only the data plane can tell");
    fake.accept_connections().await;
    fleet.refresh(Some(id(0))).await;
    assert_eq!(fleet.live().backends[0].state, BackendState::Up);
}

#[tokio::test]
async fn a_hung_version_or_ps_keeps_its_last_value_and_the_list_counts() {
    let fake = FakeOllama::builder().models(["a"]).version("0.9.2").start().await;
    fake.set(|script| script.loaded = vec!["a:latest".into()]);
    let fleet = fleet(&[&fake]).await;
    let before = listing::ps(&fleet.view(), ALL);
    assert!(before.starts_with(br#"{"models":[{"#));
    fake.set(|script| {
        script.models.push("b".into());
        script.fault_at("/api/version", Fault::HangBeforeHeaders);
        script.fault_at("/api/ps", Fault::HangBeforeHeaders);
    });
    fleet.refresh(None).await;
    let backend = fleet.live().backends.remove(0);
    assert_eq!((backend.state, backend.models.len()), (BackendState::Up, 2));
    assert_eq!(backend.version.as_deref(), Some("0.9.2"));
    assert_eq!(listing::ps(&fleet.view(), ALL), before);
}

#[tokio::test]
async fn a_list_that_is_no_list_keeps_the_last_good_one() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let fleet = fleet(&[&fake]).await;
    for fault in [Fault::WrongJson, Fault::NotJson, Fault::Status(500), Fault::RawBytes("?".into()), Fault::CutAfter(0)]
    {
        fake.set(|script| script.heal());
        fleet.refresh(None).await;
        fake.set(|script| script.fault_at("/api/tags", fault.clone()));
        for state in [BackendState::Up, BackendState::Down] {
            fleet.refresh(None).await;
            let backend = fleet.live().backends.remove(0);
            assert_eq!((backend.state, backend.models.len()), (state, 1), "{fault:?}");
            assert!(backend.last_error.is_some());
        }
    }
}

#[tokio::test]
async fn a_backend_that_does_not_answer_is_chosen_only_where_none_does() {
    let (one, two) =
        (FakeOllama::builder().models(["a"]).start().await, FakeOllama::builder().models(["a"]).start().await);
    let fleet = fleet(&[&one, &two]).await;
    assert_eq!(chosen(&fleet, "a"), ["gpu-0", "gpu-1"]);
    one.refuse_connections().await;
    fleet.refresh(None).await;
    assert_eq!(chosen(&fleet, "a"), ["gpu-1"]);
    two.refuse_connections().await;
    fleet.refresh(None).await;
    assert_eq!(chosen(&fleet, "a"), ["gpu-0", "gpu-1"]);
}

#[tokio::test]
async fn a_disabled_or_removed_backend_gets_nothing_new() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let fleet = fleet(&[&fake]).await;
    let running = resolve(&fleet.view(), "a").unwrap().choose().unwrap();
    fleet.publish(snapshot([BackendEntry { enabled: false, ..entry(0, fake.url()) }]));
    assert_eq!(unresolved(&fleet, "a"), Some(ResolveError::NoBackend));
    assert_eq!(listing::tags(&fleet.view(), ALL), r#"{"models":[]}"#);
    let live = fleet.live();
    assert_eq!((live.backends[0].state, live.backends[0].in_flight), (BackendState::Disabled, 1));
    fleet.publish(snapshot([]));
    assert_eq!((fleet.live().backends.len(), fleet.in_flight()), (0, 1), "the running request ends by itself");
    drop(running);
    assert_eq!(fleet.in_flight(), 0);
}

#[tokio::test]
async fn what_is_known_survives_a_new_snapshot_and_not_a_new_address() {
    let (one, two) =
        (FakeOllama::builder().models(["a"]).start().await, FakeOllama::builder().models(["b"]).start().await);
    let fleet = fleet(&[&one]).await;
    let running = resolve(&fleet.view(), "a").unwrap().choose().unwrap();
    fleet.publish(snapshot([BackendEntry { name: "renamed".into(), ..entry(0, one.url()) }]));
    let backend = fleet.live().backends.remove(0);
    assert_eq!((backend.name.as_str(), backend.state, backend.in_flight), ("renamed", BackendState::Up, 1));
    fleet.publish(snapshot([entry(0, two.url())]));
    let backend = fleet.live().backends.remove(0);
    assert_eq!((backend.state, backend.models.len(), backend.in_flight), (BackendState::Unknown, 0, 1));
    drop(running);
    fleet.refresh(None).await;
    assert_eq!(chosen(&fleet, "b"), ["gpu-0"]);
    assert_eq!(unresolved(&fleet, "a"), Some(ResolveError::Unknown));
    assert_eq!(fleet.in_flight(), 0);
}

#[tokio::test]
async fn a_published_backend_is_looked_at_at_once_and_a_contradicted_list_soon() {
    let fake = FakeOllama::builder().models(["a", "b"]).start().await;
    let fleet = Fleet::new();
    let (task, guard) = run(&fleet);
    fleet.publish(snapshot([entry(0, fake.url())]));
    until(&fleet, |live| live.backends[0].models.len() == 2).await;
    // The interval is an hour, and a list that merely lacks a model would be doubted for two polls.
    fake.set(|script| script.models.truncate(1));
    resolve(&fleet.view(), "b").unwrap().choose().unwrap().backend.model_missing();
    until(&fleet, |live| live.backends[0].models.len() == 1).await;
    assert_eq!(unresolved(&fleet, "b"), Some(ResolveError::Unknown));
    drop(guard);
    task.await.unwrap();
}

#[tokio::test]
async fn the_interval_is_kept_and_a_shorter_one_counts_at_once() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let fleet = Fleet::new();
    let _running = run(&fleet);
    fleet.publish(snapshot([entry(0, fake.url())]));
    fake.wait_for(|records| records.to("/api/tags").count() == 1).await;
    let settings = Settings { catalogue_interval: Duration::from_millis(1), ..quiet() };
    fleet.publish(Snapshot { settings, ..snapshot([entry(0, fake.url())]) });
    fake.wait_for(|records| records.to("/api/tags").count() > 5).await;
}

#[tokio::test]
async fn what_changes_while_a_look_goes_on_is_looked_into_after_it() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    // The look has its list long before it ends.
    fake.set(|script| script.delay_at("/api/ps", Duration::from_millis(300)));
    let fleet = Fleet::new();
    let _running = run(&fleet);
    fleet.publish(snapshot([entry(0, fake.url())]));
    for looks in 1..4 {
        fake.wait_for(|records| records.to("/api/tags").count() == looks).await;
        fleet.view().backends[0].loads();
    }
}

#[tokio::test]
async fn a_failed_look_is_followed_by_the_one_that_decides_and_a_return_is_noticed() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let fleet = Fleet::new();
    let _running = run(&fleet);
    fleet.publish(snapshot([entry(0, fake.url())]));
    until(&fleet, |live| live.backends[0].state == BackendState::Up).await;
    fake.set(|script| script.fault_at("/api/tags", Fault::Status(500)));
    // The interval is an hour: this one complaint is all that asks for a look.
    fleet.view().backends[0].failed("the runner died".into());
    until(&fleet, |live| live.backends[0].state == BackendState::Down).await;
    fake.set(|script| script.heal());
    until(&fleet, |live| live.backends[0].state == BackendState::Up).await;
}

#[tokio::test]
async fn a_fault_of_the_data_plane_is_shown_and_looked_into() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let fleet = Fleet::new();
    let _running = run(&fleet);
    fleet.publish(snapshot([entry(0, fake.url())]));
    until(&fleet, |live| live.backends[0].state == BackendState::Up).await;
    fleet.view().backends[0].failed("the runner died".into());
    assert_eq!(fleet.live().backends[0].last_error.as_ref().unwrap().message, "the runner died");
    fake.wait_for(|records| records.to("/api/tags").count() == 2).await;
}

#[tokio::test]
async fn a_server_of_openais_api_is_a_backend_for_its_exact_ids() {
    let fake = FakeOllama::builder().models(["Qwen/Qwen3-8B:x"]).start().await;
    fake.set(|script| {
        for path in ["/api/tags", "/api/version", "/api/ps"] {
            script.fault_at(path, Fault::Status(404));
        }
    });
    let fleet = fleet(&[&fake]).await;
    let names = fleet.live().backends.remove(0).models;
    let [name] = names.as_slice() else { panic!("{names:?}") };
    assert_eq!(chosen(&fleet, name), ["gpu-0"]);
    assert_eq!(unresolved(&fleet, &name.to_lowercase()), Some(ResolveError::Unknown));
    let mut candidates = resolve(&fleet.view(), name).unwrap();
    candidates.native_only();
    assert!(candidates.choose().is_none());
    let tags: serde_json::Value = serde_json::from_slice(&listing::tags(&fleet.view(), ALL)).unwrap();
    assert_eq!(tags["models"][0]["name"], name.as_str());
}
