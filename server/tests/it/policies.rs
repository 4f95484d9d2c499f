//! What keys and users are held to, set on the command line and met by callers.

use testkit::FakeOllama;

use crate::{
    admin::{Admin, home_with_admin},
    harness::{Server, home_with_key, http, until_listed},
};

const ASK: &str = r#"{"model":"llama3.2","prompt":"hi","stream":false,"options":{"num_predict":100}}"#;

async fn ask(server: &Server, key: &str) -> (u16, String) {
    let answer = http().post(server.url("/api/generate")).bearer_auth(key).body(ASK).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_policy_of_the_command_line_clamps_and_refuses_at_once_and_a_restart_keeps_the_days_tokens() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).start().await;
    let (home, key) = home_with_key();
    let id = &key[..15];
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    let server = home.start();
    until_listed(&server, &key, "llama3.2").await;

    let rows = home.json(&["key", "policy", id, "--num-predict", "7", "--tokens-per-day", "1"]);
    assert_eq!(rows[0]["policy"], serde_json::json!({ "num_predict": 7, "tokens_per_day": 1 }));
    assert_eq!(ask(&server, &key).await.0, 200);
    assert_eq!(ollama.inference_requests()[0].json()["options"]["num_predict"], 7);
    let (status, text) = ask(&server, &key).await;
    assert!(status == 429 && text.contains("token"), "{status} {text}");
    server.stop();

    let server = home.start();
    until_listed(&server, &key, "llama3.2").await;
    let (status, text) = ask(&server, &key).await;
    assert!(status == 429 && text.contains("token"), "{status} {text}");
    home.ok(&["key", "policy", id, "--tokens-per-day", ""]);
    assert_eq!(ask(&server, &key).await.0, 200, "{}", server.log());
    home.ok(&["user", "policy", "ada", "--networks", "10.0.0.0/8"]);
    assert_ne!(ask(&server, &key).await.0, 200);
    let users = home.json(&["user", "policy", "ada", "--clear"]);
    assert_eq!(ask(&server, &key).await.0, 200);
    assert_eq!(users[0]["policy"], serde_json::json!({}));

    let wrong = home.run(&["key", "policy", id, "--concurrent", "0", "--expires", "yesterday"]);
    assert_eq!(wrong.code, Some(64), "{wrong:?}");
    assert!(wrong.stderr.contains("--concurrent") && wrong.stderr.contains("--expires"), "{}", wrong.stderr);
    assert_eq!(home.json(&["key", "list"])[0]["policy"]["num_predict"], 7, "nothing half-saved");
    server.stop();
}

#[tokio::test]
async fn the_stream_of_a_user_tells_its_standings_to_who_is_signed_in() {
    let home = home_with_admin();
    home.ok(&["user", "add", "ada"]);
    home.ok(&["key", "create", "--user", "ada", "--name", "k", "--concurrent", "3"]);
    let id = home.json(&["user", "list"])[0]["id"].as_str().unwrap().to_owned();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let open = |user: String| {
        let request = http().get(server.url(&format!("/admin/live?user={user}")));
        request.header(reqwest::header::COOKIE, admin.cookie.clone()).send()
    };
    let mut stream = open(id).await.unwrap();
    let mut seen = String::new();
    while !seen.contains("\n\n") {
        seen.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(seen.contains(r#""standings":[{"id""#) && seen.contains(r#""concurrent":{"used":0"#), "{seen}");
    assert_eq!(open("000000000000".into()).await.unwrap().status(), 404);
    assert_eq!(http().get(server.url("/admin/live?user=x")).send().await.unwrap().status(), 401);
    drop(stream);
    server.stop();
}
