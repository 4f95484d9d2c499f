//! Models on their way to backends at the binary: the command line asks, waits, cancels and keeps; calls find what was pulled;
//! the event stream tells, and ends with the session; a restart goes on.

use testkit::{FakeOllama, Fault};

use crate::{
    admin::{Admin, home_with_admin},
    harness::{Home, home_with_key, http, until, until_listed},
};

fn pulls(home: &Home) -> Vec<serde_json::Value> {
    home.json(&["model", "pulls"])
}

fn until_state(home: &Home, state: &str) {
    until("the state comes", || pulls(home).iter().any(|pull| pull["state"] == state).then_some(()));
}

fn until_up(home: &Home) {
    until("all are up", || home.json(&["backend", "list"]).iter().all(|row| row["state"] == "up").then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_pulled_by_the_command_line_and_calls_find_it_at_once() {
    let (home, key) = home_with_key();
    let one = FakeOllama::builder().models(["llama3.2"]).token("canary").start().await;
    home.run_with("canary\n", &["backend", "add", "--name", "gpu-1", "--url", &one.base(), "--token-stdin"]);
    let server = home.start();
    until_listed(&server, &key, "llama3.2").await;
    let done = home.json(&["model", "pull", "qwen3", "--wait"]);
    assert_eq!((&done[0]["state"], &done[0]["backend_name"]), (&"done".into(), &"gpu-1".into()));
    let question = r#"{"model":"qwen3","prompt":"hi","stream":false}"#;
    let answer = http().post(server.url("/api/generate")).bearer_auth(&key).body(question).send().await.unwrap();
    assert_eq!(answer.status(), 200, "it is routable when the pull is done");
    let updated = home.json(&["model", "pull", "QWEN3:latest", "--update", "--wait"]);
    assert_eq!((updated.len(), &updated[0]["state"]), (1, &"done".into()));
    let nowhere = home.run(&["model", "pull", "mistral", "--update"]);
    assert!(nowhere.code == Some(64) && nowhere.stderr.contains("--update"), "{nowhere:?}");

    one.set(|script| script.fault_at("/api/pull", Fault::ErrorAfter(1, "no space left on device".into())));
    let failed = home.run(&["model", "pull", "mistral", "--wait"]);
    assert_eq!(failed.code, Some(1));
    assert!(failed.stderr.contains("gpu-1: no space left on device"), "{failed:?}");
    let unknown = home.run(&["model", "pull", "a b"]);
    assert_eq!(unknown.code, Some(64));
    assert!(home.ok(&["model", "pulls"]).contains("no space left on device"));

    one.set(testkit::Script::heal);
    one.hold();
    home.ok(&["model", "pull", "phi4", "--backend", "gpu-1"]);
    until_state(&home, "running");
    let id = pulls(&home).iter().find(|pull| pull["model"] == "phi4").unwrap()["id"].as_str().unwrap().to_owned();
    let cancelled = home.json(&["model", "cancel", &id]);
    assert_eq!(cancelled[0]["state"], "cancelled");
    one.wait_for(|records| records.requests.iter().any(|request| request.ended == Some(testkit::Ended::CallerGone)))
        .await;
    assert_eq!(home.run(&["model", "cancel", &id]).code, Some(1), "it has ended");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_of_a_stopped_gateway_begins_with_it_and_a_kept_model_is_kept() {
    let home = home_with_admin();
    let one = FakeOllama::builder().models(["qwen3"]).start().await;
    let two = FakeOllama::builder().start().await;
    for (name, fake) in [("gpu-1", &one), ("gpu-2", &two)] {
        home.ok(&["backend", "add", "--name", name, "--url", &fake.base()]);
    }
    assert_eq!(home.run(&["model", "pull", "mistral"]).code, Some(64), "which of both is meant");
    home.ok(&["model", "pull", "mistral", "--backend", "gpu-2"]);
    let kept = home.ok(&["model", "keep", "qwen3", "2"]);
    assert!(kept.contains("qwen3"), "{kept}");
    let server = home.start();
    until_up(&home);
    until("both are there", || {
        let rows = home.json(&["backend", "list"]);
        let gpu = rows.iter().find(|row| row["name"] == "gpu-2").unwrap();
        let models: Vec<_> = gpu["models"].as_array().unwrap().iter().map(|model| model.as_str().unwrap()).collect();
        (models.contains(&"mistral:latest") && models.contains(&"qwen3:latest")).then_some(())
    });
    assert_eq!(home.json(&["model", "keep"])[0]["copies"], 2);
    home.ok(&["model", "keep", "qwen3", "0"]);
    assert!(home.json(&["model", "keep"]).is_empty());
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_tells_how_far_pulls_are_and_ends_with_the_session() {
    let home = home_with_admin();
    let one = FakeOllama::builder().held().start().await;
    home.ok(&["backend", "add", "--name", "gpu-1", "--url", &one.base()]);
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let stream = http().get(server.url("/admin/pulls/live")).header("cookie", &admin.cookie);
    let mut stream = stream.send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let mut heard = String::new();
    let first = stream.chunk().await.unwrap().unwrap();
    heard.push_str(&String::from_utf8_lossy(&first));
    assert!(heard.contains(r#""pulls":[]"#), "{heard}");
    home.ok(&["model", "pull", "qwen3"]);
    while !heard.contains(r#""state":"running""#) {
        heard.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
    }
    admin.call(&server, "session/logout", &[]).await;
    // Whatever is still told, there is an end.
    while stream.chunk().await.unwrap().is_some() {}
    server.stop();
}
