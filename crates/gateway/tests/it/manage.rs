//! Model management: refused for keys without the permission, forwarded to the right backend for those with it.

use domain::usage::Outcome;
use testkit::{Ended, FakeOllama, Fault};

use crate::rig::{Answer, Rig, eventually, read, read_until};

const PULL: &str = r#"{"model":"new"}"#;

fn blob() -> String {
    format!("/api/blobs/sha256:{}", "0123456789abcdef".repeat(4))
}

async fn managing(backends: &[&FakeOllama]) -> Rig {
    Rig::with(backends, |plan| plan.policy.management = true).await
}

async fn at(rig: &Rig, backend: &str, method: &str, path: &str, body: &str) -> Answer {
    read(rig.keyed(method, path).header("x-fortress-backend", backend).body(body.to_owned())).await
}

/// T06.
#[tokio::test]
async fn without_the_permission_no_spelling_of_management_reaches_a_backend() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let before = backend.requests().len();
    let blob = blob();
    for (method, path) in [
        ("POST", "/api/pull"),
        ("POST", "/api/push"),
        ("POST", "/api/create"),
        ("POST", "/api/copy"),
        ("DELETE", "/api/delete"),
        ("POST", blob.as_str()),
        ("HEAD", blob.as_str()),
    ] {
        let refused = read(rig.keyed(method, path).body(PULL)).await;
        assert_eq!(refused.status, 403, "{method} {path}");
        if method != "HEAD" {
            assert_eq!(refused.body, r#"{"error":"this API key may not manage models"}"#);
        }
        for other in ["GET", "PUT", "PATCH", "DELETE", "POST", "OPTIONS"] {
            let answer = read(rig.keyed(other, path).header("x-http-method-override", method).body(PULL)).await;
            assert!(matches!(answer.status, 403 | 405), "{other} {path}: {}", answer.status);
        }
        let encoded = path.replacen("/api/p", "/api/%70", 1).replacen("/api/c", "/api/%63", 1);
        let encoded = encoded.replacen("/api/d", "/api/%64", 1).replacen("/api/b", "/api/%62", 1);
        for spelling in [
            encoded,
            format!("{path}/"),
            format!("/{path}"),
            path.replace("/api/", "/api/./"),
            path.replace("/api/", "/api/x/../"),
            path.replace("/api/", "/API/"),
            format!("{path};x"),
            format!("{path}%20"),
        ] {
            // As bytes, because a client's URL library would tidy it.
            let length = PULL.len();
            let text = format!(
                "{method} {spelling} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{PULL}",
                rig.key
            );
            let mut stream = rig.raw(&text).await;
            let answer = crate::rig::read_to_close(&mut stream).await;
            assert!(
                answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 403"),
                "{method} {spelling}: {answer}"
            );
        }
    }
    assert_eq!(backend.requests().len(), before);
}

