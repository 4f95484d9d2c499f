//! Canaries: secrets that are known to the test, put into everything that takes one, at the most talkative log level, and
//! then looked for in everything that a person, a log collector or a backup could read.

use std::{collections::BTreeMap, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::header;
use rustix::process::Signal;
use testkit::FakeOllama;

use crate::{
    admin::{Admin, post, server_functions},
    harness::{DEADLINE, Home, Server, http, until, until_listed},
    sessions::{contains, files},
};

const SECRET_KEY: &str = "canary-secret-key-0123456789abcdefgh";
const PASSWORD: &str = "canary admin password";
const GUESS: &str = "canary wrong password";
const RESET: &str = "canary reset password";
const PASSPHRASE: &str = "canary backup passphrase";
const TOKEN: &str = "canary-backend-token";
const EDITED_TOKEN: &str = "canary-edited-token";
const REDIS: &str = "canary-redis-password";
const SAVED_REDIS: &str = "canary-saved-redis";
const TYPED_REDIS: &str = "canary-typed-redis";
const IN_URL: &str = "canary-userinfo";
const METRICS: &str = "canary-metrics-token";
const PROMPT: &str = "canary of a prompt";
/// Never secret: shows that this test can see what is there.
const VISIBLE: &str = "canary-that-may-be-seen";

/// The private key that is uploaded, as it stands in a PEM file.
const PRIVATE_KEY: &[u8] = include_bytes!("../../../crates/gateway/src/backend/tests/tls/localhost.key.der");

/// Every page of the app, with `id` where one is named, and one that there is not.
fn pages(id: &str) -> Vec<String> {
    let routes = leptos_axum::generate_route_list(app::App);
    let pages = routes.iter().map(|route| route.path().split(['{', ':']).next().unwrap().to_owned());
    let pages = pages.map(|page| if page.ends_with('/') { page + id } else { page });
    pages.chain(["/admin/x".into(), "/admin/users/000000000000".into()]).collect()
}

/// Every server function that only reads.
fn reads() -> impl Iterator<Item = String> {
    server_functions().into_iter().filter(|(method, _)| method == "GET").map(|(_, path)| path)
}

/// Addresses of the app's own files, as they are embedded.
fn assets() -> Vec<String> {
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/site/pkg");
    let names = std::fs::read_dir(site).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| format!("/pkg/{name}")).collect()
}

/// What came back: a place a person can see, with its bytes.
#[derive(Default)]
pub struct Seen(pub BTreeMap<String, Vec<u8>>);

impl Seen {
    pub async fn keep(&mut self, what: &str, answer: reqwest::Response) {
        // The one header that must hold a secret.
        let headers: Vec<_> = answer.headers().iter().filter(|(name, _)| *name != header::SET_COOKIE).collect();
        let mut bytes = format!("{} {headers:?} ", answer.status()).into_bytes();
        bytes.extend_from_slice(&answer.bytes().await.unwrap());
        self.0.entry(what.to_owned()).or_default().extend(bytes);
    }

    /// Every page, every function that only reads, and every file of the app.
    pub async fn documents(&mut self, server: &Server, admin: &Admin, user: &str) {
        for page in pages(user) {
            self.keep(&page, admin.get(server, &page).header(header::ACCEPT, "text/html").send().await.unwrap()).await;
        }
        for path in reads() {
            self.keep(&path, admin.get(server, &path).send().await.unwrap()).await;
        }
        for asset in assets() {
            self.keep(&asset, http().get(server.url(&asset)).send().await.unwrap()).await;
        }
        for format in ["csv", "jsonl"] {
            let path = format!("/admin/audit/export?format={format}");
            self.keep(&path, admin.get(server, &path).send().await.unwrap()).await;
        }
    }

