//! T40: two gateways that are each the other's backend.

use reqwest::StatusCode;
use testkit::FakeOllama;

use crate::harness::{Home, Server, home_with_key, http, until_listed};

const CALL: &str = r#"{"model":"llama3.2","prompt":"hi","stream":false}"#;

async fn ask(server: &Server, key: &str, path: &str) -> (StatusCode, String) {
    let answer = http().post(server.url(path)).bearer_auth(key).body(CALL).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

fn add(home: &Home, name: &str, to: &Server, key: &str) {
    let added =
        home.run_with(&format!("{key}\n"), &["backend", "add", "--name", name, "--url", &to.url(""), "--token-stdin"]);
    assert_eq!(added.code, Some(0), "{added:?}");
}

#[tokio::test]
async fn a_request_that_goes_round_two_gateways_ends_and_comes_to_no_backend_twice() {
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    let ((one_home, one_key), (other_home, other_key)) = (home_with_key(), home_with_key());
    let (one, other) = (one_home.start(), other_home.start());
    other_home.ok(&["backend", "add", "--name", "gpu", "--url", &fake.base()]);
    until_listed(&other, &other_key, "llama3.2").await;
    add(&one_home, "the other", &other, &other_key);
    until_listed(&one, &one_key, "llama3.2").await;
    add(&other_home, "the first", &one, &one_key);
    // With a way out the request takes it, whichever gateway it begins at.
    for (server, key) in [(&one, &one_key), (&other, &other_key)] {
        let (status, text) = ask(server, key, "/api/generate").await;
        assert_eq!(status, 200, "{text}");
    }
    let before = fake.inference_requests().len();
    assert_eq!(before, 2, "each once");
    // Without one, each gateway knows the model from the other only.
    other_home.ok(&["backend", "disable", "gpu"]);
    for (server, key) in [(&one, &one_key), (&other, &other_key)] {
        for path in ["/api/generate", "/v1/completions"] {
            let (status, text) = ask(server, key, path).await;
            assert!([404, 502, 503, 508].contains(&status.as_u16()), "{status} {text}");
        }
    }
    assert_eq!(fake.inference_requests().len(), before);
    other_home.ok(&["backend", "enable", "gpu"]);
    until_listed(&other, &other_key, "llama3.2").await;
    assert_eq!(ask(&other, &other_key, "/api/generate").await.0, 200, "nothing is left of it");
    one.stop();
    other.stop();
}