#[tokio::test]
async fn a_pull_streams_and_the_model_is_in_the_list_afterwards() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = managing(&[&backend]).await;
    let answer = rig.post("/api/pull", PULL).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-ndjson")));
    assert_eq!(answer.body, "{\"status\":\"pulling manifest\"}\n{\"status\":\"success\"}\n");
    let record = rig.record().await;
    assert_eq!((record.outcome, record.model.as_deref(), record.unresolved), (Outcome::Complete, Some("new"), true));
    assert_eq!((record.prompt_tokens, record.completion_tokens), (None, None), "progress is no token");
    let requests = backend.requests();
    let pull = requests.iter().find(|request| request.path == "/api/pull").unwrap();
    assert_eq!((pull.body.as_ref(), pull.header("authorization")), (PULL.as_bytes(), None));
    eventually("the model is listed", || {
        let rows = rig.gateway.live().backends[0].models.clone();
        rows.contains(&"new:latest".to_owned())
    })
    .await;
    assert_eq!(rig.post("/api/generate", r#"{"model":"new","prompt":"x"}"#).await.status, 200);
}

#[tokio::test]
async fn with_several_backends_the_client_names_one() {
    let first = FakeOllama::builder().models(["llama3.2"]).start().await;
    let second = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = managing(&[&first, &second]).await;
    for (method, path) in [("POST", "/api/pull".to_owned()), ("POST", "/api/create".into()), ("POST", blob())] {
        let refused = read(rig.keyed(method, &path).body(PULL)).await;
        let message = "there are several backends, name the one that is meant in the header x-fortress-backend: b0, b1";
        assert_eq!((refused.status, refused.body), (400, format!(r#"{{"error":"{message}"}}"#)));
        let unknown = at(&rig, "b7", method, &path, PULL).await;
        assert!(unknown.status == 400 && unknown.body.contains("there are: b0, b1"), "{}", unknown.body);
    }
    assert_eq!(at(&rig, "b1", "POST", "/api/pull", PULL).await.status, 200);
    assert_eq!(at(&rig, "b1", "POST", "/api/create", r#"{"model":"made","from":"llama3.2"}"#).await.status, 200);
    let data = "x".repeat(3_000_000);
    assert_eq!(at(&rig, "b1", "POST", &blob(), &data).await.status, 201);
    assert_eq!(at(&rig, "b1", "HEAD", &blob(), "").await.status, 404, "the backend's own answer");
    let seen = second.requests();
    assert!(seen.iter().any(|request| request.path == blob() && request.body == data));
    let managed = |fake: &FakeOllama| fake.requests().iter().filter(|request| request.method != "GET").count();
    assert_eq!((managed(&first), managed(&second)), (0, 4));
}

#[tokio::test]
async fn a_removal_reaches_every_holder_and_the_list_is_right_at_once() {
    let first = FakeOllama::builder().models(["llama3.2", "old"]).start().await;
    let second = FakeOllama::builder().models(["old"]).start().await;
    let third = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = managing(&[&first, &second, &third]).await;
    let removed = read(rig.keyed("DELETE", "/api/delete").body(r#"{"model":"OLD"}"#)).await;
    assert_eq!((removed.status, removed.body.as_str()), (200, ""));
    assert!(!rig.get("/api/tags").await.body.contains("old:latest"));
    let removals = |fake: &FakeOllama| fake.records().to("/api/delete").count();
    assert_eq!((removals(&first), removals(&second), removals(&third)), (1, 1, 0));
    let gone = read(rig.keyed("DELETE", "/api/delete").body(r#"{"model":"old"}"#)).await;
    assert_eq!((gone.status, gone.body.as_str()), (404, r#"{"error":"model 'old' not found"}"#));
    let copied = rig.post("/api/copy", r#"{"source":"llama3.2","destination":"twin"}"#).await;
    assert_eq!(copied.status, 200);
    assert!(rig.get("/api/tags").await.body.contains("twin:latest"));
    let copies = |fake: &FakeOllama| fake.records().to("/api/copy").count();
    assert_eq!((copies(&first), copies(&second), copies(&third)), (1, 0, 1));
    // With the header it is that one alone.
    assert_eq!(at(&rig, "b2", "DELETE", "/api/delete", r#"{"model":"twin"}"#).await.status, 200);
    assert!(rig.get("/api/tags").await.body.contains("twin:latest"));
    assert_eq!(rig.post("/api/push", r#"{"model":"llama3.2"}"#).await.status, 200);
    assert_eq!(first.records().to("/api/push").count() + third.records().to("/api/push").count(), 1);
}

#[tokio::test]
async fn the_cloud_and_the_owners_account_are_refused_for_everybody() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = managing(&[&backend]).await;
    rig.change(|plan| plan.settings.classes.management = true);
    let before = backend.requests().len();
    for (path, body) in [
        ("/api/pull", r#"{"model":"kimi:cloud"}"#),
        ("/api/pull", r#"{"name":"gpt-oss:20b-cloud"}"#),
        ("/api/create", r#"{"model":"a","from":"kimi:cloud"}"#),
        ("/api/create", r#"{"model":"a","remote_host":"https://ollama.com"}"#),
        ("/api/me", ""),
        ("/api/signout", ""),
        ("/api/experimental/web_search", "{}"),
    ] {
        assert_eq!(rig.post(path, body).await.status, 403, "{path} {body}");
    }
    assert_eq!(backend.requests().len(), before);
}

#[tokio::test]
async fn a_creation_that_names_files_of_the_backend_reaches_none() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = managing(&[&backend]).await;
    for (name, body) in [
        ("modelfile", r#"{"model":"a","modelfile":"FROM /root/.ollama/id_ed25519"}"#),
        ("path", r#"{"name":"a","path":"/etc/passwd"}"#),
        ("path", r#"{"model":"a","from":"llama3.2","path":"/etc/passwd"}"#),
    ] {
        let answer = rig.post("/api/create", body).await;
        let sentence =
            "may name files on the backend's own disk and is not accepted, use from or files with uploaded blobs";
        assert_eq!((answer.status, answer.body), (400, format!(r#"{{"error":"{name} {sentence}"}}"#)));
    }
    assert_eq!(backend.records().to("/api/create").count(), 0);
    let digest = format!("sha256:{}", "0".repeat(64));
    let body = format!(r#"{{"model":"a","files":{{"a.gguf":"{digest}"}},"adapters":{{}}}}"#);
    assert_eq!(rig.post("/api/create", body).await.status, 200);
}

#[tokio::test]
async fn a_key_manages_its_own_models_only() {
    let backend = FakeOllama::builder().models(["mine", "other"]).start().await;
    let mut rig = managing(&[&backend]).await;
    rig.change(|plan| plan.policy.models = vec!["mine*".parse().unwrap()]);
    assert_eq!(rig.post("/api/pull", r#"{"model":"foreign"}"#).await.status, 403);
    let hidden = read(rig.keyed("DELETE", "/api/delete").body(r#"{"model":"other"}"#)).await;
    assert_eq!((hidden.status, hidden.body.as_str()), (404, r#"{"error":"model 'other' not found"}"#));
    assert_eq!(rig.post("/api/copy", r#"{"source":"mine","destination":"theirs"}"#).await.status, 403);
    assert_eq!(rig.post("/api/copy", r#"{"source":"mine","destination":"mine2"}"#).await.status, 200);
    assert_eq!(backend.requests().iter().filter(|request| request.method != "GET").count(), 1);
}

#[tokio::test]
async fn nothing_of_management_is_tried_twice() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = managing(&[&backend]).await;
    for fault in [Fault::CloseBeforeHeaders, Fault::Status(500)] {
        backend.set(|script| script.fault_at("/api/pull", fault.clone()));
        let before = backend.records().to("/api/pull").count();
        assert!(rig.post("/api/pull", PULL).await.status >= 500, "{fault:?}");
        assert_eq!(backend.records().to("/api/pull").count(), before + 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_pull_ends_with_its_client_and_frees_its_place() {
    let backend = FakeOllama::builder().models(["llama3.2"]).held().start().await;
    let rig = Rig::with(&[&backend], |plan| {
        plan.settings.classes.management = true;
        plan.policy.concurrent = Some(1);
    })
    .await;
    let mut stream = rig.raw(&rig.raw_post("/api/pull", PULL)).await;
    backend.release_chunks(1);
    read_until(&mut stream, "pulling manifest").await;
    assert_eq!(rig.post("/api/pull", PULL).await.status, 429);
    drop(stream);
    backend.wait_for(|seen| seen.to("/api/pull").all(|request| request.ended == Some(Ended::CallerGone))).await;
    rig.idle().await;
    backend.release_all();
    assert_eq!(rig.post("/api/pull", PULL).await.status, 200);
}

#[tokio::test]
async fn a_pull_whose_backend_dies_ends_in_an_error() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = managing(&[&backend]).await;
    backend.set(|script| script.fault_at("/api/pull", Fault::CutAfter(1)));
    let mut stream = rig.raw(&rig.raw_post("/api/pull", PULL)).await;
    let text = crate::rig::read_to_close(&mut stream).await;
    assert!(text.contains(r#"{"error":"the backend broke off before the end of its answer"}"#), "{text}");
    assert_eq!(rig.record().await.outcome, Outcome::UpstreamFailed);
}

#[tokio::test]
async fn a_blob_with_a_content_encoding_is_refused_and_one_without_passes_as_it_is() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = managing(&[&backend]).await;
    for coding in ["zstd", "gzip", "zstd, gzip", "br"] {
        let refused = read(rig.keyed("POST", &blob()).header("content-encoding", coding).body("x")).await;
        assert_eq!((refused.status, refused.header("accept-encoding")), (415, Some("identity")), "{refused:?}");
        let told =
            "a blob with a content encoding is not supported, send its bytes as they are: its digest is of those";
        assert_eq!(refused.body, format!(r#"{{"error":"{told}"}}"#));
    }
    assert_eq!(backend.records().to(&blob()).count(), 0);
    // What is compressed by itself is a blob like any other.
    let bytes = b"\x28\xb5\x2f\xfd\x00".as_slice();
    for request in [rig.keyed("POST", &blob()), rig.keyed("POST", &blob()).header("content-encoding", "identity")] {
        assert_eq!(read(request.body(bytes)).await.status, 201);
        assert_eq!(backend.records().to(&blob()).last().unwrap().body, bytes);
    }
}
