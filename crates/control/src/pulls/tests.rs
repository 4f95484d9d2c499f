//! Pulls and wishes against fake backends over real sockets: what reaches them, what is shown, what is kept.

use std::time::Duration;

use domain::{
    admin::{AddAdmin, Role},
    backend::{BackendRef, SetBackendDraining, SetBackendEnabled},
    id::BackendId,
    models::act::box_of,
    pull::{KeepCopies, PullState, PullView, StartPull, WishView},
};
use store::{Store, StoreConfig};
use testkit::{FakeOllama, Fault, Model};
use tokio_util::sync::CancellationToken;

use super::{runner::Tending, *};
use crate::tests::{Bench, PASSWORD, add, bench, bench_of, client, config, guess, open_on, until};

const LAYER: &str = "{\"status\":\"pulling 6a\",\"digest\":\"sha256:6a\",\"total\":200,\"completed\":50}\n";

/// Makes pulls until it is dropped.
struct Driver(CancellationToken);

impl Driver {
    fn of(bench: &Bench) -> Self {
        let (control, stop) = (bench.control.clone(), CancellationToken::new());
        let token = stop.clone();
        tokio::spawn(async move { control.run_pulls(token).await });
        Self(stop)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn asked(model: &str, backends: &[&BackendId]) -> StartPull {
    let backends = backends.iter().map(|id| (box_of(id), true)).collect();
    StartPull { model: model.into(), backends, ..StartPull::default() }
}

fn keep(model: &str, copies: u32, backends: &[&BackendId]) -> KeepCopies {
    let backends = backends.iter().map(|id| (box_of(id), true)).collect();
    KeepCopies { model: model.into(), copies: copies.to_string(), backends }
}

fn pulls(bench: &Bench, actor: &Actor) -> Vec<PullView> {
    bench.control.pull_overview(actor).pulls
}

fn state(bench: &Bench, actor: &Actor, id: &PullId) -> Option<PullState> {
    pulls(bench, actor).iter().find(|pull| pull.id == *id).map(|pull| pull.state)
}

async fn until_state(bench: &Bench, actor: &Actor, id: &PullId, wanted: PullState) -> PullView {
    until(async || state(bench, actor, id) == Some(wanted)).await;
    pulls(bench, actor).into_iter().find(|pull| pull.id == *id).unwrap()
}

async fn begin(bench: &Bench, actor: &Actor, model: &str, backend: &BackendId) -> PullId {
    bench.control.start_pull(actor, asked(model, &[backend])).await.unwrap().remove(0).id
}

async fn fake(models: &[&str]) -> FakeOllama {
    FakeOllama::builder().models(models.iter().copied()).start().await
}

async fn backend(bench: &Bench, actor: &Actor, name: &str, fake: &FakeOllama) -> BackendId {
    bench.control.add_backend(actor, add(name, &fake.base(), "")).await.unwrap().id
}

fn wish(bench: &Bench, actor: &Actor) -> WishView {
    bench.control.pull_overview(actor).wishes.remove(0)
}

fn has(bench: &Bench, id: &BackendId, model: &str) -> bool {
    let live = bench.gateway.live().backends;
    live.iter().any(|backend| backend.id == *id && backend.models.iter().any(|known| known == model))
}

#[tokio::test]
async fn a_pull_shows_its_layers_and_calls_find_the_model_when_it_is_done() {
    let one = fake(&["llama3.2"]).await;
    let bench = bench().await;
    let actor = bench.admin().await;
    let id = backend(&bench, &actor, "gpu-1", &one).await;
    let _driver = Driver::of(&bench);
    one.hold();
    let lines = [
        "{\"status\":\"pulling manifest\"}\n",
        LAYER,
        "{\"status\":\"verifying sha256 digest\"}\n",
        "{\"status\":\"success\"}\n",
    ];
    one.set(|script| script.pull = Some(lines.map(str::to_owned).to_vec()));
    // Also while it is drained: it gets no calls, but a model.
    bench.control.set_backend_draining(&actor, SetBackendDraining { id: id.clone(), draining: true }).await.unwrap();
    let pull = begin(&bench, &actor, "qwen3:8b", &id).await;
    one.release_chunks(2);
    until(async || pulls(&bench, &actor)[0].total == 200).await;
    let seen = pulls(&bench, &actor).remove(0);
    assert_eq!((seen.state, seen.completed, seen.percent()), (PullState::Running, 50, Some(25)));
    assert_eq!((seen.said.as_str(), seen.amount.as_str()), ("pulling 6a", "50 B of 200 B"));
    assert_eq!((seen.layers[0].digest.as_str(), seen.layers[0].percent(), seen.by.as_str()), ("sha256:6a", 25, "root"));
    assert_eq!(bench.control.pull_counts().0, [1, 0]);
    one.release_chunks(1);
    until_state(&bench, &actor, &pull, PullState::Verifying).await;
    assert!(!has(&bench, &id, "qwen3:8b"));
    one.release_all();
    let done = until_state(&bench, &actor, &pull, PullState::Done).await;
    assert!(has(&bench, &id, "qwen3:8b"), "calls find it at once");
    assert!(done.ended_at.is_some() && done.layers.is_empty());
    assert_eq!(bench.control.pull_counts(), ([0, 0], [1, 0, 0]));
    let log = bench.control.read_audit(&Default::default(), 50).await.unwrap().entries;
    let ended = log.iter().find(|row| row.action == "model pull ended").unwrap();
    let field = &ended.changes[0].fields[0];
    assert_eq!(
        (ended.actor.name.as_str(), field.field.as_str(), field.after.as_deref()),
        ("gateway", "qwen3:8b on gpu-1", Some("done"))
    );
    bench.control.clear_ended_pulls(&actor).unwrap();
    assert_eq!(pulls(&bench, &actor), []);
}

#[tokio::test]
async fn whatever_goes_wrong_is_said_and_may_be_tried_again() {
    let one = fake(&[]).await;
    let bench = bench().await;
    let actor = bench.admin().await;
    let id = backend(&bench, &actor, "gpu-1", &one).await;
    let _driver = Driver::of(&bench);
    let at = |fault: Fault| move |script: &mut testkit::Script| script.fault_at("/api/pull", fault);
    let lines = |lines: &'static [&'static str]| {
        move |script: &mut testkit::Script| script.pull = Some(lines.iter().map(|line| (*line).to_owned()).collect())
    };
    type Change = Box<dyn FnOnce(&mut testkit::Script)>;
    let table: [(Change, &str); 9] = [
        (Box::new(at(Fault::Status(500))), "it answered 500: scripted fault"),
        (Box::new(at(Fault::StatusBody(404, "gone".into()))), "it answered 404"),
        (Box::new(at(Fault::NotJson)), "it sent what is no progress of a pull: <html>hello</html>"),
        (Box::new(at(Fault::WrongJson)), "it sent what is no progress of a pull: {\"hello\":[\"world\"]}"),
        (Box::new(at(Fault::CutAfter(1))), "the connection to it was lost"),
        (Box::new(at(Fault::CloseBeforeHeaders)), "the connection was closed before a response came"),
        (
            Box::new(at(Fault::ErrorAfter(1, "pull model manifest: file does not exist".into()))),
            "pull model manifest: file does not exist",
        ),
        (Box::new(lines(&[LAYER])), "its answer ended before it said that the model is there"),
        // The fake has the model only once it sent the word as it is.
        (
            Box::new(lines(&["{\"status\":\"succ\\u0065ss\"}\n"])),
            "it said that the model is there, and its list does not have it",
        ),
    ];
    for (change, words) in table {
        one.set(|script| {
            script.heal();
            script.pull = None;
            change(script);
        });
        let pull = begin(&bench, &actor, "qwen3", &id).await;
        let failed = until_state(&bench, &actor, &pull, PullState::Failed).await;
        assert_eq!(failed.said, words);
        until(async || pulls(&bench, &actor).iter().all(|pull| pull.ended_at.is_some())).await;
    }
    one.set(|script| {
        script.heal();
        script.pull = None;
    });
    let last = pulls(&bench, &actor).remove(0).id;
    bench.control.retry_pull(&actor, PullRef { id: last.clone() }).await.unwrap();
    until(async || has(&bench, &id, "qwen3:latest")).await;
    assert_eq!(bench.control.retry_pull(&actor, PullRef { id: last }).await.err().unwrap().status(), 404, "once");
}

#[tokio::test]
async fn a_backend_that_falls_silent_is_given_up() {
    let one = fake(&[]).await;
    one.set(|script| script.fault_at("/api/pull", Fault::StallAfter(1)));
    let bench = bench().await;
    let actor = bench.admin().await;
    let id = backend(&bench, &actor, "gpu-1", &one).await;
    let shared = super::book::Shared::default();
    // As long as it takes to begin, and then not long.
    let patience = |progress: &super::progress::Progress| {
        if progress.said.is_empty() { Duration::from_secs(10) } else { Duration::from_millis(20) }
    };
    let error = super::runner::pull(&bench.gateway, &id, "qwen3", &shared, patience).await.unwrap_err();
    assert!(error.contains("nothing was heard of it") && error.contains("given up"), "{error}");
    one.wait_for(|records| {
        records.requests.iter().any(|request| request.path == "/api/pull" && request.ended.is_some())
    })
    .await;
}

#[tokio::test]
async fn one_runs_on_each_backend_and_a_few_at_once_and_cancelling_hangs_up() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let mut fakes = Vec::new();
    for number in 1..=5 {
        let one = FakeOllama::builder().held().start().await;
        let id = backend(&bench, &actor, &format!("gpu-{number}"), &one).await;
        fakes.push((one, id));
    }
    let _driver = Driver::of(&bench);
    let all = StartPull { model: "qwen3".into(), all: true, ..StartPull::default() };
    let begun = bench.control.start_pull(&actor, all.clone()).await.unwrap();
    assert_eq!(begun.len(), 5);
    assert_eq!(bench.control.start_pull(&actor, all).await.err().unwrap().status(), 409, "they are on their way");
    let second = begin(&bench, &actor, "mistral", &fakes[0].1).await;
    until(async || bench.control.pull_counts().0 == [4, 2]).await;
    let waiting = |id: &PullId| pulls(&bench, &actor).into_iter().find(|pull| pull.id == *id).unwrap().said;
    assert_eq!(waiting(&second), "first qwen3 is pulled there");
    assert_eq!(waiting(&begun[4].id), "4 other pulls run, and no more run at once");
    let asks =
        |records: &testkit::Records| records.requests.iter().filter(|request| request.path == "/api/pull").count();
    fakes[0].0.wait_for(|records| asks(records) == 1).await;

