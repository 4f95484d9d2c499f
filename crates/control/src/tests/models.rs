//! The fleet's models and what is done to them, against fake backends over real sockets.

use std::collections::BTreeSet;

use domain::{
    admin::Role,
    backend::BackendState,
    endpoint::Endpoint,
    id::BackendId,
    models::{
        AskBackend, AskHistory, AskModels, ModelRow, ModelsPage, NAMED, PAGE,
        act::{Acted, Boxes, CopyModel, DeleteModel, Keep, KeepModel, box_of},
    },
    usage::UsageRecord,
};
use testkit::{FakeOllama, Fault, Model};

use super::*;

async fn backend(bench: &Bench, actor: &Actor, name: &str, fake: &FakeOllama) -> BackendId {
    bench.control.add_backend(actor, add(name, &fake.base(), "")).await.unwrap().id
}

fn page(bench: &Bench, actor: &Actor, pairs: &[(&str, &str)]) -> ModelsPage {
    let mut asked = AskModels::default();
    pairs.iter().for_each(|(name, value)| asked.set(name, (*value).to_owned()));
    bench.control.models_page(actor, &asked)
}

fn names(page: &ModelsPage) -> Vec<&str> {
    page.rows.iter().map(|row| row.name.as_str()).collect()
}

fn boxes(ids: &[&BackendId]) -> Boxes {
    ids.iter().map(|id| (box_of(id), true)).collect()
}

/// Backend, whether it did it, and what it said.
fn told(acted: &Acted) -> Vec<(&str, bool, &str)> {
    acted.outcomes.iter().map(|outcome| (outcome.backend.as_str(), outcome.ok, outcome.text.as_str())).collect()
}

#[tokio::test]
async fn every_model_is_there_once_with_who_has_it_and_what_differs() {
    let one = FakeOllama::builder().models(["Llama3.2", "nomic-embed-text"]).start().await;
    one.set(|script| script.loaded.push("llama3.2:latest".into()));
    let digest = "ff".repeat(32);
    let two =
        FakeOllama::builder().models([Model::new("llama3.2").digest(&digest), Model::new("qwen3:4b")]).start().await;
    let foreign = FakeOllama::builder().models(["Qwen/Qwen3-8B"]).start().await;
    foreign.set(|script| script.fault_at("/api/tags", Fault::Status(404)));
    let bench = bench().await;
    let actor = bench.admin().await;
    assert!(page(&bench, &actor, &[]).next.starts_with("No backend yet"));
    let first = backend(&bench, &actor, "gpu-1", &one).await;
    backend(&bench, &actor, "gpu-2", &two).await;
    backend(&bench, &actor, "vllm", &foreign).await;

    let all = page(&bench, &actor, &[]);
    assert_eq!(names(&all), ["Qwen/Qwen3-8B:latest", "llama3.2:latest", "nomic-embed-text:latest", "qwen3:4b"]);
    assert_eq!((all.all, all.fitting, all.drifting, all.page, all.pages), (4, 4, 1, 1, 1));
    let llama = &all.rows[1];
    assert_eq!(llama.facts[1..], ["3.2B", "Q4_K_M", "llama"]);
    assert!(llama.facts[0].ends_with(" GB"), "{:?}", llama.facts);
    let versions: Vec<_> =
        llama.versions.iter().map(|version| (version.digest.as_str(), version.on.join(","))).collect();
    let own = Model::new("Llama3.2").digest;
    let mut expected = vec![(&own[..12], "gpu-1".to_owned()), ("ffffffffffff", "gpu-2".to_owned())];
    expected.sort();
    assert_eq!(versions, expected, "which backend has which is told");
    let on: Vec<_> = llama.on.iter().map(|holder| (holder.name.as_str(), holder.warm.is_some())).collect();
    assert_eq!(on, [("gpu-1", true), ("gpu-2", false)], "warm ones first");
    let warm = llama.on[0].warm.as_deref().unwrap();
    assert!(warm.contains(" in VRAM, ") && warm.ends_with(" days left"), "{warm}");
    let other = &all.rows[0];
    assert!(other.on[0].foreign && other.versions.is_empty() && other.facts.is_empty());

    assert_eq!(names(&page(&bench, &actor, &[("search", "LLAMA")])), ["llama3.2:latest"]);
    assert_eq!(names(&page(&bench, &actor, &[("show", "warm")])), ["llama3.2:latest"]);
    assert_eq!(names(&page(&bench, &actor, &[("show", "drift")])), ["llama3.2:latest"]);
    assert_eq!(
        names(&page(&bench, &actor, &[("show", "one"), ("backend", first.as_str())])),
        ["nomic-embed-text:latest"]
    );
    assert_eq!(names(&page(&bench, &actor, &[("sort", "backends")]))[0], "llama3.2:latest");
    assert_eq!(names(&page(&bench, &actor, &[("sort", "warm")]))[0], "llama3.2:latest");
    let sizes = |rows: &[ModelRow]| rows.iter().map(|row| row.facts.first().cloned()).collect::<Vec<_>>();
    assert_eq!(
        sizes(&page(&bench, &actor, &[("sort", "size")]).rows).last(),
        Some(&None),
        "what tells no size is last"
    );
    let nothing = page(&bench, &actor, &[("search", "nothing like it")]);
    assert!(nothing.rows.is_empty() && nothing.next.starts_with("No model fits"));

    let one = page(&bench, &actor, &[("model", "llama3.2:latest")]).one.unwrap();
    assert_eq!((one.name.as_str(), one.on.len()), ("llama3.2:latest", 2));
    assert_eq!(page(&bench, &actor, &[("model", "gone:1b")]).one, None);
    let faulty = page(&bench, &actor, &[("show", "x"), ("sort", "y"), ("backend", "0123456789ab"), ("page", "0")]);
    let fields: BTreeSet<&str> = faulty.faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!((fields, faulty.rows.len()), (BTreeSet::from(["show", "sort", "backend", "page"]), 4));
}

