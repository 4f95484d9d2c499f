//! The log of the running binary: one JSON object a line where that is asked for, with the id of the request that a line is
//! about.

use std::collections::BTreeSet;

use reqwest::header;
use serde_json::Value;
use testkit::FakeOllama;

use crate::{
    admin::{Admin, home_with_admin},
    harness::{Server, http, until, until_listed},
};

fn entries(server: &Server) -> Vec<Value> {
    let log = server.log();
    // The last line may be half written.
    let whole = &log[..log.rfind('\n').map_or(0, |at| at + 1)];
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))).collect()
}

fn id(answer: &reqwest::Response) -> String {
    answer.headers()["x-request-id"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_line_of_the_json_log_is_an_object_and_names_the_request_it_is_about() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).start().await;
    let home = home_with_admin().with("LOG_FORMAT", "json").with("LOG_LEVEL", "debug");
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    let server = home.start();
    until_listed(&server, &key, "llama3.2").await;
    let (mut requests, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for path in ["/api/chat", "/v1/chat/completions"] {
        let body = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hello"}]}"#;
        let answer = http().post(server.url(path)).bearer_auth(&key).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        requests.insert(id(&answer));
        answer.bytes().await.unwrap();
        refused.insert(id(&http().post(server.url(path)).bearer_auth("wrong").send().await.unwrap()));
    }
    // A request of the pages that is worth a line: a form from another site.
    let admin = Admin::sign_in(&server).await;
    let foreign = admin.post(&server, "users/add", &[("name", "eve")]).header("sec-fetch-site", "cross-site");
    let foreign = foreign.header(header::ORIGIN, "http://evil.test").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    let foreign = id(&foreign);

    let named = |message: &str, place: &str| -> BTreeSet<String> {
        let all = entries(&server).into_iter().filter(|entry| entry["message"] == message);
        all.filter_map(|entry| Some(entry.pointer(place)?.as_str()?.to_owned())).collect()
    };
    until("every request has its line", || {
        let seen = requests.is_subset(&named("request", "/request_id"));
        let told = refused.is_subset(&named("refused", "/request_id"));
        let page = named("a request of the admin pages came from elsewhere", "/span/request_id").contains(&foreign);
        (seen && told && page).then_some(())
    });
    let of_requests = entries(&server)
        .into_iter()
        .filter(|entry| ["request", "refused"].contains(&entry["message"].as_str().unwrap_or_default()));
    for entry in of_requests {
        let id = entry["request_id"].as_str().unwrap_or_default();
        assert!(id.len() == 16 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{entry}");
    }
    for entry in entries(&server) {
        assert!(["timestamp", "level", "target", "message"].iter().all(|name| entry[name].is_string()), "{entry}");
    }
    server.stop();
}
