//! Administrators who ask models through the Playground's routes: streamed, accounted, refused to whoever may not, and ended
//! with the session or the connection.

use reqwest::{RequestBuilder, header};
use serde_json::{Value, json};
use testkit::FakeOllama;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    admin::{Admin, PASSWORD, create, home_with_admin},
    harness::{Home, Server, http, until},
    live::event,
};

const CHAT: &str = "/admin/playground/chat";
const EMBED: &str = "/admin/playground/embed";
const ENDED: &str = r#"{"error":"your session has ended, sign in again"}"#;

fn question() -> String {
    json!({ "model": "llama3.2", "messages": [{ "role": "user", "content": "hi" }] }).to_string()
}

async fn backend() -> FakeOllama {
    FakeOllama::builder().models(["llama3.2", "nomic-embed"]).chunks(8).held().start().await
}

/// With that backend, whose models the gateway knows.
fn start(home: &Home, ollama: &FakeOllama) -> Server {
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    home.start()
}

fn post(server: &Server, admin: &Admin, path: &str, body: String) -> RequestBuilder {
    http()
        .post(server.url(path))
        .header(header::COOKIE, &admin.cookie)
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
}

/// An answer that has begun.
async fn begun(server: &Server, admin: &Admin, ollama: &FakeOllama) -> reqwest::Response {
    ollama.release_chunks(2);
    let mut answer = post(server, admin, CHAT, question()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let first = answer.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"{\"model\":"), "{first:?}");
    answer
}

/// The rest of an answer, up to where it ends or breaks off.
async fn rest(mut answer: reqwest::Response) -> String {
    let mut text = String::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    text
}