#[tokio::test]
async fn five_thousand_models_on_a_hundred_backends_are_one_bounded_page() {
    const BACKENDS: usize = 100;
    const MODELS: usize = 5_000;
    let bench = bench().await;
    let actor = bench.admin().await;
    let mut fakes = Vec::new();
    for at in 0..BACKENDS {
        // Each model lies on two backends, and the first of all on every one.
        let own = (0..MODELS).filter(|model| (at + BACKENDS - model % BACKENDS) % BACKENDS < 2 || *model == 0);
        let models: Vec<String> = own.map(|model| format!("team/model-{model:04}:8b")).collect();
        let fake = FakeOllama::builder().models(models.iter().map(String::as_str)).start().await;
        let id = bench.control.store_backend(&actor, &add(&format!("gpu-{at:03}"), &fake.base(), "")).await.unwrap();
        bench.gateway.refresh(Some(id)).await;
        fakes.push(fake);
    }
    let first = page(&bench, &actor, &[]);
    assert_eq!((first.all, first.pages, first.rows.len()), (MODELS as u64, (MODELS / PAGE) as u64, PAGE));
    assert_eq!((first.rows[0].on.len(), first.rows[0].more), (NAMED, (BACKENDS - NAMED) as u64));
    assert_eq!((first.rows[1].on.len(), first.rows[1].more), (2, 0));
    let answer = serde_json::to_string(&first).unwrap().len();
    assert!(answer < 100_000, "a page is {answer} bytes");
    let last = page(&bench, &actor, &[("page", "100000")]);
    assert_eq!((last.page, names(&last).last().copied()), (last.pages, Some("team/model-4999:8b")));
    let found = page(&bench, &actor, &[("search", "model-4321")]);
    assert_eq!((names(&found), found.pages), (vec!["team/model-4321:8b"], 1));
    let whole = page(&bench, &actor, &[("model", "team/model-0000:8b")]).one.unwrap();
    assert_eq!(whole.on.len(), BACKENDS);
}

