//! Who gets which request, seen from the backends.

use domain::balance::Balance;
use testkit::FakeOllama;

use crate::rig::Rig;

fn chat(model: &str) -> String {
    format!(r#"{{"model":"{model}","stream":false,"messages":[{{"role":"user","content":"why"}}]}}"#)
}

#[tokio::test]
async fn requests_for_a_model_go_round_the_backends_that_have_it() {
    let one = FakeOllama::builder().models(["shared", "mine"]).start().await;
    let two = FakeOllama::builder().models(["shared"]).start().await;
    let three = FakeOllama::builder().models(["other"]).start().await;
    let rig = Rig::with(&[&one, &two, &three], |plan| plan.settings.balance = Balance::RoundRobin).await;
    for spelling in ["shared", "SHARED", "library/shared", "shared:latest"] {
        let answer = rig.post("/api/chat", chat(spelling)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains(&format!(r#""model":"{spelling}""#)), "the client's spelling is echoed");
        // Another model between does not disturb the turns.
        assert_eq!(rig.post("/api/chat", chat("mine")).await.status, 200);
    }
    let to = |fake: &FakeOllama, model: &str| {
        let wanted = |request: &testkit::RecordedRequest| {
            request.json()["model"].as_str().unwrap().to_lowercase().contains(model)
        };
        fake.inference_requests().into_iter().filter(wanted).count()
    };
    assert_eq!((to(&one, "shared"), to(&two, "shared")), (2, 2));
    assert_eq!((to(&one, "mine"), to(&two, "mine")), (4, 0));
    assert!(three.inference_requests().is_empty());
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let rig = Rig::start(&[&fake]).await;
    for _ in 0..5 {
        assert_eq!(
            rig.post("/api/chat", r#"{"model":"a","messages":[{"role":"user","content":"x"}]}"#).await.status,
            200
        );
    }
    let used: std::collections::BTreeSet<usize> =
        fake.inference_requests().iter().map(|request| request.connection).collect();
    assert_eq!(used.len(), 1);
}

#[tokio::test]
async fn a_removed_backend_gets_nothing_new_and_finishes_what_it_has() {
    let fake = FakeOllama::builder().models(["a"]).held().start().await;
    let mut rig = Rig::start(&[&fake]).await;
    let running = tokio::spawn(crate::rig::read(rig.keyed("POST", "/api/chat").body(chat("a"))));
    fake.wait_for(|records| records.inference().count() == 1).await;
    rig.change(|plan| plan.backends.clear());
    assert_eq!(rig.post("/api/chat", chat("a")).await.status, 503);
    fake.release_all();
    assert_eq!(running.await.unwrap().status, 200);
    rig.idle().await;
    assert_eq!(fake.inference_requests().len(), 1);
}