#[tokio::test]
async fn an_answer_streams_and_is_accounted_under_the_administrator_s_name() {
    let (home, ollama) = (home_with_admin(), backend().await);
    let server = start(&home, &ollama);
    let admin = Admin::sign_in(&server).await;
    // The first words are here while the backend still holds the others back.
    let answer = begun(&server, &admin, &ollama).await;
    let head = answer.headers().clone();
    for (name, value) in [
        ("content-type", "application/x-ndjson"),
        ("x-fortress-backend", "gpu"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(head[name], value, "{name}");
    }
    assert!(head.contains_key("x-fortress-warm") && head["content-security-policy"].to_str().unwrap().contains("none"));
    ollama.release_all();
    let text = rest(answer).await;
    assert!(text.lines().last().unwrap().contains(r#""done":true"#), "{text}");
    let vectors = json!({ "model": "nomic-embed", "input": ["a", "b", "c"] }).to_string();
    let vectors: Value = post(&server, &admin, EMBED, vectors).send().await.unwrap().json().await.unwrap();
    assert_eq!(vectors["embeddings"].as_array().unwrap().len(), 3);
    let asked = ollama.inference_requests();
    assert!(asked.iter().all(|asked| asked.header("cookie").is_none()), "{asked:?}");

    // The number in the head is the one that the log knows it by.
    let id = head["x-request-id"].to_str().unwrap();
    let mut log = admin.get(&server, "/admin/requests/live").send().await.unwrap();
    let whole = |news: &Value| news["whole"] == true;
    event(&mut log, &mut String::new(), whole).await;
    for user in ["Playground%20(root)", "playground%20(ROOT)"] {
        let path = format!("/admin/fn/requests/list?input[user]={user}&input[model]=llama3.2");
        let found: Value = admin.get(&server, &path).send().await.unwrap().json().await.unwrap();
        let row = &found["page"]["rows"][0];
        assert_eq!((&row["request"], found["page"]["rows"].as_array().unwrap().len()), (&json!(id), 1), "{found}");
        let names = (&row["user"]["name"], &row["key"]["name"], &row["user"]["removed"]);
        assert_eq!(names, (&json!("Playground (root)"), &json!("Playground (root)"), &json!(false)));
        assert!(row["completion_tokens"].as_u64() > Some(0) && row["ttft_us"].as_u64() > Some(0), "{row}");
        let page = format!("/admin/requests/{id}?at={}", row["at"]);
        let page = admin.get(&server, &page).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("Playground (root)") && !page.contains("/admin/users/"), "{page}");
        let usage = format!("/admin/usage?user={}", row["user"]["id"].as_str().unwrap());
        let usage = admin.get(&server, &usage).send().await.unwrap().text().await.unwrap();
        assert!(usage.contains("Usage of user Playground (root)") && !usage.contains("/admin/users/"), "{usage}");
    }
    // Who is gone leaves an id, and no page breaks by it.
    create(&home, "second", PASSWORD, "owner");
    let second = Admin::sign_in_as(&server, "second", PASSWORD).await;
    home.ok(&["admin", "remove", "root"]);
    let found: Value =
        second.get(&server, "/admin/fn/requests/list?input[from]=1h").send().await.unwrap().json().await.unwrap();
    assert_eq!(found["page"]["rows"][0]["user"]["removed"], true, "{found}");
    for page in ["/admin", "/admin/requests", "/admin/usage", "/admin/usage?by=key"] {
        assert_eq!(second.status(&server, page).await, 200, "{page}");
    }
    server.stop();
}

#[tokio::test]
async fn it_is_for_operators_of_this_site_with_a_session() {
    let (home, ollama) = (home_with_admin(), backend().await);
    create(&home, "reader", PASSWORD, "viewer");
    create(&home, "worker", PASSWORD, "operator");
    let server = start(&home, &ollama);
    let (root, reader) = (Admin::sign_in(&server).await, Admin::sign_in_as(&server, "reader", PASSWORD).await);
    let stranger = Admin { cookie: "op_session=nobody".into() };
    for path in [CHAT, EMBED] {
        let answer = post(&server, &stranger, path, question()).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.text().await.unwrap()),
            (401, r#"{"error":"sign in to go on"}"#.into())
        );
        let answer = post(&server, &reader, path, question()).send().await.unwrap();
        let words = r#"{"error":"your role is viewer: this needs the role operator"}"#;
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (403, words.into()));
        for site in ["cross-site", "same-site", "none"] {
            let answer =
                http().post(server.url(path)).header(header::COOKIE, &root.cookie).header("sec-fetch-site", site);
            assert_eq!(answer.body(question()).send().await.unwrap().status(), 403, "{site}");
        }
        let unmarked = http().post(server.url(path)).header(header::COOKIE, &root.cookie);
        assert_eq!(
            unmarked.body(question()).send().await.unwrap().status(),
            403,
            "it does not say where it comes from"
        );
        assert_eq!(root.status(&server, path).await, 405);
        let unknown = post(&server, &root, path, json!({ "model": "nope", "messages": [], "input": "a" }).to_string());
        let unknown = unknown.send().await.unwrap();
        assert_eq!(unknown.status(), 404);
        assert!(unknown.text().await.unwrap().contains("not found"));
    }
    // A key is no session, and a name that no route has leads nowhere.
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    let keyed = post(&server, &stranger, CHAT, question()).bearer_auth(key).send().await.unwrap();
    assert_eq!(keyed.status(), 401);
    for path in ["/admin/playground/pull", "/admin/playground/delete", "/admin/playground/generate"] {
        assert!(post(&server, &root, path, question()).send().await.unwrap().status().as_u16() >= 400, "{path}");
    }
    assert_eq!(ollama.inference_requests().len(), 0);
    let told = until("both refusals are told", || {
        let audit = home.json(&["audit", "list"]);
        let told = audit.into_iter().filter(|row| row["action"] == "playground used");
        let told: Vec<Value> = told.map(|row| row["actor"]["name"].clone()).collect();
        (told.len() > 1).then_some(told)
    });
    assert!(told.contains(&json!("reader")), "{told:?}");
    let worker = Admin::sign_in_as(&server, "worker", PASSWORD).await;
    begun(&server, &worker, &ollama).await;
    server.kill();
}

