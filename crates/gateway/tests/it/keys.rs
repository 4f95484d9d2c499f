//! Who gets in: without a key in force nothing reaches a backend, and every refusal looks the same.

use domain::{
    id::KeyId,
    key::{KeyStatus, SECRET_LENGTH, assemble_key},
};
use testkit::FakeOllama;

use crate::rig::{Answer, Rig, read};

const CHAT: &str = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;

async fn chat(rig: &Rig, headers: &[(&str, &str)]) -> Answer {
    let mut request = rig.request("POST", "/api/chat").body(CHAT);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    read(request).await
}

/// All a client can compare: status, headers but date and request id, body.
fn seen(answer: Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (answer.status, headers, answer.body)
}

/// T12.
#[tokio::test]
async fn every_unusable_key_gets_the_same_answer_and_reaches_no_backend() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::start(&[&backend]).await;
    let other = assemble_key(&KeyId::new("keykeykeykey").unwrap(), &"t".repeat(SECRET_LENGTH));
    let unknown = assemble_key(&KeyId::new("unknownxxxxx").unwrap(), &"s".repeat(SECRET_LENGTH));
    let malformed = format!("{}x", &rig.key[..rig.key.len() - 1]);
    let mut answers = Vec::new();
    for key in [&other, &unknown, &malformed, "sk-something"] {
        answers.push(seen(chat(&rig, &[("authorization", &format!("Bearer {key}"))]).await));
    }
    let good = format!("Bearer {}", rig.key);
    rig.change(|plan| plan.status = KeyStatus::Disabled);
    answers.push(seen(chat(&rig, &[("authorization", &good)]).await));
    rig.change(|plan| (plan.status, plan.user_enabled) = (KeyStatus::Active, false));
    answers.push(seen(chat(&rig, &[("authorization", &good)]).await));
    rig.change(|plan| (plan.status, plan.user_enabled) = (KeyStatus::Revoked, true));
    answers.push(seen(chat(&rig, &[("authorization", &good)]).await));
    rig.change(|plan| (plan.status, plan.policy.expires_at) = (KeyStatus::Active, Some(1)));
    answers.push(seen(chat(&rig, &[("authorization", &good)]).await));
    rig.change(|plan| (plan.policy.expires_at, plan.user_policy.expires_at) = (None, Some(1)));
    answers.push(seen(chat(&rig, &[("authorization", &good)]).await));
    assert_eq!(answers[0].0, 401);
    assert_eq!(answers[0].2, r#"{"error":"invalid API key"}"#);
    assert!(answers[0].1.contains(&("www-authenticate".into(), "Bearer".into())));
    assert!(!answers[0].1.iter().any(|(name, _)| name.starts_with("ratelimit")));
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    assert_eq!(backend.inference_requests().len(), 0);
    rig.no_record();
}

#[tokio::test]
async fn without_a_key_nothing_but_the_root_answers() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    for (method, path) in [
        ("GET", "/api/tags"),
        ("HEAD", "/api/version"),
        ("GET", "/v1/models"),
        ("POST", "/api/chat"),
        ("POST", "/v1/messages"),
        ("POST", "/api/pull"),
    ] {
        assert_eq!(read(rig.request(method, path).body(CHAT)).await.status, 401, "{path}");
    }
    assert_eq!(backend.inference_requests().len(), 0);
}

#[tokio::test]
async fn a_key_works_through_either_header_but_never_in_the_url_or_beside_another() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let bearer = format!("bEaReR {}", rig.key);
    assert_eq!(chat(&rig, &[("authorization", &bearer)]).await.status, 200);
    assert_eq!(chat(&rig, &[("x-api-key", &rig.key)]).await.status, 200);
    assert_eq!(chat(&rig, &[("x-api-key", &rig.key), ("authorization", &bearer)]).await.status, 200);
    assert_eq!(chat(&rig, &[("x-api-key", "other"), ("authorization", &bearer)]).await.status, 400);
    let in_query = read(rig.keyed("POST", &format!("/api/chat?api_key={}", rig.key)).body(CHAT)).await;
    assert_eq!(in_query.status, 400);
    assert_eq!(backend.inference_requests().len(), 3);
}

#[tokio::test]
async fn an_address_that_guesses_is_slowed_and_its_valid_key_still_works() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let mut last = 401;
    for _ in 0..101 {
        last = chat(&rig, &[("authorization", "Bearer guess")]).await.status;
    }
    assert_eq!(last, 429);
    assert_eq!(chat(&rig, &[("x-api-key", &rig.key)]).await.status, 200);
}

/// T07, T10.
#[tokio::test]
async fn a_backend_never_sees_what_belongs_to_the_caller() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let bearer = format!("Bearer {}", rig.key);
    let answer = chat(
        &rig,
        &[
            ("authorization", &bearer),
            ("x-api-key", &rig.key),
            ("cookie", "session=1"),
            ("origin", "http://evil.test"),
            ("x-ollama-host", "http://evil.test"),
            ("x-forwarded-host", "evil.test"),
            ("connection", "x-secret"),
            ("x-secret", "1"),
            ("content-type", "application/json"),
        ],
    )
    .await;
    assert_eq!(answer.status, 200);
    let request = &backend.inference_requests()[0];
    let mut names: Vec<_> = request.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "content-length", "content-type", "host", "via", "x-request-id"]);
    assert_eq!(request.header("host"), Some(backend.address().to_string().as_str()));
    assert_eq!(request.header("x-request-id"), answer.header("x-request-id"));
}
