//! The command line, on a running server and on a stopped one.

use std::{fs, os::unix::fs::PermissionsExt};

use testkit::FakeOllama;

use crate::harness::{Home, home_with_key, http, until, until_listed};

#[test]
fn the_command_line_may_be_the_first_thing_ever_run() {
    let home = Home::new();
    home.ok(&["user", "add", "ada"]);
    home.ok(&["backend", "add", "--name", "gpu", "--url", "http://127.0.0.1:9"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    assert!(key.starts_with("op_") && !key.contains(char::is_whitespace), "{key}");
    assert_eq!(home.names(&["user", "list"]), ["ada"]);
    assert_eq!(home.json(&["backend", "list"])[0]["url"], "http://127.0.0.1:9");
    assert_eq!(fs::metadata(home.data()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_running_server_and_a_stopped_one_do_the_same() {
    let home = Home::new();
    let all = |home: &Home, user: &str| {
        home.ok(&["user", "add", user]);
        let created = home.json(&["key", "create", "--user", user, "--name", "k", "--requests", "5", "--minutes", "2"]);
        let token = created[0]["token"].as_str().unwrap().to_owned();
        let key = &token[.."op_".len() + 12];
        assert_eq!(created[0]["limit"], serde_json::json!({ "requests": 5, "minutes": 2 }));
        home.ok(&["key", "limit", key]);
        home.ok(&["key", "disable", key]);
        assert_eq!(home.json(&["key", "list", "--user", user])[0]["status"], "disabled");
        home.ok(&["key", "enable", key]);
        home.ok(&["key", "revoke", key]);
        let row = &home.json(&["key", "list", "--user", user])[0];
        assert_eq!((&row["status"], &row["limit"]), (&"revoked".into(), &serde_json::Value::Null));
        assert!(!row.to_string().contains(&token), "the key's text is shown once only");
        let again = home.run(&["key", "enable", key]);
        assert_eq!(again.code, Some(1), "{again:?}");
        home.ok(&["backend", "add", "--name", user, "--url", "http://127.0.0.1:9"]);
        home.ok(&["backend", "disable", user]);
        assert!(home.json(&["backend", "list"]).iter().any(|row| row["name"] == user && row["enabled"] == false));
        home.ok(&["backend", "remove", user]);
        home.ok(&["user", "disable", user]);
        home.ok(&["user", "enable", user]);
        home.ok(&["user", "remove", user]);
        assert_eq!(home.names(&["user", "list"]), Vec::<String>::new());
        let create = home.run_with("a long password\n", &["admin", "create", user, "--password-stdin"]);
        assert_eq!(create.code, Some(0), "{create:?}");
        let reset = home.run_with("another password\n", &["admin", "reset-password", user, "--password-stdin"]);
        assert_eq!(reset.code, Some(0), "{reset:?}");
        assert_eq!(home.run(&["user", "enable", "nobody"]).code, Some(1));
    };
    all(&home, "stopped");
    let server = home.start();
    all(&home, "running");
    server.stop();
}

#[test]
fn the_socket_is_for_its_owner_and_goes_with_the_server() {
    let home = Home::new();
    let server = home.start();
    assert_eq!(fs::metadata(home.socket()).unwrap().permissions().mode() & 0o777, 0o600);
    server.stop();
    assert!(!home.socket().exists());
}

#[test]
fn a_killed_server_leaves_a_socket_that_nobody_trips_over() {
    let home = Home::new();
    home.start().kill();
    assert!(home.socket().exists(), "the kill was to leave it behind");
    home.ok(&["user", "add", "while-stopped"]);
    let server = home.start();
    home.ok(&["user", "add", "while-running"]);
    assert_eq!(home.names(&["user", "list"]).len(), 2);
    server.stop();
}

#[test]
fn arguments_that_make_no_sense_are_a_usage_fault() {
    let home = Home::new();
    assert_eq!(home.run(&["key", "create", "--user", "x"]).code, Some(64));
    assert_eq!(home.run(&["fly"]).code, Some(64));
    assert_eq!(home.run(&["--version"]).code, Some(0));
    assert!(!home.data().exists(), "nothing is made for a command that was not understood");
}

#[tokio::test]
async fn a_streamed_answer_through_a_key_of_the_command_line() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await;
    let (home, key) = home_with_key();
    let server = home.start();
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    until_listed(&server, &key, "llama3.2").await;
    let question = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;
    let answer = http().post(server.url("/api/chat")).bearer_auth(&key).body(question).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let lines: Vec<serde_json::Value> =
        answer.text().await.unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 5, "{lines:?}");
    assert_eq!(lines.last().unwrap()["done"], true);
    assert_eq!(ollama.inference_requests().len(), 1);
    server.stop();
}

#[test]
fn a_key_that_could_not_be_shown_is_named_so_that_it_can_be_revoked() {
    let home = Home::new();
    home.ok(&["user", "add", "ada"]);
    let shell = |script: &str| {
        let program = env!("CARGO_BIN_EXE_ollama-fortress");
        let output = home.command_of("sh", &["-c", &format!("exec {program} {script}")]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = shell("key create --user ada --name lost > /dev/full");
    let id = home.json(&["key", "list"])[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("key revoke op_{id}")), "{said}");
    assert_eq!(shell("user list > /dev/full").0, Some(1));
}

#[tokio::test]
async fn a_backends_token_comes_by_standard_input_and_goes_to_the_backend() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).token("hunter2").start().await;
    let (home, key) = home_with_key();
    let server = home.start();
    let add = ["backend", "add", "--name", "gpu", "--url", &ollama.base(), "--token-stdin"];
    let outcome = home.run_with("hunter2\n", &add);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    until_listed(&server, &key, "llama3.2").await;
    let requests = ollama.requests();
    assert!(!requests.is_empty());
    for request in requests {
        assert_eq!(request.header("authorization"), Some("Bearer hunter2"), "{}", request.path);
    }
    assert!(!server.log().contains("hunter2"));
    server.stop();
}

#[tokio::test]
async fn a_revoked_key_is_refused_once_the_command_returned() {
    let (home, key) = home_with_key();
    let server = home.start();
    let status = || async { http().get(server.url("/api/tags")).bearer_auth(&key).send().await.unwrap().status() };
    assert_eq!(status().await, 200);
    home.ok(&["key", "disable", &key[..15]]);
    assert_eq!(status().await, 401);
    home.ok(&["key", "enable", &key[..15]]);
    assert_eq!(status().await, 200);
    home.ok(&["key", "revoke", &key[..15]]);
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn a_revoked_key_that_cannot_be_written_down_is_told_of_and_revoked_all_the_same() {
    let (home, key) = home_with_key();
    let server = home.start();
    // Nothing can be appended to a folder.
    let list = home.data().join("revoked-keys");
    fs::create_dir(&list).unwrap();
    let outcome = home.run(&["key", "revoke", &key[..15]]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("revoked"), "{outcome:?}");
    let warning = format!("warning: {}: the key is refused from now on", &key[..15]);
    assert!(outcome.stderr.starts_with(&warning) && outcome.stderr.contains("revoked-keys"), "{outcome:?}");
    let answer = http().get(server.url("/api/tags")).bearer_auth(&key).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    fs::remove_dir(&list).unwrap();
    let written = || fs::read_to_string(&list).is_ok_and(|text| text.contains(&key[..15])).then_some(());
    until("it is written down", written);
    assert_eq!(home.run(&["key", "list"]).stderr, "");
    server.stop();
}