    bench.control.cancel_pull(&actor, PullRef { id: begun[0].id.clone() }).await.unwrap();
    fakes[0]
        .0
        .wait_for(|records| {
            records.requests.iter().any(|request| request.path == "/api/pull" && request.ended.is_some())
        })
        .await;
    let cancelled = pulls(&bench, &actor).into_iter().find(|pull| pull.id == begun[0].id).unwrap();
    assert_eq!((cancelled.state, cancelled.said.as_str()), (PullState::Cancelled, "by root"));
    assert_eq!(
        bench.control.cancel_pull(&actor, PullRef { id: begun[0].id.clone() }).await.err().unwrap().status(),
        409,
        "it has ended"
    );
    // The one that waited longest for a place comes before the later one on the freed backend.
    fakes[4].0.wait_for(|records| asks(records) == 1).await;
    bench.control.cancel_pull(&actor, PullRef { id: second.clone() }).await.unwrap();
    assert_eq!(state(&bench, &actor, &second), Some(PullState::Cancelled), "also what only waits");

    bench.control.remove_backend(&actor, BackendRef { id: fakes[1].1.clone() }).await.unwrap();
    let gone = until_state(&bench, &actor, &begun[1].id, PullState::Failed).await;
    assert_eq!(gone.said, "backend gpu-2 was removed");
    let off = SetBackendEnabled { id: fakes[2].1.clone(), enabled: false };
    bench.control.set_backend_enabled(&actor, off).await.unwrap();
    let off = until_state(&bench, &actor, &begun[2].id, PullState::Failed).await;
    assert_eq!(off.said, "backend gpu-3 is disabled: enable it first");
    assert_eq!(asks(&fakes[0].0.records()), 1, "what was cancelled while it waited never began");
}