#[tokio::test]
async fn an_order_goes_to_the_chosen_backends_and_one_that_fails_hides_no_other() {
    let one = FakeOllama::builder().models(["llama3.2"]).start().await;
    let two = FakeOllama::builder().models(["llama3.2"]).start().await;
    let three = FakeOllama::builder().models(["llama3.2"]).start().await;
    let foreign = FakeOllama::builder().models(["llama3.2"]).start().await;
    foreign.set(|script| script.fault_at("/api/tags", Fault::Status(404)));
    let bench = bench().await;
    let actor = bench.admin().await;
    let first = backend(&bench, &actor, "gpu-1", &one).await;
    let second = backend(&bench, &actor, "gpu-2", &two).await;
    backend(&bench, &actor, "gpu-3", &three).await;
    let other = backend(&bench, &actor, "vllm", &foreign).await;
    two.set(|script| script.fault_at("/api/generate", Fault::NotJson));
    let keep = |act, ids: &[&BackendId]| KeepModel {
        model: "llama3.2:latest".into(),
        act,
        backends: boxes(ids),
        everywhere: false,
    };
    let acted = bench.control.keep_model(&actor, keep(Keep::Pin, &[&other, &second, &first])).await.unwrap();
    let told = told(&acted);
    assert_eq!((told[0].0, told[0].1), ("gpu-1", true));
    assert!(told[0].2.starts_with("loaded to stay: "), "{told:?}");
    assert_eq!((told[1].0, told[1].1), ("gpu-2", false));
    assert!(told[1].2.contains("not Ollama's"), "{told:?}");
    assert!(!told[2].1 && told[2].2.contains("OpenAI"), "{told:?}");
    assert!(three.inference_requests().is_empty(), "nobody chose it");
    // The page shows it at once.
    let row = page(&bench, &actor, &[("model", "llama3.2:latest")]).one.unwrap();
    let warm: Vec<&str> = row.on.iter().filter(|on| on.warm.is_some()).map(|on| on.name.as_str()).collect();
    assert_eq!(warm, ["gpu-1"]);
    bench.control.keep_model(&actor, keep(Keep::Unload, &[&first])).await.unwrap();
    assert!(page(&bench, &actor, &[("show", "warm")]).rows.is_empty());

    // Everywhere is every backend that has it.
    two.set(|script| script.heal());
    let copy = CopyModel {
        model: "llama3.2:latest".into(),
        destination: "Mine".into(),
        backends: Boxes::new(),
        everywhere: true,
    };
    let acted = bench.control.copy_model(&actor, copy).await.unwrap();
    assert_eq!(acted.outcomes.iter().filter(|outcome| outcome.ok).count(), 3);
    assert_eq!(page(&bench, &actor, &[("search", "mine")]).rows[0].on.len(), 3);
    let delete = |retyped: &str, ids: &[&BackendId]| DeleteModel {
        model: "mine:latest".into(),
        retyped: retyped.into(),
        backends: boxes(ids),
        everywhere: false,
    };
    let refused = bench.control.delete_model(&actor, delete("mine", &[&first])).await.unwrap_err();
    assert!(refused.field("retyped").is_some_and(|text| text.ends_with("mine:latest")), "{refused}");
    let acted = bench.control.delete_model(&actor, delete("mine:latest", &[&first, &second])).await.unwrap();
    assert_eq!(self::told(&acted), [("gpu-1", true, "deleted"), ("gpu-2", true, "deleted")]);
    assert_eq!(page(&bench, &actor, &[("search", "mine")]).rows[0].on.len(), 1);

    // Each order has two rows in the log, with every backend in both: what was asked for, and what came of it.
    let log = bench.control.read_audit(&Default::default(), 10).await.unwrap().entries;
    let rows: Vec<_> = log.iter().map(|row| (row.action.as_str(), row.changes.len())).collect();
    let (sent, copied, deleted) =
        ("load or unload of a model sent", "copy of a model sent", "deletion of a model sent");
    let twice = [(deleted, 2), (deleted, 2), (copied, 4), (copied, 4), (sent, 1), (sent, 1), (sent, 3), (sent, 3)];
    assert_eq!(rows[..8], twice);
    let told = |row: usize| {
        let change = &log[row].changes[1];
        assert_eq!((change.kind.as_str(), change.name.as_str()), ("model", "llama3.2:latest on gpu-2"));
        (change.fields[0].field.clone(), change.fields[0].after.clone().unwrap())
    };
    assert_eq!(told(7), ("asked for".to_owned(), "load to stay".to_owned()));
    assert!(told(6).0 == "came of it" && told(6).1.starts_with("failed: its answer is not Ollama's"), "{:?}", told(6));
}

#[tokio::test]
async fn who_may_not_or_chooses_nothing_sends_nothing() {
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    let bench = bench().await;
    let actor = bench.admin().await;
    let id = backend(&bench, &actor, "gpu", &fake).await;
    let viewer =
        Actor { view: domain::setup::ActorView { role: Role::Viewer, ..actor.view().clone() }, ..actor.clone() };
    let keep = |model: &str, backends: Boxes, everywhere| KeepModel {
        model: model.into(),
        act: Keep::Load,
        backends,
        everywhere,
    };
    let all = || boxes(&[&id]);
    let control = &bench.control;
    let refused = control.keep_model(&viewer, keep("llama3.2:latest", all(), false)).await.unwrap_err();
    assert!(matches!(refused, AdminError::Forbidden { .. }));
    let copy = CopyModel {
        model: "llama3.2:latest".into(),
        destination: "x:cloud".into(),
        backends: all(),
        everywhere: false,
    };
    assert!(matches!(control.copy_model(&viewer, copy.clone()).await, Err(AdminError::Forbidden { .. })));
    let delete = DeleteModel { model: "a".into(), retyped: "a".into(), backends: all(), everywhere: false };
    assert!(matches!(control.delete_model(&viewer, delete).await, Err(AdminError::Forbidden { .. })));
    assert!(control.copy_model(&actor, copy).await.unwrap_err().field("destination").is_some());
    let none = control.keep_model(&actor, keep("llama3.2:latest", Boxes::new(), false)).await.unwrap_err();
    assert!(none.field("backends").is_some(), "{none}");
    let gone = BackendId::new("0123456789ab").unwrap();
    for (model, backends, everywhere) in
        [("llama3.2:latest", boxes(&[&gone]), false), ("gone:1b", Boxes::new(), true), (" ", all(), false)]
    {
        let error = control.keep_model(&actor, keep(model, backends, everywhere)).await.unwrap_err();
        assert!(matches!(error, AdminError::NotFound { .. }), "{error}");
    }
    assert!(fake.inference_requests().is_empty());
}

