//! The model `auto`: which model a request for it gets in every dialect and why, what the caller and the log are told of it,
//! what a key may reach by it, and how it is listed.

use std::sync::Arc;

use domain::{
    alias::TargetState,
    auto::Purposes,
    policy::Policy,
    usage::{Outcome, UsageRecord},
};
use gateway::snapshot::{Aliases, Settings};
use serde_json::Value;
use testkit::{FakeOllama, Fault, Model};

use crate::rig::{Answer, Rig, eventually};

/// A model, and words of what it is for.
type Entry = (&'static str, &'static [&'static str]);

fn auto(settings: &mut Settings, models: &[Entry]) {
    auto_beside(settings, &[], models);
}

fn auto_beside(settings: &mut Settings, aliases: &[(&str, &str)], models: &[Entry]) {
    let purposes = |words: &[&str]| Purposes::of(Purposes::WORDS.map(|word| words.contains(&word)));
    let aliases: Aliases =
        aliases.iter().map(|(name, model)| ((*name).to_owned(), vec![(*model).to_owned()])).collect();
    let models = models.iter().map(|(model, words)| ((*model).to_owned(), purposes(words)));
    settings.aliases = Arc::new(aliases.with_auto(models));
}

fn only(models: &[&str]) -> Policy {
    Policy { models: models.iter().map(|model| model.parse().unwrap()).collect(), ..Policy::default() }
}

/// One backend with a model of each kind, all of which it tells.
async fn fleet() -> FakeOllama {
    FakeOllama::builder()
        .models([
            Model::new("llama3.2:3b").can(&["completion", "tools"]),
            Model::new("qwen2.5-coder:7b").can(&["completion", "tools", "insert"]),
            Model::new("llava:7b").can(&["completion", "vision"]),
            Model::new("qwen2.5vl:7b").can(&["completion", "vision", "tools"]),
            Model::new("nomic-embed-text").can(&["embedding"]),
        ])
        .start()
        .await
}

const ORDER: [Entry; 5] = [
    ("llama3.2:3b", &["general"]),
    ("qwen2.5-coder:7b", &["code"]),
    ("llava:7b", &["general"]),
    ("qwen2.5vl:7b", &["general"]),
    ("nomic-embed-text", &["embeddings"]),
];

fn chat(text: &str) -> String {
    format!(r#"{{"model":"auto","stream":false,"messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

fn picked(answer: &Answer) -> Option<&str> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.header("x-fortress-model")
}

fn model_of(record: &UsageRecord) -> (&str, &str) {
    (record.model.as_deref().unwrap_or_default(), record.via.as_deref().unwrap_or_default())
}

fn listed(answer: &Answer, list: &str, member: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body[list].as_array().unwrap().iter().map(|row| row[member].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn in_every_dialect_a_model_is_picked_by_what_is_in_the_request_and_only_its_name_changes() {
    let fake = fleet().await;
    let mut rig = Rig::with(&[&fake], |plan| auto(&mut plan.settings, &ORDER)).await;
    const SEE: &str = "image in the request, first of the models that see images";
    const GENERAL: &str = "first of the models that are for general use";
    const CODE: &str = "code in the last message, first of the models that are for code";
    const BOTH: &str =
        "image in the request and tools in the request, first of the models that see images and use tools";
    const EMBED: &str = "first of the models that make embeddings";
    let user = r#""stream":false,"messages":[{"role":"user","content":"why is auto \u00e9?"}]"#;
    let anthropic = |content: &str| {
        format!(
            r#"{{"model":"@","max_tokens":9,"stream":false,"messages":[{{"role":"user","content":{content}}}],"tools":[{{"name":"t"}}]}}"#
        )
    };
    for (path, name, body, model, why) in [
        ("/api/chat", "auto", format!(r#"{{ "model" : "@", {user}}}"#), "llama3.2:3b", GENERAL),
        ("/api/chat", "AUTO:latest", chat("a regex please").replace("auto", "@"), "qwen2.5-coder:7b", CODE),
        (
            "/api/chat",
            "auto",
            r#"{"model":"@","stream":false,"messages":[{"role":"user","content":"x","images":["aGk="]},{"role":"user","content":"and?"}]}"#.into(),
            "llava:7b",
            SEE,
        ),
        ("/api/generate", "auto", r#"{"model":"@","prompt":"what?","stream":false,"images":["aGk="]}"#.into(), "llava:7b", SEE),
        ("/api/embed", "auto", r#"{"model":"@","input":["python","b"]}"#.into(), "nomic-embed-text", EMBED),
        ("/api/embeddings", "auto", r#"{"model":"@","prompt":"b"}"#.into(), "nomic-embed-text", EMBED),
        ("/api/show", "auto", r#"{"name":"@"}"#.into(), "llama3.2:3b", GENERAL),
        ("/v1/chat/completions", "library/auto", format!(r#"{{"model":"@",{user}}}"#), "llama3.2:3b", GENERAL),
        (
            "/v1/chat/completions",
            "auto",
            r#"{"model":"@","stream":false,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}],"tools":[{"type":"function"}]}"#.into(),
            "qwen2.5vl:7b",
            BOTH,
        ),
        ("/v1/completions", "auto", r#"{"model":"@","stream":false,"prompt":"```sh"}"#.into(), "qwen2.5-coder:7b", CODE),
        ("/v1/embeddings", "auto", r#"{"model":"@","input":"x"}"#.into(), "nomic-embed-text", EMBED),
        ("/v1/responses", "auto", r#"{"model":"@","stream":false,"input":"debug this"}"#.into(), "qwen2.5-coder:7b", CODE),
        ("/v1/messages", "auto", anthropic(r#"[{"type":"image","source":{}}]"#), "qwen2.5vl:7b", BOTH),
    ] {
        let answer = rig.post(path, body.replace('@', name)).await;
        let shown = if model.contains(':') { model.to_owned() } else { format!("{model}:latest") };
        assert_eq!(picked(&answer), Some(shown.as_str()), "{path} {body}");
        assert_eq!(answer.header("x-fortress-auto"), Some(why), "{path} {body}");
        let came = fake.requests().into_iter().rfind(|request| request.path == path).unwrap().body;
        assert_eq!(String::from_utf8_lossy(&came), body.replace('@', model), "{path}");
        let record = rig.record().await;
        assert_eq!(model_of(&record), (shown.as_str(), format!("asked for as auto: {why}").as_str()), "{path}");
        assert_eq!(record.outcome, Outcome::Complete, "{path}");
    }
    let answer = rig.post("/api/chat", chat("x").replace("auto", "llava:7b")).await;
    assert_eq!((answer.header("x-fortress-auto"), answer.header("x-fortress-model")), (None, None));
}

#[tokio::test]
async fn without_a_list_every_model_may_be_picked_a_loaded_one_first_and_then_by_name() {
    let fake = fleet().await;
    let mut rig = Rig::with(&[&fake], |plan| auto(&mut plan.settings, &[])).await;
    let answer = rig.post("/api/chat", chat("hello")).await;
    assert_eq!(picked(&answer), Some("llama3.2:3b"));
    let why = "first by name of the models that are for general use";
    assert_eq!(answer.header("x-fortress-auto"), Some(why));
    rig.record().await;
    // It is loaded now, and so is this one, which comes first by name of those that see.
    rig.post("/api/chat", chat("hello").replace("auto", "qwen2.5vl:7b")).await;
    let image = r#"{"model":"auto","prompt":"x","stream":false,"images":["aGk="]}"#;
    let answer = rig.post("/api/generate", image).await;
    assert_eq!(picked(&answer), Some("qwen2.5vl:7b"));
    let why = "image in the request, first of the models that see images, loaded";
    assert_eq!(answer.header("x-fortress-auto"), Some(why));
    // A model that an alias hides is not picked.
    rig.change(|plan| auto_beside(&mut plan.settings, &[("qwen2.5vl:7b", "llama3.2:3b")], &[]));
    assert_eq!(picked(&rig.post("/api/generate", image).await), Some("llava:7b"));
}

#[tokio::test]
async fn what_no_list_says_is_known_from_what_was_ticked() {
    let fake = FakeOllama::builder().models(["gemma3:4b", "phi4", "nomic-embed-text"]).start().await;
    let mut rig = Rig::with(&[&fake], |plan| auto(&mut plan.settings, &[])).await;
    let image = r#"{"model":"auto","prompt":"x","stream":false,"images":["aGk="]}"#;
    assert_eq!(rig.post("/api/generate", image).await.status, 404);
    let embed = rig.post("/api/embed", r#"{"model":"auto","input":"x"}"#).await;
    assert_eq!(picked(&embed), Some("nomic-embed-text:latest"), "known by its family");
    rig.change(|plan| auto(&mut plan.settings, &[("phi4", &["general"]), ("gemma3:4b", &["general", "images"])]));
    assert_eq!(picked(&rig.post("/api/generate", image).await), Some("gemma3:4b"));
    assert_eq!(picked(&rig.post("/api/chat", chat("x")).await), Some("phi4:latest"));
}

#[tokio::test]
async fn where_no_model_can_the_answer_says_what_was_wanting_in_the_callers_dialect() {
    let fake = FakeOllama::builder().models([Model::new("phi4").can(&["completion"])]).start().await;
    let mut rig = Rig::with(&[&fake], |plan| auto(&mut plan.settings, &[])).await;
    let see = "model 'auto' found no model for this key that can see the image in this request";
    let tools = "model 'auto' found no model for this key that can use the tools of this request";
    let embed = "model 'auto' found no model for this key that can make embeddings";
    let message = r#""messages":[{"role":"user","content":[{"type":"image","source":{}},{"type":"image_url"}]}]"#;
    for (path, body, at, text) in [
        ("/api/generate", r#"{"model":"auto","prompt":"x","images":["aGk="]}"#.to_owned(), "/error", see),
        ("/api/chat", chat("x").replacen('{', r#"{"tools":[{}],"#, 1), "/error", tools),
        ("/api/embed", r#"{"model":"auto","input":"x"}"#.into(), "/error", embed),
        ("/v1/chat/completions", format!(r#"{{"model":"auto",{message}}}"#), "/error/message", see),
        ("/v1/messages", format!(r#"{{"model":"auto","max_tokens":1,{message}}}"#), "/error/message", see),
    ] {
        let answer = rig.post(path, body).await;
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, told.pointer(at)), (404, Some(&Value::from(text))), "{path} {answer:?}");
        let record = rig.record().await;
        assert_eq!((record.model.as_deref(), record.unresolved), (Some("auto"), true), "{path}");
    }
    let goes_on = rig.post("/v1/responses", r#"{"model":"auto","input":"x","previous_response_id":"r1"}"#).await;
    assert_eq!(goes_on.status, 400, "{goes_on:?}");
    assert!(goes_on.body.contains("name the model that gave it"), "{goes_on:?}");
    assert!(fake.inference_requests().is_empty());
    let empty = Rig::with(&[], |plan| auto(&mut plan.settings, &[])).await;
    assert_eq!(empty.post("/api/chat", chat("x")).await.status, 503, "another try may go well");
}

#[tokio::test]
async fn the_next_model_is_taken_where_the_first_cannot_answer_and_the_log_says_so() {
    let fleet = [
        FakeOllama::builder().models([Model::new("llava:7b").can(&["completion", "vision"])]).start().await,
        FakeOllama::builder().models([Model::new("gemma3:4b").can(&["completion", "vision"])]).start().await,
    ];
    let mut rig = Rig::with(&fleet.each_ref(), |plan| {
        auto(&mut plan.settings, &[("llava:7b", &["general"]), ("gemma3:4b", &["general"])]);
        plan.draining = vec![0];
    })
    .await;
    let image = r#"{"model":"auto","prompt":"x","stream":false,"images":["aGk="]}"#;
    assert_eq!(picked(&rig.post("/api/generate", image).await), Some("gemma3:4b"));
    let why = "asked for as auto: image in the request, first of the models that see images";
    let out = format!("{why}, llava:7b had no backend that could take it");
    assert_eq!(model_of(&rig.record().await), ("gemma3:4b", out.as_str()));

    rig.change(|plan| plan.draining.clear());
    let gone = Fault::StatusBody(404, r#"{"error":"model 'llava:7b' not found"}"#.into());
    fleet[0].set(|script| script.fault_at("/api/generate", gone));
    assert_eq!(picked(&rig.post("/api/generate", image).await), Some("gemma3:4b"));
    assert_eq!(fleet[1].inference_requests()[1].body, image.replace("auto", "gemma3:4b"));
    let record = rig.record().await;
    assert_eq!(model_of(&record), ("gemma3:4b", format!("{why}, llava:7b failed before it answered").as_str()));
    assert_eq!(record.retries, 1);
    rig.idle().await;
}

#[tokio::test]
async fn only_models_that_the_key_may_use_are_picked_and_none_other_is_named() {
    let fake = fleet().await;
    let mut rig = Rig::with(&[&fake], |plan| auto(&mut plan.settings, &ORDER)).await;
    for (allowed, expected) in [
        (&["qwen2.5vl:7b"][..], Some("qwen2.5vl:7b")),
        (&["qwen*"], Some("qwen2.5vl:7b")),
        // Its list names it: whatever it leads to.
        (&["auto"], Some("llama3.2:3b")),
        (&["AUTO:latest", "other"], Some("llama3.2:3b")),
        // A pattern that matches its name opens nothing else.
        (&["*:latest"], None),
        (&["nothing"], None),
    ] {
        rig.change(|plan| {
            plan.policy = only(allowed);
            plan.policy.topology = true;
        });
        let request = rig.keyed("POST", "/api/chat").header("x-fortress-explain", "1").body(chat("hello"));
        let answer = crate::rig::read(request).await;
        match expected {
            Some(model) => {
                assert_eq!(picked(&answer), Some(model), "{allowed:?}");
                let why = answer.header("x-fortress-why").unwrap();
                let start = "asked for as auto: first of the models that are for general use; warm-first: b0: chosen";
                assert!(why.starts_with(start), "{allowed:?}: {why}");
            }
            None => {
                let text = r#"{"error":"model 'auto' found no model for this key that can answer in text"}"#;
                assert_eq!((answer.status, answer.body.as_str()), (404, text), "{allowed:?}");
            }
        }
    }
}

#[tokio::test]
async fn it_is_listed_like_a_model_while_it_is_on_to_whoever_can_get_one_by_it() {
    let fake = FakeOllama::builder().models(["auto", "phi4", "llama3.2:3b"]).start().await;
    let mut rig = Rig::with(&[&fake], |plan| auto(&mut plan.settings, &[("phi4", &["general"])])).await;
    let names = |answer: &Answer| listed(answer, "models", "name");
    let tags = rig.get("/api/tags").await;
    assert_eq!(names(&tags), ["auto:latest", "llama3.2:3b", "phi4:latest"]);
    let digests = listed(&tags, "models", "digest");
    assert_eq!(digests[0], digests[2], "with the facts of the first model");
    assert_eq!(listed(&rig.get("/v1/models").await, "data", "id"), ["auto:latest", "llama3.2:3b", "phi4:latest"]);
    assert_eq!(rig.get("/v1/models/auto").await.status, 200);
    // A model of that name is hidden, and can be managed all the same.
    assert_eq!(picked(&rig.post("/api/chat", chat("x")).await), Some("phi4:latest"));
    assert!(rig.gateway.has_model("auto"));
    rig.change(|plan| plan.policy = only(&["llama3.2:*"]));
    assert_eq!(names(&rig.get("/api/tags").await), ["llama3.2:3b"]);
    assert_eq!(rig.get("/v1/models/auto").await.status, 404);
    rig.change(|plan| plan.policy = only(&["*:latest"]));
    assert_eq!(names(&rig.get("/api/tags").await), ["auto:latest", "phi4:latest"]);
    rig.change(|plan| plan.policy = only(&["auto"]));
    assert_eq!(names(&rig.get("/api/tags").await), ["auto:latest"]);

    rig.change(|plan| {
        plan.policy = Policy::default();
        auto(&mut plan.settings, &[]);
    });
    assert_eq!(names(&rig.get("/api/tags").await), ["auto:latest", "llama3.2:3b", "phi4:latest"]);
    assert_eq!(picked(&rig.post("/api/chat", chat("x")).await), Some("phi4:latest"), "it is loaded");

    // Switched off, the model of that name is reached again.
    rig.change(|plan| plan.settings.aliases = Arc::default());
    let answer = rig.post("/api/chat", chat("x")).await;
    assert_eq!((answer.status, answer.header("x-fortress-model")), (200, None));
    assert_eq!(fake.inference_requests().last().unwrap().json()["model"], "auto");
}

#[tokio::test]
async fn audio_is_refused_and_large_bodies_are_looked_through_as_well() {
    let fake = fleet().await;
    let rig = Rig::with(&[&fake], |plan| auto(&mut plan.settings, &ORDER)).await;
    let form = "--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nauto\r\n--XX--\r\n";
    let request = rig.keyed("POST", "/v1/audio/transcriptions").body(form);
    let answer = crate::rig::read(request.header("content-type", "multipart/form-data; boundary=XX")).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.body.contains("picks no model for audio"), "{answer:?}");
    let image = "A".repeat(1 << 20);
    let body = format!(r#"{{"model":"auto","prompt":"x","stream":false,"images":["{image}"]}}"#);
    assert_eq!(picked(&rig.post("/api/generate", body).await), Some("llava:7b"));
}

#[tokio::test]
async fn the_page_is_told_how_each_model_stands_in_the_order_of_a_plain_question() {
    let fake = fleet().await;
    let order: Vec<Entry> = ORDER.into_iter().chain([("nothing", &["general"][..])]).collect();
    let mut rig = Rig::with(&[&fake], |plan| auto(&mut plan.settings, &order)).await;
    let look = |rig: &Rig, most: usize| {
        let (targets, more) = rig.gateway.auto_targets(most);
        (targets.into_iter().map(|target| (target.model, target.state, target.can)).collect::<Vec<_>>(), more)
    };
    use TargetState::{Missing, Next, Out, Standby};
    let row = |model: &str, state, can: &str| (model.to_owned(), state, can.to_owned());
    let expected = [
        row("llama3.2:3b", Next, "text, tools"),
        row("llava:7b", Standby, "text, images"),
        row("qwen2.5vl:7b", Standby, "text, images, tools"),
        row("qwen2.5-coder:7b", Standby, "text, tools"),
        row("nomic-embed-text", Standby, "embeddings"),
        row("nothing", Missing, ""),
    ];
    assert_eq!(look(&rig, 9), (expected.to_vec(), 0));
    let (targets, _) = rig.gateway.auto_targets(9);
    assert_eq!(
        (targets[0].why.as_str(), targets[4].why.as_str()),
        ("on b0, not loaded", "answers no plain question, on b0, not loaded")
    );
    assert_eq!(look(&rig, 2), (expected[..2].to_vec(), 4));
    fake.refuse_connections().await;
    rig.gateway.refresh(None).await;
    rig.gateway.refresh(None).await;
    eventually("it is found down", || look(&rig, 9).0[..5].iter().all(|(_, state, _)| *state == Out)).await;
    rig.change(|plan| plan.settings.aliases = Arc::default());
    assert_eq!(look(&rig, 9), (Vec::new(), 0));
}
