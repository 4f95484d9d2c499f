//! From the set-up link to the first streamed answer, with plain forms, as a browser without JavaScript does it.

use reqwest::{Response, header};
use testkit::FakeOllama;

use crate::harness::{Home, Server, http, until_listed};

/// What `cargo xtask build` writes; without it the binary has no pages.
const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/site/manifest.json");

/// A browser's cookie jar, as far as it is needed here.
#[derive(Default)]
struct Browser {
    cookies: Vec<(String, String)>,
}

impl Browser {
    async fn get(&mut self, url: String) -> Response {
        let request = http().get(url).header("accept", "text/html");
        self.send(request).await
    }

    async fn post(&mut self, server: &Server, path: &str, accept: &str, fields: &[(&str, &str)]) -> Response {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = http()
            .post(server.url(path))
            .header("accept", accept)
            .header("origin", server.url(""))
            .header("referer", server.url("/admin/setup"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        self.send(request).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Response {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        for line in answer.headers().get_all(header::SET_COOKIE) {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    fn has(&self, name: &str) -> bool {
        self.cookies.iter().any(|(known, _)| known == name)
    }
}

#[tokio::test]
async fn from_the_set_up_link_to_the_first_answer() {
    assert!(
        std::path::Path::new(ASSETS).exists(),
        "the pages are not built: run `cargo xtask build` first (cargo xtask test does)"
    );
    let ollama = FakeOllama::builder().models(["llama3.2"]).chunks(3).start().await;
    let home = Home::new().with("OLLAMA_SERVERS", &ollama.base());
    let mut server = home.start();
    let line = server.line();
    let link = line.rsplit(' ').next().unwrap().to_owned();
    assert!(link.starts_with(&server.url("/admin/setup?token=")), "{line}");

    // A preview of the link, or `curl -I`, is no visit.
    let preview = http().head(link.as_str()).send().await.unwrap();
    assert!(!preview.headers().contains_key(header::SET_COOKIE), "{preview:?}");
    let mut browser = Browser::default();
    let answer = browser.get(link.clone()).await;
    assert!(answer.status().is_redirection(), "{}", answer.status());
    assert_eq!(answer.headers()["location"], "/admin/setup", "the token must not stay in the address");
    assert!(browser.has("op_setup"));
    let mut thief = Browser::default();
    thief.get(link).await;
    assert!(!thief.has("op_setup"), "the link works once");

    let page = browser.get(server.url("/admin/setup")).await;
    assert_eq!(page.status(), 200);
    let fields = [("input[name]", "root"), ("input[password]", "correct horse battery")];
    let refused = thief.post(&server, "/admin/fn/setup/admin", "application/json", &fields).await;
    assert_eq!(refused.status(), 403);
    let admin = browser.post(&server, "/admin/fn/setup/admin", "application/json", &fields).await;
    assert_eq!(admin.status(), 200, "{}", admin.text().await.unwrap());
    assert!(browser.has("op_session") && !browser.has("op_setup"));

    let key = browser
        .post(&server, "/admin/fn/setup/key", "application/json", &[("input[user]", "ada"), ("input[key]", "laptop")])
        .await;
    assert_eq!(key.status(), 200);
    let key: serde_json::Value = serde_json::from_str(&key.text().await.unwrap()).unwrap();
    let token = key["key"]["token"].as_str().unwrap();
    until_listed(&server, token, "llama3.2").await;
    let answer = http()
        .post(server.url("/api/generate"))
        .bearer_auth(token)
        .body(r#"{"model":"llama3.2","prompt":"hi"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().trim_end().ends_with('}'));
    assert!(!server.log().contains(token), "a key reached the log");
    server.stop();
}

#[tokio::test]
async fn files_come_in_the_form_the_caller_takes() {
    let text = std::fs::read_to_string(ASSETS)
        .unwrap_or_else(|_| panic!("the pages are not built: run `cargo xtask build` first"));
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let home = Home::new();
    let server = home.start();
    for (name, kind) in
        [("js", "text/javascript; charset=utf-8"), ("css", "text/css; charset=utf-8"), ("wasm", "application/wasm")]
    {
        let url = server.url(manifest[name].as_str().unwrap());
        let mut sizes = Vec::new();
        for accept in ["br", "gzip", "identity"] {
            let answer = http().get(&url).header("accept-encoding", accept).send().await.unwrap();
            let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
            assert_eq!((answer.status().as_u16(), header("content-type").as_str()), (200, kind), "{name}");
            assert!(header("cache-control").contains("immutable"), "{name}");
            assert_eq!(header("content-encoding"), accept.trim_start_matches("identity"), "{name}");
            let tag = header("etag");
            sizes.push(answer.bytes().await.unwrap().len());
            let again =
                http().get(&url).header("accept-encoding", accept).header("if-none-match", tag).send().await.unwrap();
            assert_eq!(again.status(), 304, "{name}");
        }
        assert!(sizes[0] < sizes[2] && sizes[1] < sizes[2], "{name}: {sizes:?}");
    }
    server.stop();
}