/// The browser that sent an order goes away while the backend is at it.
#[tokio::test]
async fn what_was_sent_goes_on_and_is_logged_when_nobody_waits_any_more() {
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    let bench = bench().await;
    let actor = bench.admin().await;
    let id = backend(&bench, &actor, "gpu", &fake).await;
    fake.hold();
    let keep =
        KeepModel { model: "llama3.2:latest".into(), act: Keep::Load, backends: boxes(&[&id]), everywhere: false };
    {
        let sending = bench.control.keep_model(&actor, keep);
        tokio::pin!(sending);
        tokio::select! {
            _ = &mut sending => panic!("it is held"),
            () = until(async || !fake.inference_requests().is_empty()) => {}
        }
    }
    let logged = async || {
        let log = bench.control.read_audit(&Default::default(), 10).await.unwrap().entries;
        log.iter().filter(|row| row.action == "load or unload of a model sent").count()
    };
    assert_eq!(logged().await, 1, "what was asked for is there before it is done");
    fake.release_all();
    until(async || logged().await == 2).await;
    assert_eq!(bench.gateway.loaded(&id).len(), 1);
}

#[tokio::test]
async fn a_backend_has_its_state_its_history_and_its_models() {
    let fake = FakeOllama::builder().models(["llama3.2", "mistral", "qwen3:4b"]).start().await;
    fake.set(|script| script.loaded.push("qwen3:4b".into()));
    let other = FakeOllama::builder().models([Model::new("mistral").digest(&"ab".repeat(32))]).start().await;
    let bench = bench().await;
    let actor = bench.admin().await;
    let id = backend(&bench, &actor, "gpu-1", &fake).await;
    backend(&bench, &actor, "gpu-2", &other).await;
    let user = bench.user(&actor, "ann").await;
    let key = bench.key(&actor, &user, "laptop").await.view.id;
    let now = Now::read().wall;
    let of = |n: u64, backend: Option<&BackendId>| UsageRecord {
        backend: backend.cloned(),
        ..UsageRecord::new(n, now - n, user.clone(), key.clone(), Endpoint::Chat)
    };
    bench.control.0.store.append_usage(&[of(1, Some(&id)), of(2, Some(&id)), of(3, None)]).await.unwrap();

    let control = &bench.control;
    let ask = |id: &str| AskBackend { id: id.into(), page: String::new() };
    let page = control.backend_page(&actor, &ask(id.as_str())).await.unwrap();
    assert_eq!(
        (page.backend.name.as_str(), page.backend.state, page.backend.models.len()),
        ("gpu-1", BackendState::Up, 0)
    );
    assert_eq!(page.did.requests, 2, "those of others do not count");
    assert_eq!(names(&page.models), ["qwen3:4b", "llama3.2:latest", "mistral:latest"], "what is in its memory first");
    assert_eq!((page.models.here, page.models.all), (3, 3));
    let mistral = &page.models.rows[2];
    assert_eq!((mistral.on.len(), mistral.versions.len()), (1, 2), "only its own, and what differs elsewhere");

    let history = async |range: &str| {
        control.backend_history(&actor, &AskHistory { id: id.to_string(), range: range.into() }).await
    };
    let day = history("").await.unwrap();
    assert_eq!((day.name.as_str(), day.did), ("gpu-1", page.did));
    let titles: Vec<&str> = day.charts.iter().map(|chart| chart.title.as_str()).collect();
    assert_eq!(titles, ["Requests by model", "Errors", "Latency (ms)", "Time to the first byte (ms)"]);
    assert_eq!(day.usage, format!("range=24h&backend={id}"));
    assert!(day.log.contains(&format!("backend={id}")) && day.file.contains("step=hour"));
    assert_eq!(history("7d").await.unwrap().labels.len(), 7);
    assert!(history("90d").await.unwrap_err().field("range").is_some());
    for id in ["0123456789ab", "no id"] {
        let gone = control.backend_page(&actor, &ask(id)).await.unwrap_err();
        assert!(matches!(gone, AdminError::NotFound { .. }), "{id}");
        let gone =
            control.backend_history(&actor, &AskHistory { id: id.into(), range: String::new() }).await.unwrap_err();
        assert!(matches!(gone, AdminError::NotFound { .. }), "{id}");
    }
}
