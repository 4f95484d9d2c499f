//! Administrators who ask without a key: the way of every request, but for the credential.

use bytes::Bytes;
use domain::{
    id::{KeyId, UserId},
    limit::RateLimit,
    policy::Classes,
    usage::{Outcome, UsageRecord},
};
use gateway::{Body, InsideCall, Insider};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use testkit::FakeOllama;

use crate::rig::{Rig, eventually};

const CHAT: &str = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;

fn insider() -> Insider {
    Insider::new(KeyId::new("administrat0").unwrap(), UserId::new("administrat0").unwrap())
}

async fn ask(rig: &Rig, insider: &Insider, call: InsideCall, body: &'static str) -> Response<Body> {
    let request = Request::post("/admin/playground/chat?x=1")
        .header("cookie", "op_session=canary")
        .header("authorization", "Bearer canary")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap();
    rig.gateway.handle_insider(request, (insider.clone(), call), [192, 0, 2, 1].into()).await
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn assert_its_own(record: &UsageRecord) {
    assert_eq!((record.key.as_str(), record.user.as_str()), ("administrat0", "administrat0"));
}

#[tokio::test]
async fn it_is_answered_accounted_and_told_which_backend_it_was() {
    let backend = FakeOllama::builder().models(["llama3.2", "nomic-embed"]).start().await;
    let mut rig = Rig::start(&[&backend]).await;
    let answer = ask(&rig, &insider(), InsideCall::Chat, CHAT).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["x-fortress-backend"]), (200, &"b0".parse().unwrap()));
    assert!(answer.headers().contains_key("x-fortress-warm") && answer.headers().contains_key("x-request-id"));
    let body = text(answer).await;
    assert!(body.lines().count() > 2 && body.contains(r#""done":true"#), "{body}");
    let record = rig.record().await;
    assert_its_own(&record);
    assert_eq!((record.outcome, record.endpoint.path()), (Outcome::Complete, "/api/chat"));
    assert!(record.completion_tokens.is_some() && record.ttft_us.is_some());

    let body = r#"{"model":"nomic-embed","input":["a","b"]}"#;
    let answer = text(ask(&rig, &insider(), InsideCall::Embed, body).await).await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&answer).unwrap()["embeddings"].as_array().unwrap().len(), 2);
    assert_its_own(&rig.record().await);
    let asked = backend.inference_requests();
    assert_eq!(asked.iter().map(|asked| asked.path.as_str()).collect::<Vec<_>>(), ["/api/chat", "/api/embed"]);
    for asked in asked {
        assert_eq!((asked.header("cookie"), asked.header("authorization")), (None, None));
    }
}

#[tokio::test]
async fn what_holds_for_all_holds_for_it_and_what_holds_for_keys_does_not() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::with(&[&backend], |plan| {
        plan.settings.default_limit = RateLimit::new(1, 60);
        plan.settings.doors.denied = domain::network::Networks::parse("192.0.2.0/24").unwrap();
        plan.user_enabled = false;
    })
    .await;
    let caller = insider();
    assert_eq!(ask(&rig, &caller, InsideCall::Chat, CHAT).await.status(), 200, "the doors of the API are not its");
    let limited = ask(&rig, &caller, InsideCall::Chat, CHAT).await;
    assert_eq!(limited.status(), 429);
    assert!(text(limited).await.starts_with(r#"{"error":"rate limit exceeded"#));
    rig.change(|plan| plan.settings.default_limit = None);
    let unknown = ask(&rig, &caller, InsideCall::Chat, r#"{"model":"nope","messages":[]}"#).await;
    assert_eq!(
        (unknown.status().as_u16(), text(unknown).await),
        (404, json!({"error": "model 'nope' not found"}).to_string())
    );
    rig.change(|plan| plan.settings.max_body = 50);
    assert_eq!(ask(&rig, &caller, InsideCall::Chat, CHAT).await.status(), 413);
    rig.change(|plan| plan.settings.classes = Classes { inference: false, ..Classes::default() });
    assert_eq!(ask(&rig, &caller, InsideCall::Chat, CHAT).await.status(), 403);
    let statuses: Vec<_> =
        [rig.record().await, rig.record().await, rig.record().await].map(|record| record.status).into();
    assert_eq!(statuses, [200, 429, 404]);
}

#[tokio::test]
async fn it_ends_with_its_session_wherever_it_is() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(8).held().start().await;
    let mut rig = Rig::with(&[&backend], |plan| plan.parallel = Some(1)).await;
    let caller = insider();
    // One is in the middle of its answer, one waits for the slot.
    backend.release_chunks(2);
    let running = ask(&rig, &caller, InsideCall::Chat, CHAT).await;
    let waiting = async {
        let answer = ask(&rig, &caller, InsideCall::Chat, CHAT).await;
        (answer.status().as_u16(), text(answer).await)
    };
    let end = async {
        eventually("one waits", || rig.gateway.live().waiting == 1).await;
        rig.gateway.end_insider(&caller);
    };
    let words = r#"{"error":"your session has ended, sign in again"}"#;
    let (waited, ()) = tokio::join!(waiting, end);
    assert_eq!(waited, (401, words.to_owned()));
    let mut body = running.into_body();
    let mut told = String::new();
    while let Some(Ok(frame)) = body.frame().await {
        told.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
    assert!(told.ends_with(&format!("{words}\n")), "{told}");
    assert_eq!(ask(&rig, &caller, InsideCall::Chat, CHAT).await.status(), 401, "it does not begin again");
    for _ in 0..3 {
        assert_eq!(rig.record().await.outcome, Outcome::Refused);
    }
    backend.wait_for(|seen| seen.open_connections() == 0).await;
    rig.idle().await;
}