#[tokio::test]
async fn whoever_hangs_up_frees_the_backend_before_and_in_the_middle_of_its_answer() {
    let (home, ollama) = (home_with_admin(), backend().await);
    let server = start(&home, &ollama);
    let admin = Admin::sign_in(&server).await;
    let (cookie, body) = (&admin.cookie, question());
    let text = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\nsec-fetch-site: same-origin\r\ncontent-length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    );
    for released in [0, 2] {
        let before = ollama.inference_requests().len();
        ollama.release_chunks(released);
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        ollama.wait_for(|seen| seen.inference().count() == before + 1).await;
        if released > 0 {
            let mut seen = Vec::new();
            while !seen.windows(7).any(|part| part == b"\"done\":") {
                assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
            }
        }
        drop(stream);
        ollama.wait_for(|seen| seen.inference().all(|request| request.ended.is_some())).await;
    }
    server.stop();
}

#[tokio::test]
async fn an_answer_ends_with_its_session_and_with_the_role() {
    let (home, ollama) = (home_with_admin(), backend().await);
    create(&home, "worker", PASSWORD, "operator");
    let server = start(&home, &ollama);
    let (root, worker) = (Admin::sign_in(&server).await, Admin::sign_in_as(&server, "worker", PASSWORD).await);
    let answer = begun(&server, &worker, &ollama).await;
    // Asked at the same backend, it would take the words that are let go for the other.
    let second = FakeOllama::builder().models(["other"]).chunks(8).held().start().await;
    home.ok(&["backend", "add", "--name", "second", "--url", &second.base()]);
    second.release_chunks(2);
    let asked = json!({ "model": "other", "messages": [{ "role": "user", "content": "hi" }] }).to_string();
    let stays = loop {
        let answer = post(&server, &root, CHAT, asked.clone()).send().await.unwrap();
        // Until it has been looked at.
        if answer.status() != 404 {
            break answer;
        }
    };
    assert_eq!(stays.status(), 200);
    home.ok(&["admin", "role", "worker", "viewer"]);
    let told = rest(answer).await;
    assert!(told.ends_with(&format!("{ENDED}\n")), "{told}");
    // Before its answer began, too.
    let other = Admin::sign_in(&server).await;
    let before = ollama.inference_requests().len();
    let waiting = tokio::spawn(post(&server, &other, CHAT, question()).send());
    ollama.wait_for(|seen| seen.inference().count() == before + 1).await;
    other.call(&server, "session/logout", &[]).await;
    let waited = waiting.await.unwrap().unwrap();
    assert_eq!((waited.status().as_u16(), waited.text().await.unwrap()), (401, ENDED.to_owned()));
    ollama.wait_for(|seen| seen.inference().all(|request| request.ended.is_some())).await;
    second.release_all();
    assert!(rest(stays).await.contains(r#""done":true"#));
    server.stop();
}

#[tokio::test]
async fn pictures_fit_in_and_a_body_over_the_bound_is_refused_in_words() {
    let (home, ollama) = (home_with_admin().with("MAX_BODY_MB", "1"), backend().await);
    let server = start(&home, &ollama);
    let admin = Admin::sign_in(&server).await;
    ollama.release_all();
    let with = |bytes: usize| {
        let picture = "A".repeat(bytes);
        json!({ "model": "llama3.2", "messages": [{ "role": "user", "content": "what is it?", "images": [picture] }] })
            .to_string()
    };
    let answer = post(&server, &admin, CHAT, with(900_000)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(rest(answer).await.contains(r#""done":true"#));
    let sent = ollama.inference_requests().pop().unwrap().json();
    assert_eq!(sent["messages"][0]["images"][0].as_str().unwrap().len(), 900_000);
    let answer = post(&server, &admin, CHAT, with(1_000_000)).send().await.unwrap();
    let words = r#"{"error":"request body is larger than 1000000 bytes"}"#;
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (413, words.into()));
    server.stop();
}
