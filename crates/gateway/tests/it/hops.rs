//! T40: a gateway that is its own backend, directly or round several corners.

use domain::backend::BackendState;
use testkit::FakeOllama;

use crate::rig::Rig;

const CALL: &str = r#"{"model":"llama3.2","prompt":"hi","stream":false}"#;

#[tokio::test]
async fn a_request_that_comes_back_is_refused_before_anything_is_done() {
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&fake]).await;
    assert_eq!(rig.post("/api/generate", CALL).await.status, 200);
    let sent = fake.inference_requests();
    let via = sent[0].header("via").unwrap();
    for (path, body) in [
        (
            "/api/generate",
            r#"{"error":"this request has passed this gateway before: one of its backends leads back to it"}"#,
        ),
        (
            "/v1/chat/completions",
            r#"{"error":{"message":"this request has passed this gateway before: one of its backends leads back to it","type":"api_error","param":null,"code":"loop"}}"#,
        ),
    ] {
        let answer = crate::rig::read(rig.keyed("POST", path).header("via", via).body(CALL)).await;
        assert_eq!((answer.status, answer.body.trim_end()), (508, body), "{path}");
    }
    assert_eq!(fake.inference_requests().len(), 1);
}

#[tokio::test]
async fn its_own_address_is_never_a_candidate() {
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::start(&[&fake]).await;
    let own = rig.url("/").parse().unwrap();
    rig.change(|plan| plan.backends.push(own));
    rig.gateway.refresh(None).await;
    let itself = rig.gateway.live().backends.remove(1);
    assert_eq!(itself.state, BackendState::Down);
    assert!(itself.last_error.unwrap().message.contains("leads back to this gateway"));
    for _ in 0..4 {
        assert_eq!(rig.post("/api/generate", CALL).await.status, 200);
    }
    assert_eq!(fake.inference_requests().len(), 4);
}
