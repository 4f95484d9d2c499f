//! Rolling upgrades against fake backends over real sockets: what reaches them, who may begin one, what is kept.

use domain::{
    backend::{BackendRef, BackendState, BackendView, EditBackend, SetBackendDraining},
    upgrade::{AnswerUpgrade, StartUpgrade, UpgradeAnswer, UpgradePhase, UpgradeState, UpgradeView},
};
use testkit::FakeOllama;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::upgrade::{CLAIM, Hands};

pub(crate) fn start(ids: &[&domain::id::BackendId], force: bool) -> StartUpgrade {
    StartUpgrade {
        backends: ids.iter().map(|id| (StartUpgrade::box_of(id), true)).collect(),
        force,
        ..Default::default()
    }
}

pub(crate) fn say(answer: UpgradeAnswer) -> AnswerUpgrade {
    AnswerUpgrade { run: String::new(), backend: String::new(), change: 0, answer }
}

/// Drives upgrades until it is dropped.
struct Driver(CancellationToken);

impl Driver {
    fn of(bench: &Bench) -> Self {
        let (control, stop) = (bench.control.clone(), CancellationToken::new());
        let token = stop.clone();
        tokio::spawn(async move { control.run_upgrades(token).await });
        Self(stop)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn seen(bench: &Bench, actor: &Actor) -> UpgradeView {
    bench.control.upgrade(actor).unwrap()
}

async fn until_phase(bench: &Bench, actor: &Actor, step: usize, phase: UpgradePhase) {
    until(async || seen(bench, actor).steps[step].phase == phase).await;
}

#[tokio::test]
async fn a_fleet_is_upgraded_with_what_was_warm_and_what_was_drained_before() {
    let one = FakeOllama::builder().models(["llama3.2", "mistral"]).start().await;
    let two = FakeOllama::builder().models(["llama3.2", "mistral"]).start().await;
    one.set(|script| script.loaded = vec!["mistral:latest".into()]);
    let bench = bench().await;
    let actor = bench.admin().await;
    let first = bench.control.add_backend(&actor, add("gpu-1", &one.base(), "")).await.unwrap().id;
    let second = bench.control.add_backend(&actor, add("gpu-2", &two.base(), "")).await.unwrap().id;
    let _driver = Driver::of(&bench);
    bench.control.start_upgrade(&actor, start(&[&second, &first], false)).await.unwrap();
    let again = bench.control.start_upgrade(&actor, start(&[&first], false)).await.err().unwrap();
    assert_eq!(again.status(), 409, "one at a time");
    until_phase(&bench, &actor, 0, UpgradePhase::HandedOver).await;
    assert!(bench.gateway.snapshot().backends[0].draining && !bench.gateway.snapshot().backends[1].draining);
    let stale = AnswerUpgrade { backend: second.to_string(), ..say(UpgradeAnswer::Continue) };
    assert_eq!(bench.control.answer_upgrade(&actor, stale).await.err().unwrap().status(), 409, "an old page");

    // It reboots into another version.
    one.refuse_connections().await;
    until(async || seen(&bench, &actor).steps[0].seen_down).await;
    one.set(|script| (script.version, script.loaded) = ("0.6.0".into(), Vec::new()));
    one.accept_connections().await;
    until_phase(&bench, &actor, 0, UpgradePhase::Rejoined).await;
    let loads: Vec<_> = one.inference_requests().iter().map(|request| request.json()["model"].clone()).collect();
    assert_eq!(loads, ["mistral:latest"], "only what was warm");
    assert!(!bench.gateway.snapshot().backends[0].draining);
    assert_eq!(bench.gateway.loaded(&first)[0].model, "mistral:latest", "the gateway knows at once");

    until_phase(&bench, &actor, 1, UpgradePhase::HandedOver).await;
    two.set(|script| script.models.truncate(1));
    bench.control.answer_upgrade(&actor, say(UpgradeAnswer::Continue)).await.unwrap();
    until(async || seen(&bench, &actor).state == UpgradeState::Paused).await;
    let problem = seen(&bench, &actor).steps[1].problem.clone().unwrap();
    assert_eq!(problem, "gpu-2 has no mistral:latest any more");
    bench.control.answer_upgrade(&actor, say(UpgradeAnswer::Rejoin)).await.unwrap();
    until(async || seen(&bench, &actor).state == UpgradeState::Finished).await;
    assert!(two.inference_requests().is_empty() && !bench.gateway.snapshot().backends[1].draining);
    let live = bench.control.live_upgrade(Now::read().wall).unwrap();
    assert_eq!((live.state, live.events.len()), (UpgradeState::Finished, 0));
    assert_eq!(bench.control.live_upgrade(Now::read().wall + 3_600_000), None);
    let rows = bench.control.read_audit(&Default::default(), 50).await.unwrap().entries;
    let automatic = rows.iter().filter(|row| row.action == "fleet upgrade went on");
    let changes: Vec<_> = automatic.flat_map(|row| row.changes.iter()).map(|change| change.name.clone()).collect();
    assert!(changes.iter().any(|name| name == "gpu-1") && changes.iter().any(|name| name == "gpu-2"), "{changes:?}");
    assert!(rows.iter().any(|row| row.action == "fleet upgrade went on" && row.actor.name == "gateway"));
}

#[tokio::test]
async fn an_upgrade_outlives_a_restart_and_a_stop_leaves_what_was_asked_for() {
    let one = FakeOllama::builder().models(["llama3.2"]).start().await;
    let folder = tempfile::tempdir().unwrap();
    let address = format!("surrealkv://{}", folder.path().join("db").display());
    let first = bench_of(&folder, &address).await;
    let session = first.new_admin().await;
    let actor = session.actor;
    let id = first.control.add_backend(&actor, add("gpu-1", &one.base(), "")).await.unwrap().id;
    let refused = first.control.start_upgrade(&actor, start(&[&id], false)).await.err().unwrap();
    assert!(
        refused.field("force").is_some_and(|text| text.contains("calls for llama3.2:latest will get 503")),
        "{refused}"
    );
    let driver = Driver::of(&first);
    first.control.start_upgrade(&actor, start(&[&id], true)).await.unwrap();
    until_phase(&first, &actor, 0, UpgradePhase::HandedOver).await;
    drop(driver);
    first.control.close().await.unwrap();

    let second = bench_of(&folder, &address).await;
    let actor = second.control.authenticate(&session.token, &client("127.0.0.1")).unwrap();
    assert_eq!(seen(&second, &actor).steps[0].phase, UpgradePhase::HandedOver);
    let mut hands = Hands::default();
    until(async || {
        second.control.tend_upgrade(&mut hands, Now::read()).await.unwrap();
        second.control.backends(&actor)[0].state == BackendState::Draining
    })
    .await;
    let step = seen(&second, &actor).steps.remove(0);
    assert!(!step.seen_down && step.phase == UpgradePhase::HandedOver, "the gateway went away, not the backend");
    let _driver = Driver::of(&second);
    one.set(|script| script.version = "0.6.0".into());
    until(async || seen(&second, &actor).state == UpgradeState::Finished).await;
    assert!(!second.gateway.snapshot().backends[0].draining);

    for (answer, draining) in [(UpgradeAnswer::StopRejoin, false), (UpgradeAnswer::StopDrained, true)] {
        second.control.start_upgrade(&actor, start(&[&id], true)).await.unwrap();
        until_phase(&second, &actor, 0, UpgradePhase::HandedOver).await;
        second.control.answer_upgrade(&actor, say(answer)).await.unwrap();
        assert_eq!(second.gateway.snapshot().backends[0].draining, draining);
        assert_eq!(seen(&second, &actor).state, UpgradeState::Stopped);
        second
            .control
            .set_backend_draining(&actor, SetBackendDraining { id: id.clone(), draining: false })
            .await
            .unwrap();
    }
    second.control.start_upgrade(&actor, start(&[&id], true)).await.unwrap();
    second.control.remove_backend(&actor, BackendRef { id }).await.unwrap();
    until(async || seen(&second, &actor).state == UpgradeState::Finished).await;
    assert_eq!(seen(&second, &actor).steps[0].notes, ["it was removed meanwhile"]);
}

#[tokio::test]
async fn what_makes_no_sense_begins_nothing() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let id = bench.control.add_backend(&actor, add("gpu-1", "http://127.0.0.1:1", "")).await.unwrap().id;
    let refused = async |input: StartUpgrade| bench.control.start_upgrade(&actor, input).await.err().unwrap();
    assert!(refused(StartUpgrade::default()).await.field("backends").is_some());
    assert!(refused(StartUpgrade { version: "new".into(), ..start(&[&id], true) }).await.field("version").is_some());
    let unknown = domain::id::BackendId::new("nobody000000").unwrap();
    assert_eq!(refused(start(&[&unknown], true)).await.status(), 404);
    let none = bench.control.answer_upgrade(&actor, say(UpgradeAnswer::Pause)).await.err().unwrap();
    assert_eq!(none.status(), 409);
    assert_eq!(bench.control.upgrade(&actor), None, "nothing is half begun");
    let off = domain::backend::SetBackendEnabled { id: id.clone(), enabled: false };
    bench.control.set_backend_enabled(&actor, off).await.unwrap();
    assert!(refused(start(&[&id], true)).await.field("backends").is_some_and(|text| text.contains("disabled")));
    assert!(bench.control.upgrade_overview(&actor).places.is_empty());
}

#[test]
fn a_restored_upgrade_waits_for_somebody() {
    assert!(crate::upgrade::held_back(&[("mark.other".into(), "{}".into())]).is_none());
    let damaged = [(crate::upgrade::SETTING.to_owned(), "no JSON".to_owned())];
    assert!(crate::upgrade::held_back(&damaged).is_none());
}

#[tokio::test]
async fn all_that_must_serve_meanwhile_are_looked_at_before_a_drain() {
    let one = FakeOllama::builder().models(["llama3.2"]).start().await;
    let two = FakeOllama::builder().models(["llama3.2"]).start().await;
    let bench = bench().await;
    let actor = bench.admin().await;
    let first = bench.control.add_backend(&actor, add("gpu-1", &one.base(), "")).await.unwrap().id;
    bench.control.add_backend(&actor, add("gpu-2", &two.base(), "")).await.unwrap();
    until(async || bench.control.backends(&actor).iter().all(|backend| backend.state == BackendState::Up)).await;
    // Nobody has noticed yet.
    two.refuse_connections().await;
    let _driver = Driver::of(&bench);
    bench.control.start_upgrade(&actor, start(&[&first], false)).await.unwrap();
    until(async || seen(&bench, &actor).steps[0].waits.is_some()).await;
    let step = seen(&bench, &actor).steps.remove(0);
    assert_eq!(step.phase, UpgradePhase::Waiting);
    assert_eq!(step.waits.unwrap(), "gpu-2, which has llama3.2:latest too, does not serve it now");
    two.accept_connections().await;
    until_phase(&bench, &actor, 0, UpgradePhase::HandedOver).await;
}

#[tokio::test]
async fn what_is_said_to_an_older_state_is_refused_and_names_are_those_of_now() {
    let one = FakeOllama::builder().models(["llama3.2"]).start().await;
    let bench = bench().await;
    let actor = bench.admin().await;
    let id = bench.control.add_backend(&actor, add("gpu-1", &one.base(), "")).await.unwrap().id;
    let driver = Driver::of(&bench);
    bench.control.start_upgrade(&actor, start(&[&id], true)).await.unwrap();
    until_phase(&bench, &actor, 0, UpgradePhase::HandedOver).await;
    bench.control.answer_upgrade(&actor, say(UpgradeAnswer::Pause)).await.unwrap();
    let twice = AnswerUpgrade { change: seen(&bench, &actor).change, ..say(UpgradeAnswer::Continue) };
    bench.control.answer_upgrade(&actor, twice.clone()).await.unwrap();
    let untold = AnswerUpgrade { change: 0, run: seen(&bench, &actor).id, ..twice.clone() };
    assert_eq!(bench.control.answer_upgrade(&actor, untold).await.err().unwrap().status(), 409);
    let refused = bench.control.answer_upgrade(&actor, twice).await.err().unwrap();
    assert_eq!(refused.status(), 409, "the pause was ended, which says nothing of the backend: {refused}");
    assert_eq!(seen(&bench, &actor).steps[0].phase, UpgradePhase::HandedOver);

    let edit = EditBackend::of(&BackendView::new(id.clone(), "gpu-one".into(), one.base()));
    bench.control.edit_backend(&actor, edit).await.unwrap();
    let claimed = bench.control.claim_upgrade(&actor, &id, "me").await.unwrap();
    assert_eq!((claimed.steps[0].name.as_str(), seen(&bench, &actor).steps[0].name.as_str()), ("gpu-one", "gpu-one"));

    // The follower says nothing more.
    drop(driver);
    let (mut hands, now) = (Hands::default(), Now::read());
    bench.control.tend_upgrade(&mut hands, now).await.unwrap();
    bench.control.tend_upgrade(&mut hands, now.plus(CLAIM / 2)).await.unwrap();
    bench.control.claim_upgrade(&actor, &id, "me").await.unwrap();
    bench.control.tend_upgrade(&mut hands, now.plus(CLAIM)).await.unwrap();
    assert_eq!(seen(&bench, &actor).steps[0].problem, None, "it did in between");
    bench.control.tend_upgrade(&mut hands, now.plus(CLAIM * 2)).await.unwrap();
    let problem = seen(&bench, &actor).steps[0].problem.clone().unwrap();
    assert!(problem.contains("whoever ran the command for gpu-one went away"), "{problem}");
    let said = bench.control.read_audit(&Default::default(), 50).await.unwrap().entries;
    let answered = said.iter().filter(|row| row.action == "fleet upgrade answered").count();
    assert_eq!(answered, 3, "that a command still runs is no news");
}