    async fn pages(&mut self, server: &Server, admin: &Admin, user: &str) {
        self.documents(server, admin, user).await;
        let user = format!("/admin/fn/users/get?input[id]={user}");
        self.keep(&user, admin.get(server, &user).send().await.unwrap()).await;
        let scrape = || http().get(server.url("/metrics")).bearer_auth(METRICS).send();
        let summed = async { while !scrape().await.unwrap().text().await.unwrap().contains(VISIBLE) {} };
        tokio::time::timeout(DEADLINE, summed).await.unwrap();
        self.keep("/metrics", scrape().await.unwrap()).await;
        self.keep("/metrics", http().get(server.url("/metrics")).bearer_auth(GUESS).send().await.unwrap()).await;
        let log = "/admin/fn/audit/list?input[text]=";
        self.keep(log, admin.get(server, log).send().await.unwrap()).await;
        let mut live = admin.get(server, "/admin/live").send().await.unwrap();
        let event = live.chunk().await.unwrap().unwrap();
        self.0.insert("/admin/live".into(), event.to_vec());
    }

    /// None of the secrets is anywhere.
    pub fn assert_without(&self, secrets: &[(&str, String)]) {
        let mut found = Vec::new();
        for (what, secret) in secrets {
            let escaped = secret.replace(' ', "+");
            for (place, bytes) in &self.0 {
                if contains(bytes, secret.as_bytes()) || contains(bytes, escaped.as_bytes()) {
                    found.push(format!("{what} in {place}: {}", around(bytes, secret)));
                }
            }
        }
        assert!(found.is_empty(), "{found:#?}");
    }

    pub async fn call(&mut self, server: &Server, admin: &Admin, function: &str, fields: &[(&str, &str)]) {
        for accept in ["application/json", "text/html"] {
            let call = admin.post(server, function, fields).header(header::ACCEPT, accept);
            let call = call.header(header::REFERER, server.url("/admin/backends"));
            self.keep(function, call.send().await.unwrap()).await;
        }
    }
}

