//! What was used, from outside: the page and its files have the numbers of what really went through the gateway.

use std::time::{Duration, Instant};

use reqwest::header;
use serde_json::{Value, json};
use testkit::FakeOllama;

use crate::{
    admin::{Admin, home_with_admin},
    harness::{DEADLINE, Server, http, until_listed},
};

async fn file(admin: &Admin, server: &Server, query: &str) -> String {
    let answer = admin.get(server, &format!("/admin/usage/export?{query}")).send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    let name = headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(name.starts_with("attachment; filename=\"usage-2"), "{name}");
    text
}

/// The lines of the file that a browser gets who asks for the last day by `by`, once they count so many requests.
async fn until_counted(admin: &Admin, server: &Server, by: &str, requests: u64) -> Vec<Value> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let query =
        format!("format=jsonl&from={}&to={}&step=hour&by={by}&outcome=complete", now - 3_600_000, now + 3_600_000);
    let deadline = Instant::now() + DEADLINE;
    loop {
        let text = file(admin, server, &query).await;
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["kind"], "total");
        if lines[0]["figures"]["requests"] == requests {
            return lines;
        }
        assert!(Instant::now() < deadline, "never {requests} requests: {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn files_have_the_numbers_of_what_went_through_and_odd_questions_are_refused() {
    let fake = FakeOllama::builder().models(["llama3.2", "qwen3"]).start().await;
    let home = home_with_admin();
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "=laptop()"]).trim().to_owned();
    home.ok(&["backend", "add", "--name", "gpu", "--url", &fake.base()]);
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let listed = until_listed(&server, &key, "llama3.2").await;
    for (model, count) in [("llama3.2", 3), ("qwen3", 2)] {
        for _ in 0..count {
            let call = json!({"model": model, "prompt": "hi", "stream": false}).to_string();
            let answer = http().post(server.url("/api/generate")).bearer_auth(&key).body(call).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.bytes().await.unwrap();
        }
    }
    let lines = until_counted(&admin, &server, "model", 5 + listed).await;
    let requests = |name: &str| {
        let line = lines.iter().find(|line| line["kind"] == "model" && line["of"]["name"] == name);
        line.unwrap_or_else(|| panic!("{name} in {lines:#?}"))["figures"]["requests"].as_u64().unwrap()
    };
    assert_eq!((requests("llama3.2:latest"), requests("qwen3:latest"), requests("none")), (3, 2, listed));
    let steps = lines.iter().filter(|line| line["kind"] == "hour");
    assert_eq!(steps.map(|line| line["figures"]["requests"].as_u64().unwrap()).sum::<u64>(), 5 + listed);

    // The page of the same numbers, as a browser gets it without scripts.
    let html = admin.get(&server, "/admin/usage?by=key").header(header::ACCEPT, "text/html").send().await.unwrap();
    let html = html.text().await.unwrap();
    for words in ["=laptop()", "/admin/usage/export?format=csv&amp;from=", "Requests by key", "Peak hours"] {
        assert!(html.contains(words), "{words} is missing in {html}");
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let csv =
        file(&admin, &server, &format!("format=csv&from={}&to={}&by=key", now - 3_600_000, now + 3_600_000)).await;
    assert!(csv.starts_with("kind,time,id,name,") && csv.contains("\r\n\"total\","), "{csv}");
    assert!(csv.contains("\"'=laptop()\""), "no spreadsheet takes it for a formula: {csv}");

    for query in [
        "",
        "format=csv",
        "format=xml&from=1&to=2",
        "format=csv&from=2&to=1",
        "format=csv&from=1&to=2&odd=1",
        "format=csv&from=1&to=2&zone=Mars/Olympus",
        "format=csv&from=1&to=2&user=x",
        "format=csv&from=0&to=99999999999&step=hour",
    ] {
        assert_eq!(admin.status(&server, &format!("/admin/usage/export?{query}")).await, 400, "{query}");
    }
    server.stop();
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_a_page_that_says_so_beside_its_fields() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let html = admin.get(&server, "/admin/usage").header(header::ACCEPT, "text/html").send().await.unwrap();
    let html = html.text().await.unwrap();
    assert!(html.contains("No request in this time") && html.contains("time zone UTC"), "{html}");
    for (query, words) in [
        ("from=yesterday", "Must be a day such as 2026-12-31."),
        ("zone=Mars/Olympus", "Must be the name of a time zone, such as Europe/Berlin."),
        ("range=12m&step=hour", "By the hour at most 93 days can be told."),
        ("range=1x", "Must be 24h, 7d, 30d, 90d or 12m."),
        ("user=%3Cimg%20src=x%3E", "Must be an id."),
        ("by=colour", "Must be user, key, model, backend or endpoint."),
    ] {
        let path = format!("/admin/usage?{query}");
        let answer = admin.get(&server, &path).header(header::ACCEPT, "text/html").send().await.unwrap();
        let html = answer.text().await.unwrap();
        assert!(html.contains(words) && html.contains("Usage"), "{query}: {html}");
        assert!(!html.contains("<img src"), "{html}");
    }
    server.stop();
}

#[tokio::test]
async fn a_browser_that_is_not_signed_in_is_led_to_the_page_and_a_program_is_told() {
    let home = home_with_admin();
    let server = home.start();
    let stranger = |accept: &'static str| {
        http().get(server.url("/admin/usage/export?format=csv")).header(header::ACCEPT, accept).send()
    };
    assert_eq!(stranger("*/*").await.unwrap().status(), 401);
    let led = stranger("text/html").await.unwrap();
    assert_eq!(
        (led.status().as_u16(), led.headers()[header::LOCATION].to_str().unwrap()),
        (303, "/admin/login?next=/admin/usage")
    );
    server.stop();
}