#[tokio::test]
async fn a_model_is_brought_up_to_date_wherever_it_is() {
    let (one, two, three) = (fake(&["qwen3"]).await, fake(&["a"]).await, fake(&["QWEN3:latest"]).await);
    let bench = bench().await;
    let actor = bench.admin().await;
    for (name, fake) in [("gpu-1", &one), ("gpu-2", &two), ("gpu-3", &three)] {
        backend(&bench, &actor, name, fake).await;
    }
    let update = |model: &str| StartPull { model: model.into(), holders: true, ..StartPull::default() };
    let begun = bench.control.start_pull(&actor, update("qwen3")).await.unwrap();
    let names: Vec<&str> = begun.iter().map(|pull| pull.backend_name.as_str()).collect();
    assert_eq!(names, ["gpu-1", "gpu-3"]);
    let nowhere = bench.control.start_pull(&actor, update("b")).await.err().unwrap();
    assert!(nowhere.field("holders").is_some_and(|text| text.contains("lists this model")), "{nowhere}");
    let driver = Driver::of(&bench);
    for pull in &begun {
        until_state(&bench, &actor, &pull.id, PullState::Done).await;
    }
    drop(driver);
    assert!(two.requests().iter().all(|request| request.path != "/api/pull"));
}

#[tokio::test]
async fn a_pull_is_cut_off_on_a_full_disk_too() {
    let one = FakeOllama::builder().held().start().await;
    let folder = tempfile::tempdir().unwrap();
    let address = format!("surrealkv://{}", folder.path().join("db").display());
    let first = bench_of(&folder, &address).await;
    let session = first.new_admin().await;
    let id = backend(&first, &session.actor, "gpu-1", &one).await;
    let pull = begin(&first, &session.actor, "qwen3", &id).await;
    first.control.close().await.unwrap();

    let store = Store::open_read_only(&StoreConfig { address }).await.unwrap();
    let full = open_on(config(&folder), store).await.unwrap();
    let actor = full.control.authenticate(&session.token, &client("127.0.0.1")).unwrap();
    let _driver = Driver::of(&full);
    until_state(&full, &actor, &pull, PullState::Running).await;
    let asks = |records: &testkit::Records| records.requests.iter().any(|request| request.path == "/api/pull");
    one.wait_for(asks).await;
    let told = full.control.cancel_pull(&actor, PullRef { id: pull.clone() }).await.err().unwrap();
    assert_eq!(told.status(), 507);
    let ended = |request: &testkit::RecordedRequest| request.path == "/api/pull" && request.ended.is_some();
    one.wait_for(|records| records.requests.iter().any(ended)).await;
    let cut = until_state(&full, &actor, &pull, PullState::Cancelled).await;
    assert_eq!(cut.said, "cancelled by root; this is written down once the database takes it");
    assert!(full.control.start_pull(&actor, asked("mistral", &[&id])).await.is_err_and(|error| error.status() == 507));
    full.control.close().await.unwrap();
}