/// Runs everything that takes a secret, with `format` as the log's; what could be seen, the secrets and the home.
async fn drive(format: &str) -> (Seen, Vec<(&'static str, String)>, Home, Server) {
    let ollama = FakeOllama::builder().models([VISIBLE]).token(TOKEN).start().await;
    let home = Home::new()
        .with("LOG_LEVEL", "trace")
        .with("LOG_FORMAT", format)
        .with("ADMIN_USER", "root")
        .with("ADMIN_PASSWORD", PASSWORD)
        .with("SECRET_KEY", SECRET_KEY)
        .with("METRICS_TOKEN", METRICS)
        .with("REDIS_URL", &format!("redis://user:{REDIS}@127.0.0.1:9/0"));
    let server = home.start();
    let mut seen = Seen::default();
    let guess = post(&server, "session/login", &[("name", "root"), ("password", GUESS)]).send().await.unwrap();
    seen.keep("session/login", guess).await;
    let admin = Admin::sign_in_with(&server, PASSWORD).await;

    let user = admin.call(&server, "users/add", &[("name", VISIBLE)]).await["id"].as_str().unwrap().to_owned();
    let created = admin
        .call(&server, "keys/create", &[("user_id", &user), ("name", "laptop"), ("requests", ""), ("minutes", "")])
        .await;
    let key = created["token"].as_str().unwrap().to_owned();
    let key_id = created["view"]["id"].as_str().unwrap().to_owned();
    let printed = home.ok(&["key", "create", "--user", VISIBLE, "--name", "printed"]);

    let backend =
        admin.call(&server, "backends/add", &[("name", "gpu"), ("url", &ollama.base()), ("token", TOKEN)]).await;
    let backend = backend["id"].as_str().unwrap().to_owned();
    until_listed(&server, &key, VISIBLE).await;
    let url = ollama.base();
    for (function, fields) in [
        (
            "backends/add",
            vec![("name", "bad"), ("url", "http://canary-userinfo:canary-userinfo@127.0.0.1:9"), ("token", TOKEN)],
        ),
        ("backends/add", vec![("name", "gone"), ("url", "http://127.0.0.1:9"), ("token", TOKEN), ("odd", TOKEN)]),
        ("backends/probe", vec![("url", &*url), ("token", TOKEN)]),
        ("backends/probe", vec![("url", &*url), ("token", "canary-edited-token")]),
        ("backends/test", vec![("id", &*backend)]),
        (
            "backends/edit",
            vec![("id", &*backend), ("name", "gpu"), ("url", &*url), ("token", EDITED_TOKEN), ("clear_token", "false")],
        ),
        ("backends/test", vec![("id", &*backend)]),
        (
            "backends/edit",
            vec![("id", &*backend), ("name", "gpu"), ("url", &*url), ("token", TOKEN), ("clear_token", "false")],
        ),
        ("setup/backend", vec![("url", "http://127.0.0.1:9"), ("token", TOKEN)]),
        ("settings/redis", vec![("redis_host", "127.0.0.1"), ("redis_port", "9"), ("redis_password", TYPED_REDIS)]),
        ("keys/limit", vec![("id", &*key_id), ("requests", "1000"), ("minutes", "1")]),
        ("session/login", vec![("name", "root"), ("password", GUESS), ("extra", GUESS)]),
    ] {
        seen.call(&server, &admin, function, &fields).await;
    }
    let version =
        admin.get(&server, "/admin/fn/settings/get").send().await.unwrap().json::<serde_json::Value>().await.unwrap();
    let version = version["version"].as_str().unwrap().to_owned();
    let saved = format!("redis://user:{SAVED_REDIS}@127.0.0.1:9/0");
    for redis in ["nonsense://canary-saved-redis@x", &saved] {
        let fields = [
            ("requests", ""),
            ("minutes", ""),
            ("redis_url", redis),
            ("catalogue_interval_s", "30"),
            ("connect_timeout_s", "3"),
            ("first_byte_timeout_s", "600"),
            ("stall_timeout_s", "300"),
            ("max_body_mb", "64"),
            ("public_url", ""),
            ("version", &version),
        ];
        seen.keep("settings/save", admin.post(&server, "settings/save", &fields).send().await.unwrap()).await;
    }
    seen.call(&server, &admin, "settings/redis", &[("redis_url", &saved)]).await;

    // What backends echo of a prompt belongs to the caller, so these answers are not kept.
    let ask = |path: &'static str, body: String| {
        let request = http().post(server.url(path)).bearer_auth(&key).body(body);
        // An answer may be cut on purpose.
        async move { drop(request.send().await.unwrap().bytes().await) }
    };
    for (path, body) in [
        ("/api/chat", format!(r#"{{"model":"{VISIBLE}","messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#)),
        ("/api/generate", format!(r#"{{"model":"{VISIBLE}","prompt":"{PROMPT}"}}"#)),
        ("/api/generate", format!(r#"{{"model":"no-such-model","prompt":"{PROMPT}"}}"#)),
        ("/api/generate", format!(r#"{{"prompt":"{PROMPT}""#)),
        (
            "/v1/chat/completions",
            format!(r#"{{"model":"{VISIBLE}","messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#),
        ),
        (
            "/v1/messages",
            format!(r#"{{"model":"{VISIBLE}","max_tokens":9,"messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#),
        ),
    ] {
        ask(path, body).await;
    }
    ollama.set(|script| script.fault_at("/api/generate", testkit::Fault::CutAfter(1)));
    ask("/api/generate", format!(r#"{{"model":"{VISIBLE}","prompt":"{PROMPT}"}}"#)).await;
    // Keys where they do not belong.
    for path in
        [format!("/api/tags?key={key}"), format!("/{key}"), format!("/api/{key}"), format!("/admin/{key}?token={key}")]
    {
        http().get(server.url(&path)).header("x-api-key", &key[..40]).send().await.unwrap();
    }
    seen.pages(&server, &admin, &user).await;
    seen.call(&server, &admin, "keys/status", &[("id", &key_id), ("status", "revoked")]).await;
    let reset = home.run_with(&format!("{RESET}\n"), &["admin", "reset-password", "root", "--password-stdin"]);
    assert_eq!(reset.code, Some(0), "{reset:?}");
    seen.0.insert("admin reset-password".into(), format!("{reset:?}").into_bytes());
    let check = home.run(&["check"]);
    seen.0.insert("check".into(), format!("{check:?}").into_bytes());
    let lists =
        [["key", "list"], ["backend", "list"], ["user", "list"]].map(|list| home.ok(&[list[0], list[1], "--json"]));
    seen.0.insert("lists".into(), lists.concat().into_bytes());
    let log = [["list", "--json"], ["export", "--format=csv"]].map(|how| home.ok(&["audit", how[0], how[1]]));
    seen.0.insert("the audit log".into(), log.concat().into_bytes());
    let backup = home.run_with(&format!("{PASSPHRASE}\n"), &["backup", "canary.backup", "--passphrase-stdin"]);
    assert_eq!(backup.code, Some(0), "{backup:?}");
    seen.0.insert("backup".into(), format!("{backup:?}").into_bytes());
    seen.0.insert("a backup file".into(), std::fs::read(home.path().join("canary.backup")).unwrap());
    let help = home.run(&["--help"]);
    seen.0.insert("help".into(), format!("{help:?}").into_bytes());
    // The last call: the port speaks TLS afterwards.
    let pem =
        |label: &str, der: &[u8]| format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der));
    let (certificate, private) = (pem("CERTIFICATE", crate::tls::CERTIFICATE), pem("PRIVATE KEY", PRIVATE_KEY));
    let pair = [("certificate", certificate.as_str()), ("private_key", private.as_str())];
    let mismatch = [("certificate", private.as_str()), ("private_key", private.as_str())];
    for pair in [mismatch, pair] {
        seen.keep("network/tls-save", admin.post(&server, "network/tls-save", &pair).send().await.unwrap()).await;
    }
    let secrets = vec![
        ("a private key", STANDARD.encode(PRIVATE_KEY)),
        ("SECRET_KEY", SECRET_KEY.to_owned()),
        ("the administrator's password", PASSWORD.to_owned()),
        ("a guess", GUESS.to_owned()),
        ("a backup's passphrase", PASSPHRASE.to_owned()),
        ("the reset password", RESET.to_owned()),
        ("a backend's token", TOKEN.to_owned()),
        ("a changed token", EDITED_TOKEN.to_owned()),
        ("the password of REDIS_URL", REDIS.to_owned()),
        ("a saved Redis password", SAVED_REDIS.to_owned()),
        ("a Redis password that was only tried", TYPED_REDIS.to_owned()),
        ("a password in an address", IN_URL.to_owned()),
        ("METRICS_TOKEN", METRICS.to_owned()),
        ("a prompt", PROMPT.to_owned()),
        ("a key", key),
        ("a key of the command line", printed),
        ("a session", admin.token().to_owned()),
    ];
    (seen, secrets, home, server)
}

/// T14.
#[tokio::test]
async fn no_secret_is_in_a_log_a_page_an_answer_or_the_data_folder() {
    let (mut seen, secrets, home, server) = drive("json").await;
    seen.0.insert("standard error".into(), server.log().into_bytes());
    for (number, bytes) in files(&home.data()).into_iter().enumerate() {
        seen.0.insert(format!("running, file {number} of the data folder"), bytes);
    }
    server.signal(Signal::TERM);
    until("the server ends", || server.is_closed().then_some(()));
    let mut server = server;
    assert_eq!(server.wait(), Some(0));
    for (number, bytes) in files(&home.data()).into_iter().enumerate() {
        seen.0.insert(format!("stopped, file {number} of the data folder"), bytes);
    }
    seen.0.insert("standard error at the end".into(), server.log().into_bytes());

    assert!(seen.0.keys().filter(|place| place.starts_with("/pkg/")).count() > 3, "the app's files were looked at");
    for place in [
        "/admin",
        "/admin/users",
        "lists",
        "/admin/fn/backends/list",
        "/metrics",
        "/admin/audit",
        "/admin/audit/export?format=csv",
        "the audit log",
    ] {
        assert!(contains(&seen.0[place], VISIBLE.as_bytes()), "{place} was not really looked at");
    }
    for state in ["running", "stopped"] {
        let mut folder = seen.0.iter().filter(|(place, _)| place.starts_with(state));
        assert!(
            folder.any(|(_, bytes)| contains(bytes, VISIBLE.as_bytes())),
            "the {state} data folder cannot be read by this test"
        );
    }
    assert!(
        server.log().contains("\"level\":\"TRACE\"") || server.log().contains("\"level\":\"DEBUG\""),
        "it was to be talkative"
    );
    seen.assert_without(&secrets);
}

/// A little of the text about the first hit.
fn around(bytes: &[u8], secret: &str) -> String {
    let text = String::from_utf8_lossy(bytes);
    let at = text.find(secret).unwrap_or_default();
    text.chars().skip(text[..at].chars().count().saturating_sub(120)).take(240).collect()
}

/// Names that would forge a line, colour a terminal or break JSON, where they are taken, and where they are refused.
const HOSTILE: [&str; 4] = [
    "\u{1b}[2J\n{\"level\":\"ERROR\",\"forged\":true}",
    "a\r\nERROR forged",
    "\"},{\"forged\":true",
    "\u{9b}31m\u{202e}",
];

async fn provoke(format: &str) -> String {
    let ollama = FakeOllama::builder().models(HOSTILE).start().await;
    let home = Home::new()
        .with("LOG_LEVEL", "trace")
        .with("LOG_FORMAT", format)
        .with("ADMIN_USER", "root")
        .with("ADMIN_PASSWORD", PASSWORD);
    let server = home.start();
    let admin = Admin::sign_in_with(&server, PASSWORD).await;
    let key = {
        admin.call(&server, "users/add", &[("name", "ada")]).await;
        home.ok(&["key", "create", "--user", "ada", "--name", "laptop"])
    };
    admin.call(&server, "backends/add", &[("name", "gpu"), ("url", &ollama.base()), ("token", "")]).await;
    for name in HOSTILE {
        admin.post(&server, "users/add", &[("name", name)]).send().await.unwrap();
        admin.post(&server, "backends/add", &[("name", name), ("url", name), ("token", "")]).send().await.unwrap();
        let agent: String = name.chars().filter(|letter| !letter.is_control()).collect();
        let login = post(&server, "session/login", &[("name", name), ("password", name)]);
        login.header(header::USER_AGENT, agent.as_bytes()).send().await.unwrap();
        let body = serde_json::json!({ "model": name, "prompt": "hi" }).to_string();
        http()
            .post(server.url("/api/generate"))
            .bearer_auth(&key)
            .body(body)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        let path: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        for path in [format!("/admin/{path}"), format!("/v1/models/{path}"), format!("/{path}")] {
            http().get(server.url(&path)).bearer_auth(&key).send().await.unwrap();
        }
    }
    ollama.refuse_connections().await;
    let id =
        admin.get(&server, "/admin/fn/backends/list").send().await.unwrap().json::<serde_json::Value>().await.unwrap();
    let id = id.as_array().unwrap().iter().find(|backend| backend["name"] == "gpu").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    admin.post(&server, "backends/test", &[("id", &id)]).send().await.unwrap();
    let log = server.log();
    server.stop();
    log
}

/// T14.
#[tokio::test]
async fn whatever_a_name_holds_the_json_log_has_one_object_a_line() {
    let log = provoke("json").await;
    assert!(log.lines().count() > 5, "{log}");
    for line in log.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert!(entry["level"].is_string() && entry["timestamp"].is_string(), "{line}");
        assert!(entry.get("forged").is_none(), "{line}");
    }
}

#[tokio::test]
async fn whatever_a_name_holds_the_text_log_has_neither_forged_lines_nor_escapes() {
    let log = provoke("text").await;
    assert!(log.lines().count() > 5, "{log}");
    for line in log.lines() {
        assert!(line.starts_with("20"), "every line begins with its time: {line:?}");
        assert!(!line.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{line:?}");
    }
}
