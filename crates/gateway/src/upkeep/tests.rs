//! What a backend does, refuses, leaves unanswered and only says that it did.

use testkit::{FakeOllama, Fault, Model};

use super::*;
use crate::backend::tests::{entry, snapshot};

async fn gateway(fake: &FakeOllama) -> (Gateway, BackendId) {
    let (gateway, _records) = Gateway::new(1);
    let entry = entry(1, fake.url());
    let id = entry.id.clone();
    gateway.publish(snapshot([entry]));
    gateway.refresh(None).await;
    (gateway, id)
}

async fn tend(gateway: &Gateway, id: &BackendId, model: &str, work: &Work) -> Result<Done, String> {
    gateway.tend(id, model, work).await
}

fn copy(to: &str) -> Work {
    Work::Copy(crate::holdings::new_name(to).unwrap())
}

#[tokio::test]
async fn a_model_is_loaded_kept_and_let_go_by_the_name_the_backend_has_for_it() {
    let fake = FakeOllama::builder().models(["Llama3.2", "nomic-embed-text"]).start().await;
    let (gateway, id) = gateway(&fake).await;
    for model in ["llama3.2", "nomic-embed-text:latest"] {
        let done = tend(&gateway, &id, model, &Work::Load).await.unwrap();
        assert!(done.in_memory.is_some_and(|loaded| loaded.vram > 0) && !done.unseen, "{model}");
    }
    tend(&gateway, &id, "library/llama3.2", &Work::Pin).await.unwrap();
    let sent = fake.inference_requests();
    let members: Vec<_> = sent.iter().map(|request| (request.path.as_str(), request.json())).collect();
    assert_eq!(members[0], ("/api/generate", json!({ "model": "Llama3.2:latest", "stream": false })));
    assert_eq!(members[2], ("/api/embed", json!({ "model": "nomic-embed-text:latest", "input": "" })));
    let pinned = json!({ "model": "Llama3.2:latest", "stream": false, "keep_alive": -1 });
    assert_eq!(members[3], ("/api/generate", pinned));

    for model in ["llama3.2", "nomic-embed-text"] {
        assert_eq!(tend(&gateway, &id, model, &Work::Unload).await.unwrap().in_memory, None, "{model}");
    }
    assert_eq!(gateway.loaded(&id), []);
}

#[tokio::test]
async fn copies_and_deletions_show_in_the_lists_at_once() {
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    let (gateway, id) = gateway(&fake).await;
    tend(&gateway, &id, "llama3.2", &copy("team/mine:1")).await.unwrap();
    let names = || -> Vec<String> {
        gateway.holdings().iter().flat_map(|backend| backend.models().map(|held| held.shown().to_owned())).collect()
    };
    assert_eq!(names(), ["llama3.2:latest", "team/mine:1"]);
    let taken = tend(&gateway, &id, "llama3.2", &copy("Team/Mine:1")).await.unwrap_err();
    assert!(taken.starts_with("it already has a model called team/mine:1"), "{taken}");
    tend(&gateway, &id, "team/mine:1", &Work::Delete).await.unwrap();
    assert_eq!(names(), ["llama3.2:latest"]);
    assert_eq!(tend(&gateway, &id, "team/mine:1", &Work::Delete).await.unwrap_err(), "it does not list this model");
}

#[tokio::test]
async fn what_cannot_be_done_there_is_said_without_asking() {
    let foreign = FakeOllama::builder().models(["llama3.2"]).start().await;
    foreign.set(|script| script.fault_at("/api/tags", Fault::Status(404)));
    let (gateway, id) = self::gateway(&foreign).await;
    for work in [Work::Load, Work::Pin, Work::Unload, copy("b"), Work::Delete] {
        let refused = tend(&gateway, &id, "llama3.2:latest", &work).await.unwrap_err();
        assert!(refused.starts_with("it speaks OpenAI's API only"), "{work:?}: {refused}");
    }
    assert!(foreign.inference_requests().is_empty());

    let fake = FakeOllama::builder().models([Model::new("kimi:1t-cloud")]).start().await;
    let (gateway, id) = self::gateway(&fake).await;
    let refused = tend(&gateway, &id, "kimi:1t", &Work::Load).await.unwrap_err();
    assert!(refused.contains("ollama.com"), "{refused}");
    assert!(fake.inference_requests().is_empty(), "it would have been sent on under the owner's account");
    gateway.publish(snapshot([crate::snapshot::BackendEntry { enabled: false, ..entry(1, fake.url()) }]));
    assert!(tend(&gateway, &id, "kimi:1t", &Work::Delete).await.unwrap_err().contains("disabled"));
    gateway.publish(snapshot([]));
    assert!(tend(&gateway, &id, "kimi:1t", &Work::Delete).await.unwrap_err().contains("not there any more"));
}

#[tokio::test]
async fn rubbish_refusals_and_silence_are_told_in_words() {
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    let (gateway, id) = gateway(&fake).await;
    for fault in [Fault::WrongJson, Fault::NotJson] {
        fake.set(|script| script.fault_at("/api/generate", fault));
        assert!(tend(&gateway, &id, "llama3.2", &Work::Load).await.unwrap_err().contains("not Ollama's"));
    }
    fake.set(|script| script.fault_at("/api/generate", Fault::Status(500)));
    assert_eq!(tend(&gateway, &id, "llama3.2", &Work::Pin).await.unwrap_err(), "it answered 500: scripted fault");
    fake.set(|script| script.fault_at("/api/generate", Fault::HangBeforeHeaders));
    let mut own = entry(1, fake.url());
    own.timeouts.first_byte_timeout_s = Some(1);
    gateway.publish(snapshot([own]));
    let late = tend(&gateway, &id, "llama3.2", &Work::Load).await.unwrap_err();
    assert_eq!(late, "it did not answer within 1 second", "the backend's own time, not that of the settings");
    gateway.publish(snapshot([entry(1, fake.url())]));

    // It says that it did, and did not.
    for path in ["/api/copy", "/api/delete"] {
        fake.set(|script| script.fault_at(path, Fault::StatusBody(200, String::new())));
    }
    let done = r#"{"done":true}"#.to_owned();
    fake.set(|script| script.fault_at("/api/generate", Fault::StatusBody(200, done)));
    for (work, told) in [(copy("b"), "does not list it"), (Work::Delete, "still lists it"), (Work::Load, "as loaded")] {
        let told_of = tend(&gateway, &id, "llama3.2", &work).await.unwrap_err();
        assert!(told_of.ends_with(told), "{work:?}: {told_of}");
    }

    // Its lists are silent afterwards.
    fake.set(|script| {
        script.heal();
        script.fault_at("/api/tags", Fault::Status(500));
    });
    let done = tend(&gateway, &id, "llama3.2", &Work::Load).await.unwrap();
    assert_eq!(done, Done { in_memory: None, unseen: true });
    fake.refuse_connections().await;
    assert_eq!(tend(&gateway, &id, "llama3.2", &Work::Load).await.unwrap_err(), "it cannot be reached");
}

#[tokio::test]
async fn what_still_answers_is_let_go_when_it_has_ended() {
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    fake.set(|script| script.loaded.push("llama3.2:latest".into()));
    let (gateway, id) = gateway(&fake).await;
    let done = r#"{"done":true,"done_reason":"unload"}"#.to_owned();
    fake.set(|script| script.fault_at("/api/generate", Fault::StatusBody(200, done)));
    assert!(tend(&gateway, &id, "llama3.2", &Work::Unload).await.unwrap().in_memory.is_some());
}