#[tokio::test]
async fn what_waited_or_ran_goes_on_after_a_restart() {
    let one = fake(&[]).await;
    one.hold();
    let folder = tempfile::tempdir().unwrap();
    let address = format!("surrealkv://{}", folder.path().join("db").display());
    let first = bench_of(&folder, &address).await;
    let session = first.new_admin().await;
    let actor = session.actor;
    let id = backend(&first, &actor, "gpu-1", &one).await;
    let driver = Driver::of(&first);
    let (running, waiting) = (begin(&first, &actor, "qwen3", &id).await, begin(&first, &actor, "mistral", &id).await);
    one.release_chunks(1);
    until(async || pulls(&first, &actor)[0].said == "pulling manifest").await;
    drop(driver);
    one.wait_for(|records| {
        records.requests.iter().any(|request| request.path == "/api/pull" && request.ended.is_some())
    })
    .await;
    first.control.close().await.unwrap();
    one.release_all();

    let second = bench_of(&folder, &address).await;
    let actor = second.control.authenticate(&session.token, &client("127.0.0.1")).unwrap();
    let ids: Vec<PullId> = pulls(&second, &actor).into_iter().map(|pull| pull.id).collect();
    assert_eq!(ids, [running.clone(), waiting.clone()]);
    let _driver = Driver::of(&second);
    until_state(&second, &actor, &waiting, PullState::Done).await;
    assert_eq!(state(&second, &actor, &running), Some(PullState::Done));
    assert!(has(&second, &id, "qwen3:latest") && has(&second, &id, "mistral:latest"));
}

