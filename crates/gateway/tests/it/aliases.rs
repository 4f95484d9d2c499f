//! Aliases: which model and backend a request for one gets, what of it changes on the way, who may use it, and how it is
//! listed.

use std::sync::Arc;

use domain::{
    alias::TargetState,
    policy::Policy,
    usage::{Outcome, UsageRecord},
};
use gateway::snapshot::{Aliases, Settings};
use serde_json::Value;
use testkit::{FakeOllama, Fault};

use crate::rig::{Answer, Rig, eventually};

fn aliases(settings: &mut Settings, list: &[(&str, &[&str])]) {
    let owned = |(name, models): &(&str, &[&str])| {
        ((*name).to_owned(), models.iter().map(|model| (*model).to_owned()).collect())
    };
    settings.aliases = Arc::new(list.iter().map(owned).collect::<Aliases>());
}

fn only(models: &[&str]) -> Policy {
    Policy { models: models.iter().map(|model| model.parse().unwrap()).collect(), ..Policy::default() }
}

fn chat(model: &str) -> String {
    format!(r#"{{"model":"{model}","stream":false,"messages":[{{"role":"user","content":"why"}}]}}"#)
}

fn listed(answer: &Answer, list: &str, member: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body[list].as_array().unwrap().iter().map(|row| row[member].as_str().unwrap().to_owned()).collect()
}

/// Two backends: the first has the small model, the second the large one.
async fn two() -> [FakeOllama; 2] {
    [FakeOllama::builder().models(["llama3.2:3b"]).start().await, FakeOllama::builder().models(["phi4"]).start().await]
}

const FAST: (&str, &[&str]) = ("fast", &["llama3.2:3b", "phi4"]);

fn model_of(record: &UsageRecord) -> (&str, &str) {
    (record.model.as_deref().unwrap_or_default(), record.via.as_deref().unwrap_or_default())
}

#[tokio::test]
async fn in_every_dialect_only_the_member_that_names_the_model_changes() {
    let fake = FakeOllama::builder().models(["llama3.2:3b", "nomic-embed-text"]).start().await;
    let mut rig = Rig::with(&[&fake], |plan| {
        aliases(&mut plan.settings, &[("fast", &["llama3.2:3b"]), ("vectors", &["nomic-embed-text"])]);
    })
    .await;
    // Spaces, escapes, numbers as they are written, and the alias in other places stay as they are.
    let odd = r#""x":1.50e1,"y":{"model":"fast"},"stream":false,"#;
    let messages = r#""messages":[{"role":"user","content":"fast \u00e9"}]"#;
    // What the client writes stands where the @ is.
    for (path, alias, body) in [
        ("/api/chat", "FAST", format!(r#"{{ {odd} "model" : "@" , {messages}}}"#)),
        ("/api/generate", "fast:latest", format!(r#"{{{odd}"prompt":"fast","model":"@"}}"#)),
        ("/api/embed", "vectors", format!(r#"{{{odd}"model":"@","input":["vectors","b"]}}"#)),
        ("/api/embeddings", "library/vectors", format!(r#"{{"model":"@",{odd}"prompt":"fast"}}"#)),
        ("/api/show", "fast", r#"{"name":"@","verbose":false}"#.to_owned()),
        ("/api/show", "fast", r#"{"name":"@", "model":"@"}"#.to_owned()),
        ("/v1/chat/completions", r"f\u0061st", format!(r#"{{"model":"@",{odd}{messages}}}"#)),
        ("/v1/completions", "fast", format!(r#"{{{odd}"prompt":"fast","model":"@"}}"#)),
        ("/v1/embeddings", "vectors", format!(r#"{{{odd}"model":"@","input":"fast"}}"#)),
        ("/v1/responses", "fast", format!(r#"{{"model":"@",{odd}"input":"fast"}}"#)),
        ("/v1/messages", "fast", format!(r#"{{"model":"@","max_tokens":9,{odd}{messages}}}"#)),
    ] {
        let answer = rig.post(path, body.replace('@', alias)).await;
        assert_eq!(answer.status, 200, "{path} {answer:?}");
        let (name, model, shown) = match path.contains("embed") {
            true => ("vectors", "nomic-embed-text", "nomic-embed-text:latest"),
            false => ("fast", "llama3.2:3b", "llama3.2:3b"),
        };
        assert_eq!(answer.header("x-fortress-model"), Some(shown), "{path}");
        let came = fake.requests().into_iter().rfind(|request| request.path == path).unwrap().body;
        assert_eq!(String::from_utf8_lossy(&came), body.replace('@', model), "{path}");
        let record = rig.record().await;
        assert_eq!(model_of(&record), (shown, format!("asked for as {name}").as_str()), "{path}");
        assert_eq!(record.outcome, Outcome::Complete, "{path}");
    }
}

#[tokio::test]
async fn the_model_in_a_form_is_changed_and_no_byte_beside_it() {
    let fake = FakeOllama::builder().models(["whisper:large"]).start().await;
    let rig = Rig::with(&[&fake], |plan| aliases(&mut plan.settings, &[("ears", &["whisper:large"])])).await;
    let form = |model: &str| {
        format!(
            "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF ears \u{0}\r\n\
             --XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--XX--\r\n"
        )
    };
    let request = rig.keyed("POST", "/v1/audio/transcriptions").body(form("ears"));
    let answer = crate::rig::read(request.header("content-type", "multipart/form-data; boundary=XX")).await;
    assert_eq!((answer.status, answer.header("x-fortress-model")), (200, Some("whisper:large")), "{answer:?}");
    assert_eq!(fake.inference_requests()[0].body, form("whisper:large"));
}

#[tokio::test]
async fn answers_pass_untouched_and_without_an_alias_nothing_is_said_of_one() {
    let fake = FakeOllama::builder().models(["llama3.2:3b"]).start().await;
    let mut rig = Rig::with(&[&fake], |plan| aliases(&mut plan.settings, &[FAST])).await;
    let answer = rig.post("/api/chat", chat("fast")).await;
    assert!(answer.body.contains(r#""model":"llama3.2:3b""#), "the backend's own words: {}", answer.body);
    rig.record().await;
    let answer = rig.post("/api/chat", chat("llama3.2:3b")).await;
    assert_eq!((answer.status, answer.header("x-fortress-model")), (200, None));
    assert_eq!(rig.record().await.via, None);
}

#[tokio::test]
async fn the_next_model_is_taken_where_the_backends_of_the_first_are_down_drained_or_without_it() {
    let fleet = two().await;
    let mut rig = Rig::with(&fleet.each_ref(), |plan| aliases(&mut plan.settings, &[FAST])).await;
    let asked = async |rig: &mut Rig| {
        assert_eq!(rig.post("/api/chat", chat("fast")).await.status, 200);
        rig.record().await
    };
    assert_eq!(model_of(&asked(&mut rig).await), ("llama3.2:3b", "asked for as fast"));

    rig.change(|plan| plan.draining = vec![0]);
    let out = "asked for as fast, llama3.2:3b had no backend that could take it";
    assert_eq!(model_of(&asked(&mut rig).await), ("phi4:latest", out));

    // Nobody knows yet that it is gone: the request itself finds out, and the client sees nothing of it.
    rig.change(|plan| plan.draining.clear());
    fleet[0].refuse_connections().await;
    let record = asked(&mut rig).await;
    let failed = "asked for as fast, llama3.2:3b failed before it answered";
    assert_eq!((model_of(&record), record.retries), (("phi4:latest", failed), 1));
    rig.gateway.refresh(None).await;
    let record = asked(&mut rig).await;
    assert_eq!((model_of(&record), record.retries), (("phi4:latest", out), 0), "the looks found it down");

    fleet[0].accept_connections().await;
    fleet[0].set(|script| script.models.clear());
    // The first lists without it are not believed.
    for _ in 0..4 {
        rig.gateway.refresh(None).await;
    }
    let missing = "asked for as fast, llama3.2:3b is on no backend";
    assert_eq!(model_of(&asked(&mut rig).await), ("phi4:latest", missing));
}

#[tokio::test]
async fn a_model_that_is_gone_after_all_leads_to_the_next_one() {
    let fleet = two().await;
    let mut rig = Rig::with(&fleet.each_ref(), |plan| aliases(&mut plan.settings, &[FAST])).await;
    let gone = Fault::StatusBody(404, r#"{"error":"model 'llama3.2:3b' not found"}"#.into());
    fleet[0].set(|script| script.fault_at("/api/chat", gone));
    let answer = rig.post("/api/chat", chat("fast")).await;
    assert_eq!((answer.status, answer.header("x-fortress-model")), (200, Some("phi4:latest")), "{answer:?}");
    assert_eq!(fleet[1].inference_requests()[0].body, chat("phi4"));
    let record = rig.record().await;
    assert_eq!((record.retries, record.outcome), (1, Outcome::Complete));
    rig.idle().await;
}

#[tokio::test]
async fn what_a_backend_answered_or_may_have_begun_is_never_asked_of_another_model() {
    for (fault, status) in [
        (Fault::Status(500), 500),
        (Fault::Status(400), 400),
        (Fault::CloseBeforeHeaders, 502),
        (Fault::Status(503), 503),
    ] {
        let fleet = two().await;
        let rig = Rig::with(&fleet.each_ref(), |plan| aliases(&mut plan.settings, &[FAST])).await;
        fleet[0].set(|script| script.fault_at("/api/chat", fault.clone()));
        assert_eq!(rig.post("/api/chat", chat("fast")).await.status, status, "{fault:?}");
        assert!(fleet[1].inference_requests().is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn where_nobody_can_take_any_of_it_the_answer_is_that_of_the_first_model() {
    let fleet = two().await;
    let mut rig = Rig::with(&fleet.each_ref(), |plan| {
        aliases(&mut plan.settings, &[FAST, ("gone", &["nothing"])]);
        plan.draining = vec![0, 1];
    })
    .await;
    let answer = rig.post("/api/chat", chat("fast")).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(model_of(&rig.record().await).0, "llama3.2:3b");
    let answer = rig.post("/api/chat", chat("gone")).await;
    assert_eq!((answer.status, answer.body.as_str()), (404, r#"{"error":"model 'gone' not found"}"#));
    let record = rig.record().await;
    assert_eq!((record.model.as_deref(), record.unresolved), (Some("gone"), true));
}

#[tokio::test]
async fn a_key_reaches_a_model_by_an_alias_where_it_may_use_either() {
    let fleet = two().await;
    let mut rig = Rig::with(&fleet.each_ref(), |plan| aliases(&mut plan.settings, &[FAST])).await;
    for (allowed, reached) in [
        (&["fast"][..], Some("llama3.2:3b")),
        (&["FAST:latest", "other"], Some("llama3.2:3b")),
        (&["phi4"], Some("phi4:latest")),
        (&["llama3.2:*"], Some("llama3.2:3b")),
        (&["fast:8b", "llama3.2", "other"], None),
    ] {
        rig.change(|plan| plan.policy = only(allowed));
        let answer = rig.post("/api/chat", chat("fast")).await;
        match reached {
            Some(model) => {
                assert_eq!((answer.status, answer.header("x-fortress-model")), (200, Some(model)), "{allowed:?}")
            }
            None => {
                let same = rig.post("/api/chat", chat("nope")).await;
                assert_eq!(answer.status, 404, "{allowed:?}");
                assert_eq!(answer.body, same.body.replace("nope", "fast"), "as for a model that nobody has");
            }
        }
        // What may be used by the alias may not be used by its own name.
        let direct = rig.post("/api/chat", chat("llama3.2:3b")).await.status;
        assert_eq!(direct, if allowed[0].starts_with("llama") { 200 } else { 404 }, "{allowed:?}");
    }
    // The key's own list and its user's must both admit it.
    rig.change(|plan| (plan.policy, plan.user_policy) = (only(&["fast"]), only(&["phi4"])));
    assert_eq!(rig.post("/api/chat", chat("fast")).await.status, 404);
    rig.change(|plan| (plan.policy, plan.user_policy) = (only(&["fast"]), only(&["fast", "phi4"])));
    assert_eq!(rig.post("/api/chat", chat("fast")).await.header("x-fortress-model"), Some("llama3.2:3b"));
}

#[tokio::test]
async fn an_alias_does_not_lead_past_the_models_of_a_key_when_the_first_fails() {
    let fleet = two().await;
    let rig = Rig::with(&fleet.each_ref(), |plan| {
        aliases(&mut plan.settings, &[FAST]);
        plan.policy = only(&["llama3.2:3b"]);
    })
    .await;
    fleet[0].refuse_connections().await;
    assert_eq!(rig.post("/api/chat", chat("fast")).await.status, 503);
    assert!(fleet[1].inference_requests().is_empty());
}

#[tokio::test]
async fn an_alias_hides_a_model_of_its_name_but_not_from_those_who_manage_models() {
    let fleet = [
        FakeOllama::builder().models(["llama3", "phi4"]).start().await,
        FakeOllama::builder().models(["phi4"]).start().await,
    ];
    let mut rig = Rig::with(&fleet.each_ref(), |plan| {
        aliases(&mut plan.settings, &[("llama3", &["phi4"])]);
        plan.policy.management = true;
    })
    .await;
    rig.post("/api/chat", chat("llama3")).await;
    assert_eq!(rig.record().await.model.as_deref(), Some("phi4:latest"));
    assert_eq!(listed(&rig.get("/api/tags").await, "models", "name"), ["llama3:latest", "phi4:latest"]);
    assert!(rig.gateway.has_model("llama3"));
    let answer = crate::rig::read(rig.keyed("DELETE", "/api/delete").body(r#"{"model":"llama3"}"#)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let deleted = fleet[0].requests().into_iter().find(|request| request.path == "/api/delete").unwrap();
    assert_eq!(deleted.json()["model"], "llama3");
    assert!(!fleet[1].paths().contains("/api/delete"));
}

#[tokio::test]
async fn aliases_are_listed_like_models_to_whoever_may_use_them() {
    let fleet = two().await;
    let mut rig = Rig::with(&fleet.each_ref(), |plan| {
        aliases(&mut plan.settings, &[FAST, ("gone", &["nothing"]), ("me/big", &["nothing", "PHI4"])]);
    })
    .await;
    let names = ["fast:latest", "llama3.2:3b", "me/big:latest", "phi4:latest"];
    let tags = rig.get("/api/tags").await;
    assert_eq!(listed(&tags, "models", "name"), names);
    assert_eq!(listed(&tags, "models", "model"), names);
    let digests = listed(&tags, "models", "digest");
    assert_eq!((&digests[0], &digests[2]), (&digests[1], &digests[3]), "the facts of the first model that is there");
    assert_eq!(listed(&rig.get("/v1/models").await, "data", "id"), names);
    let one: Value = serde_json::from_str(&rig.get("/v1/models/FAST").await.body).unwrap();
    assert_eq!((&one["id"], &one["object"]), (&"FAST".into(), &"model".into()));
    let unknown = rig.get("/v1/models/gone").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(rig.post("/api/show", r#"{"model":"fast"}"#).await.status, 200);

    rig.change(|plan| plan.policy = only(&["phi4"]));
    let tags = rig.get("/api/tags").await;
    assert_eq!(listed(&tags, "models", "name"), ["fast:latest", "me/big:latest", "phi4:latest"]);
    let shown = listed(&tags, "models", "digest");
    assert_eq!(shown[0], shown[2], "the facts of the model that it would get");
    rig.change(|plan| plan.policy = only(&["fast"]));
    assert_eq!(listed(&rig.get("/api/tags").await, "models", "name"), ["fast:latest"]);
    assert_eq!(listed(&rig.get("/v1/models").await, "data", "id"), ["fast:latest"]);
    assert_eq!(rig.get("/v1/models/fast").await.status, 200);
    assert_eq!(rig.get("/v1/models/me/big").await.status, 404);

    rig.change(|plan| {
        plan.policy = Policy::default();
        aliases(&mut plan.settings, &[]);
    });
    assert_eq!(listed(&rig.get("/api/tags").await, "models", "name"), ["llama3.2:3b", "phi4:latest"]);
    assert_eq!(rig.post("/api/chat", chat("fast")).await.status, 404, "it is gone at once");
}

#[tokio::test]
async fn keys_that_may_see_the_fleet_are_told_how_the_alias_led_there() {
    let fleet = two().await;
    let rig = Rig::with(&fleet.each_ref(), |plan| {
        aliases(&mut plan.settings, &[FAST]);
        plan.draining = vec![0];
        plan.policy.topology = true;
    })
    .await;
    let request = rig.keyed("POST", "/api/chat").header("x-fortress-explain", "1").body(chat("fast"));
    let answer = crate::rig::read(request).await;
    let why = answer.header("x-fortress-why").unwrap();
    let expected = "asked for as fast, llama3.2:3b had no backend that could take it; warm-first: b1: chosen";
    assert!(why.starts_with(expected), "{why}");
}

#[tokio::test]
async fn an_alias_is_looked_at_as_requests_would_meet_it() {
    let fleet = two().await;
    let mut rig = Rig::with(&fleet.each_ref(), |plan| {
        aliases(&mut plan.settings, &[("fast", &["nothing", "llama3.2:3b", "phi4", "x:cloud"])]);
    })
    .await;
    let look = |rig: &Rig| {
        let told = rig.gateway.alias_targets("fast").into_iter();
        told.map(|target| (target.state, target.why)).collect::<Vec<_>>()
    };
    use TargetState::{Missing, Next, Out, Standby};
    assert_eq!(
        look(&rig),
        [
            (Missing, "no backend has it".to_owned()),
            (Next, "on b0, not loaded".into()),
            (Standby, "on b1, not loaded".into()),
            (Missing, "runs at ollama.com, which is not served".into()),
        ]
    );
    rig.change(|plan| plan.draining = vec![0]);
    rig.post("/api/chat", chat("fast")).await;
    assert_eq!(look(&rig)[1..3], [(Out, "b0 is drained".to_owned()), (Next, "on b1, loaded there".into())]);
    fleet[1].refuse_connections().await;
    rig.gateway.refresh(None).await;
    eventually("the second is found down", || look(&rig)[2] == (Out, "b1 is down".to_owned())).await;
    assert_eq!(rig.gateway.alias_targets("other"), []);
}

/// Keys that may know the fleet read how a name led to a model.
#[tokio::test]
async fn what_a_key_may_not_use_is_not_named_to_it() {
    let fleet = two().await;
    let mut rig = Rig::with(&fleet.each_ref(), |plan| {
        aliases(&mut plan.settings, &[("fast", &["secret:1b", "llama3.2:3b", "phi4"])]);
        plan.policy = only(&["phi4"]);
        plan.policy.topology = true;
    })
    .await;
    let request = rig.keyed("POST", "/api/chat").header("x-fortress-explain", "1").body(chat("fast"));
    let answer = crate::rig::read(request).await;
    let why = answer.header("x-fortress-why").unwrap();
    assert!(why.starts_with("asked for as fast, a model of it is not for this key"), "{why}");
    assert!(!why.contains("secret") && !why.contains("llama3.2"), "{why}");
    assert_eq!(rig.record().await.model.as_deref(), Some("phi4:latest"));
}

#[tokio::test]
async fn what_is_down_for_now_is_not_taken_for_what_speaks_another_api() {
    let native = FakeOllama::builder().models(["llama3.2:3b"]).start().await;
    let foreign = FakeOllama::builder().models(["phi4"]).start().await;
    foreign.set(|script| script.fault_at("/api/tags", Fault::Status(404)));
    let rig = Rig::with(&[&native, &foreign], |plan| {
        aliases(&mut plan.settings, &[("fast", &["phi4:latest", "llama3.2:3b"]), ("foreign", &["phi4:latest"])]);
        plan.draining = vec![0];
    })
    .await;
    assert_eq!(rig.post("/api/chat", chat("fast")).await.status, 503, "another try may go well");
    assert_eq!(rig.post("/api/chat", chat("foreign")).await.status, 400, "none ever will");
    assert_eq!(rig.post("/v1/chat/completions", chat("fast")).await.status, 200);
}

/// The answer that is gone on with lies on a backend, and no other model knows it.
#[tokio::test]
async fn an_answer_that_is_not_found_leads_to_no_other_model() {
    let fleet = two().await;
    let rig = Rig::with(&fleet.each_ref(), |plan| aliases(&mut plan.settings, &[FAST])).await;
    fleet[0].set(|script| script.fault_at("/v1/responses", Fault::StatusBody(404, r#"{"error":"gone"}"#.into())));
    let body = |more: &str| format!(r#"{{"model":"fast","input":"why"{more}}}"#);
    let answer = rig.post("/v1/responses", body(r#","previous_response_id":"resp_1""#)).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(fleet[1].inference_requests().is_empty());
    assert_eq!(rig.post("/v1/responses", body("")).await.status, 200);
}

/// The next model has no slot: the record names no backend that has nothing to do with it.
#[tokio::test]
async fn a_record_does_not_pair_one_model_with_the_backend_of_another() {
    let fleet = [
        FakeOllama::builder().models(["llama3.2:3b"]).start().await,
        FakeOllama::builder().models(["phi4"]).held().start().await,
    ];
    let mut rig = Rig::with(&fleet.each_ref(), |plan| {
        aliases(&mut plan.settings, &[FAST]);
        plan.settings.queue_max = 0;
        plan.parallel = Some(1);
    })
    .await;
    let held = rig.raw(&rig.raw_post("/api/chat", &chat("phi4"))).await;
    fleet[1].wait_for(|seen| seen.inference().count() == 1).await;
    fleet[0].refuse_connections().await;
    assert_eq!(rig.post("/api/chat", chat("fast")).await.status, 503);
    let record = rig.record().await;
    assert_eq!((record.model.as_deref(), record.backend), (Some("phi4:latest"), None));
    drop(held);
}
