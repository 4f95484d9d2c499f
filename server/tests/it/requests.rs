//! The log of requests from outside: as data, as a file, and as it grows, after real calls through the gateway.

use reqwest::{Response, header};
use serde_json::Value;
use testkit::FakeOllama;

use crate::{
    admin::{Admin, home_with_admin},
    harness::{Home, Server, http, until_listed},
    live::event,
};

/// A gateway with a backend, and keys of two users: `laptop` of one that is called like a formula, and `ci`.
struct Known {
    home: Home,
    server: Server,
    admin: Admin,
    laptop: String,
    ci: String,
    _ollama: FakeOllama,
}

const FORMULA: &str = "=cmd()";

async fn known() -> Known {
    let ollama = FakeOllama::builder().models(["llama3.2"]).start().await;
    let home = home_with_admin().with("TRUSTED_PROXIES", "127.0.0.1");
    home.ok(&["user", "add", FORMULA]);
    home.ok(&["user", "add", "ada"]);
    let laptop = home.ok(&["key", "create", "--user", FORMULA, "--name", "laptop"]);
    let ci = home.ok(&["key", "create", "--user", "ada", "--name", "ci"]);
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    let server = home.start();
    until_listed(&server, &laptop, "llama3.2").await;
    let admin = Admin::sign_in(&server).await;
    Known { home, server, admin, laptop, ci, _ollama: ollama }
}