#[tokio::test]
async fn what_makes_no_sense_begins_nothing() {
    let one = fake(&["llama3.2"]).await;
    one.set(|script| script.fault_at("/api/tags", Fault::Status(404)));
    let bench = bench().await;
    let actor = bench.admin().await;
    let foreign = backend(&bench, &actor, "vllm", &one).await;
    let refused = async |input: StartPull| bench.control.start_pull(&actor, input).await.err().unwrap();
    let none = refused(StartPull::default()).await;
    assert!(none.field("model").is_some() && none.field("backends").is_some(), "all at once: {none}");
    assert!(refused(asked("gpt-oss:20b-cloud", &[&foreign])).await.field("model").is_some());
    let text = refused(asked("qwen3", &[&foreign])).await;
    assert!(text.field("backends").is_some_and(|text| text.contains("vllm speaks OpenAI's API only")), "{text}");
    let all = StartPull { model: "qwen3".into(), all: true, ..StartPull::default() };
    assert!(refused(all).await.field("all").is_some());
    let unknown = BackendId::new("nobody000000").unwrap();
    assert_eq!(refused(asked("qwen3", &[&unknown])).await.status(), 404);
    let nobody = PullRef { id: PullId::new("nobody000000").unwrap() };
    assert_eq!(bench.control.cancel_pull(&actor, nobody).await.err().unwrap().status(), 404);
    assert!(bench.control.pull_overview(&actor).places[0].unfit.is_some());
    assert!(bench.control.keep_copies(&actor, keep("", 1, &[])).await.err().unwrap().field("model").is_some());
    assert!(bench.control.keep_copies(&actor, keep("qwen3", 0, &[])).await.err().unwrap().field("model").is_some());
    assert_eq!(bench.control.keep_copies(&actor, keep("qwen3", 1, &[&unknown])).await.err().unwrap().status(), 404);

    let input = AddAdmin { name: "looker".into(), password: PASSWORD.into(), role: Role::Viewer };
    bench.control.add_administrator(&actor, input).await.unwrap();
    let viewer = bench.control.login(guess("looker", PASSWORD), &client("10.0.0.2")).await.unwrap();
    let viewer = viewer.actor;
    assert_eq!(bench.control.start_pull(&viewer, asked("qwen3", &[&foreign])).await.err().unwrap().status(), 403);
    assert_eq!(bench.control.keep_copies(&viewer, keep("qwen3", 1, &[])).await.err().unwrap().status(), 403);
    assert_eq!(bench.control.clear_ended_pulls(&viewer).err().unwrap().status(), 403);
    assert_eq!(pulls(&bench, &viewer), []);
}

#[tokio::test]
async fn a_kept_model_is_pulled_where_it_is_missing_one_pull_at_a_time() {
    let (one, two, three) = (fake(&["qwen3"]).await, fake(&["a", "b"]).await, fake(&["a"]).await);
    let bench = bench().await;
    let actor = bench.admin().await;
    let first = backend(&bench, &actor, "gpu-1", &one).await;
    let second = backend(&bench, &actor, "gpu-2", &two).await;
    let third = backend(&bench, &actor, "gpu-3", &three).await;
    for held in [&two, &three] {
        held.hold();
    }
    let _driver = Driver::of(&bench);
    bench.control.keep_copies(&actor, keep("Qwen3", 3, &[])).await.unwrap();
    until(async || bench.control.pull_counts().0 == [1, 0]).await;
    let view = wish(&bench, &actor);
    assert_eq!((view.on, view.coming), (vec!["gpu-1".to_owned()], vec!["gpu-3".to_owned()]), "the fewest models");
    assert_eq!(view.short.as_deref(), Some("next is gpu-2, once Qwen3 is on gpu-3"));
    assert_eq!(pulls(&bench, &actor)[0].by, "gateway");
    three.release_all();
    until(async || wish(&bench, &actor).coming == ["gpu-2"]).await;
    assert!(has(&bench, &third, "Qwen3:latest"));
    two.release_all();
    until(async || wish(&bench, &actor).short.is_none()).await;
    until(async || bench.control.pull_counts().0 == [0, 0]).await;

    // It is lost somewhere, and the pull fails there.
    one.set(|script| {
        script.models = vec![Model::new("other")];
        script.fault_at("/api/pull", Fault::Status(500));
    });
    bench.gateway.refresh(Some(first.clone())).await;
    until(async || wish(&bench, &actor).short.is_some_and(|why| why.contains("gpu-1 failed (it answered 500"))).await;
    assert_eq!(bench.control.pull_counts().1, [2, 1, 0]);
    let asks = || one.requests().iter().filter(|request| request.path == "/api/pull").count();
    let mut hands = Tending::default();
    bench.control.tend_pulls(&mut hands, Now::read().plus(Duration::from_secs(30))).await.unwrap();
    assert_eq!(asks(), 1, "it is left alone for a minute");
    one.set(testkit::Script::heal);
    until(async || {
        let later = Now::read().plus(Duration::from_secs(61));
        bench.control.tend_pulls(&mut Tending::default(), later).await.unwrap();
        has(&bench, &first, "Qwen3:latest")
    })
    .await;

    // Fewer are wished: nothing is removed.
    bench.control.keep_copies(&actor, keep("qwen3:latest", 1, &[&second])).await.unwrap();
    assert_eq!(wish(&bench, &actor).only, ["gpu-2"]);
    assert_eq!(bench.control.pull_overview(&actor).wishes.len(), 1, "it is the same model");
    bench.control.keep_copies(&actor, keep("QWEN3", 0, &[])).await.unwrap();
    assert_eq!(bench.control.pull_overview(&actor).wishes, []);
    let removed = |fake: &FakeOllama| fake.requests().iter().any(|request| request.path == "/api/delete");
    assert!(![&one, &two, &three].into_iter().any(removed));
}

#[tokio::test]
async fn what_somebody_cancelled_is_not_begun_again_at_once() {
    let one = FakeOllama::builder().held().start().await;
    let bench = bench().await;
    let actor = bench.admin().await;
    backend(&bench, &actor, "gpu-1", &one).await;
    let _driver = Driver::of(&bench);
    bench.control.keep_copies(&actor, keep("qwen3", 1, &[])).await.unwrap();
    until(async || bench.control.pull_counts().0 == [1, 0]).await;
    let id = pulls(&bench, &actor).remove(0).id;
    bench.control.cancel_pull(&actor, PullRef { id }).await.unwrap();
    bench.control.tend_pulls(&mut Tending::default(), Now::read().plus(Duration::from_secs(3_000))).await.unwrap();
    let short = wish(&bench, &actor).short.unwrap();
    assert!(short.contains(": gpu-1 was cancelled by root and is tried again in"), "{short}");
    assert_eq!(bench.control.pull_counts().0, [0, 0]);
    // Whoever wishes it again wants it now.
    bench.control.keep_copies(&actor, keep("qwen3", 1, &[])).await.unwrap();
    until(async || bench.control.pull_counts().0 == [1, 0]).await;
}

#[tokio::test]
async fn what_waits_for_a_backend_that_is_down_stays_in_the_queue_and_goes_on_when_it_is_back() {
    let one = fake(&["llama3.2"]).await;
    let bench = bench().await;
    let actor = bench.admin().await;
    let id = backend(&bench, &actor, "gpu-1", &one).await;
    // Nobody knows yet that it is away: the first pull finds out, and fails no more than those behind it.
    one.refuse_connections().await;
    let _driver = Driver::of(&bench);
    let mut ids = Vec::new();
    for model in ["qwen3:8b", "phi4", "gemma3"] {
        ids.push(begin(&bench, &actor, model, &id).await);
    }
    let why = "the backend is down, and this begins when it is back";
    until(async || {
        let pulls = pulls(&bench, &actor);
        pulls.len() == 3 && pulls.iter().all(|pull| pull.state == PullState::Queued && pull.said == why)
    })
    .await;
    assert_eq!(bench.control.pull_counts().1, [0; 3], "none has ended");
    // What is cancelled meanwhile does not come back with it.
    bench.control.cancel_pull(&actor, PullRef { id: ids[1].clone() }).await.unwrap();
    one.accept_connections().await;
    bench.gateway.refresh(None).await;
    until_state(&bench, &actor, &ids[0], PullState::Done).await;
    until_state(&bench, &actor, &ids[2], PullState::Done).await;
    assert_eq!(state(&bench, &actor, &ids[1]), Some(PullState::Cancelled));
    assert_eq!(bench.control.pull_counts().1, [2, 0, 1]);
    assert!(has(&bench, &id, "qwen3:8b") && !has(&bench, &id, "phi4:latest"));
}