impl Known {
    /// One call; its status and number.
    async fn ask(&self, key: &str, model: &str) -> (u16, String) {
        let body = format!(r#"{{"model":"{model}","prompt":"hi","stream":false}}"#);
        let answer = http().post(self.server.url("/api/generate")).bearer_auth(key).body(body).send().await.unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let status = answer.status().as_u16();
        answer.bytes().await.unwrap();
        (status, id)
    }

    async fn follow(&self, query: &str) -> Response {
        let stream = self.admin.get(&self.server, &format!("/admin/requests/live{query}")).send().await.unwrap();
        assert_eq!(stream.status(), 200, "{query}");
        assert_eq!(stream.headers()[header::CONTENT_TYPE], "text/event-stream");
        stream
    }

    /// What was accounted until now can be read from the store.
    async fn written(&self) {
        event(&mut self.follow("").await, &mut String::new(), |news| news["whole"] == true).await;
    }

    async fn read(&self, path: &str) -> (u16, Value) {
        let answer = self.admin.get(&self.server, path).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

fn has(news: &Value, id: &str) -> bool {
    news["rows"].as_array().unwrap().iter().any(|row| row["request"] == id)
}

/// The numbers of rows.
fn ids(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["request"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_call_is_in_the_log_with_its_life_and_in_the_file_without_a_formula() {
    let known = known().await;
    let mut stream = known.follow("").await;
    let (status, good) = known.ask(&known.laptop, "llama3.2").await;
    assert_eq!(status, 200);
    let (status, bad) = known.ask(&known.ci, "nothing").await;
    assert_eq!(status, 404);
    let mut text = String::new();
    let mut seen = (false, false);
    event(&mut stream, &mut text, |news| {
        seen = (seen.0 || has(news, &good), seen.1 || has(news, &bad));
        seen == (true, true)
    })
    .await;
    known.written().await;

    let (_, log) = known.read("/admin/fn/requests/list?input[status]=4xx&input[user]=ADA").await;
    assert_eq!(ids(&log["page"]["rows"]), [bad.as_str()]);
    assert_eq!(log["names"]["backends"], serde_json::json!(["gpu"]));
    let (_, log) = known.read("/admin/fn/requests/list?input[model]=llama3.2&input[backend]=GPU").await;
    assert_eq!(ids(&log["page"]["rows"]), [good.as_str()]);
    let at = log["page"]["rows"][0]["at"].as_u64().unwrap();
    let (status, entry) = known.read(&format!("/admin/fn/requests/get?input[id]={good}&input[at]={at}")).await;
    assert_eq!((status, &entry["row"]["user"]["name"]), (200, &Value::from(FORMULA)));
    assert_eq!(entry["timeline"].as_array().unwrap().last().unwrap()["to_us"], entry["row"]["total_us"]);
    let (status, _) = known.read(&format!("/admin/fn/requests/get?input[id]={good}&input[at]={}", at + 1)).await;
    assert_eq!(status, 404);
    let (status, fault) = known.read("/admin/fn/requests/list?input[key]=nobody&input[from]=yesterday").await;
    assert_eq!((status, fault["fields"].as_array().map(Vec::len)), (400, Some(2)), "{fault}");
    assert_eq!(known.admin.status(&known.server, &format!("/admin/requests/{good}?at={at}")).await, 200);
    assert_eq!(known.admin.status(&known.server, &format!("/admin/requests/{good}?at=1")).await, 404);

    let export = async |query: &str| {
        let path = format!("/admin/requests/export?{query}");
        let answer = known.admin.get(&known.server, &path).send().await.unwrap();
        let name = answer.headers().get(header::CONTENT_DISPOSITION).map(|name| name.to_str().unwrap().to_owned());
        (answer.status().as_u16(), name.unwrap_or_default(), answer.text().await.unwrap())
    };
    let (status, name, csv) = export("format=csv&model=llama3.2").await;
    assert!(
        status == 200 && name.starts_with("attachment; filename=\"requests-") && name.ends_with(".csv\""),
        "{name}"
    );
    assert_eq!(csv.split_terminator("\r\n").count(), 2, "{csv}");
    assert!(csv.contains("'=cmd()") && !csv.contains(",=cmd()"), "{csv}");
    let (_, _, lines) = export(&format!("format=jsonl&from={}&to={}", at, at + 1)).await;
    assert_eq!(serde_json::from_str::<Value>(lines.lines().next().unwrap()).unwrap()["request"], good);
    assert_eq!(export("format=csv&after=1-0000000000000001").await.0, 400);
    assert_eq!(export("format=csv&key=nobody").await.0, 400);
    let audit = known.home.json(&["audit", "list"]);
    assert!(audit.iter().any(|row| row["action"] == "request log exported" && row["actor"]["name"] == "root"));
    known.server.stop();
}

#[tokio::test]
async fn a_stream_holds_to_its_filter_and_ends_with_its_session() {
    let known = known().await;
    let mut of_ci = known.follow("?key=ci").await;
    let mut of_all = known.follow("").await;
    let (_, first) = known.ask(&known.laptop, "llama3.2").await;
    event(&mut of_all, &mut String::new(), |news| has(news, &first)).await;
    let (_, second) = known.ask(&known.ci, "llama3.2").await;
    event(&mut of_ci, &mut String::new(), |news| {
        assert!(!has(news, &first), "{news}");
        has(news, &second)
    })
    .await;
    for (query, status) in [("?key=nobody", 400), ("?live=1", 400), ("?after=1-0000000000000001", 400)] {
        let path = format!("/admin/requests/live{query}");
        assert_eq!(known.admin.status(&known.server, &path).await, status, "{query}");
    }
    known.admin.call(&known.server, "session/logout", &[]).await;
    for mut stream in [of_ci, of_all] {
        while stream.chunk().await.unwrap().is_some() {}
    }
    known.server.stop();
}

#[tokio::test]
async fn an_address_that_is_denied_loses_its_stream_and_a_stop_waits_for_none() {
    let known = known().await;
    let open = async |from: &str| {
        let request = known.admin.get(&known.server, "/admin/requests/live").header("x-forwarded-for", from);
        let stream = request.send().await.unwrap();
        assert_eq!(stream.status(), 200, "{from}");
        stream
    };
    let (mut stays, mut goes) = (open("192.0.2.7").await, open("192.0.2.66").await);
    known.admin.call(&known.server, "network/save", &[("admin_denied_ips", "192.0.2.66")]).await;
    while goes.chunk().await.unwrap().is_some() {}
    let (_, id) = known.ask(&known.laptop, "llama3.2").await;
    event(&mut stays, &mut String::new(), |news| has(news, &id)).await;
    known.server.stop();
    while let Ok(Some(_)) = stays.chunk().await {}
}
