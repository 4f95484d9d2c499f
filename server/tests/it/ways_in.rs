//! Every way in, as written lists: what needs a session, what needs a key, what needs neither. A server function, page or
//! path that is in the program and not in a list fails here, so that each new one is decided on.

use std::{collections::BTreeSet, fs, path::Path};

use domain::admin::Role::{self, Operator, Owner, Viewer};
use reqwest::{Method, header};

use crate::{
    admin::{Admin, home_with_admin, post, server_functions},
    harness::{Home, Server, http},
};

/// Server functions that need no session, and what each answers to a stranger who sends nothing.
const OPEN: [(&str, &str, u16); 4] = [
    ("POST", "session/login", 400),
    ("POST", "session/code", 400),
    ("GET", "setup/state", 200),
    ("POST", "setup/admin", 400),
];

/// A server function that needs a session: method, path, the least role it is for, and fields that get past its form but
/// change nothing that a later call needs.
pub type Closed = (&'static str, &'static str, Role, &'static [(&'static str, &'static str)]);

/// Server functions that need a session.
pub const CLOSED: [Closed; 87] = [
    ("GET", "account/get", Viewer, &[]),
    ("POST", "account/password", Viewer, &[("current", "a wrong guess"), ("password", "another fine phrase")]),
    ("POST", "account/session-end", Viewer, &[("id", "0123456789abcdef")]),
    ("POST", "account/sessions-end", Viewer, &[]),
    ("POST", "account/factor-start", Viewer, &[]),
    ("POST", "account/factor-confirm", Viewer, &[("code", "x")]),
    ("POST", "account/factor-cancel", Viewer, &[]),
    ("POST", "account/factor-off", Viewer, &[]),
    ("GET", "administrators/list", Viewer, &[]),
    ("POST", "administrators/add", Owner, &[("name", ""), ("password", ""), ("role", "viewer")]),
    ("POST", "administrators/role", Owner, &[("id", "0123456789ab"), ("role", "owner")]),
    ("POST", "administrators/enabled", Owner, &[("id", "0123456789ab"), ("enabled", "false")]),
    ("POST", "administrators/password", Owner, &[("id", "0123456789ab"), ("password", "another fine phrase")]),
    ("POST", "administrators/factor-off", Owner, &[("id", "0123456789ab")]),
    ("POST", "administrators/remove", Owner, &[("id", "0123456789ab")]),
    ("POST", "administrators/session-end", Owner, &[("id", "0123456789abcdef")]),
    ("POST", "administrators/sessions-end", Owner, &[("id", "0123456789ab")]),
    ("GET", "aliases/auto", Viewer, &[]),
    ("GET", "aliases/list", Viewer, &[]),
    ("POST", "aliases/add", Operator, &[("name", ""), ("targets", "")]),
    ("POST", "aliases/auto-save", Operator, &[("on", "false"), ("version", "")]),
    ("POST", "aliases/edit", Operator, &[("name", "nobody"), ("targets", "a"), ("version", "1-1")]),
    ("POST", "aliases/remove", Operator, &[("name", "nobody")]),
    ("GET", "audit/list", Viewer, &[]),
    ("GET", "backends/get", Viewer, &[("id", "0123456789ab")]),
    ("GET", "backends/history", Viewer, &[("id", "0123456789ab")]),
    ("GET", "backends/list", Viewer, &[]),
    ("POST", "backends/add", Operator, &[("name", ""), ("url", "x"), ("token", "")]),
    (
        "POST",
        "backends/edit",
        Operator,
        &[
            ("id", "0123456789ab"),
            ("name", "b"),
            ("url", "http://127.0.0.1:9"),
            ("token", ""),
            ("clear_token", "false"),
        ],
    ),
    ("POST", "backends/draining", Operator, &[("id", "0123456789ab"), ("draining", "true")]),
    ("POST", "backends/enabled", Operator, &[("id", "0123456789ab"), ("enabled", "false")]),
    ("POST", "backends/remove", Operator, &[("id", "0123456789ab")]),
    ("POST", "backends/test", Operator, &[("id", "0123456789ab")]),
    ("POST", "backends/probe", Operator, &[("url", "http://127.0.0.1:9"), ("token", "")]),
    ("GET", "find", Viewer, &[("text", "x")]),
    ("GET", "help/facts", Viewer, &[]),
    ("POST", "keys/create", Operator, &[("user_id", "0123456789ab"), ("name", "k"), ("requests", ""), ("minutes", "")]),
    ("POST", "keys/limit", Operator, &[("id", "0123456789ab"), ("requests", ""), ("minutes", "")]),
    ("POST", "keys/policy", Operator, &[("id", "0123456789ab")]),
    ("POST", "keys/remarks", Operator, &[("id", "0123456789ab"), ("label", "a"), ("note", ""), ("seen", "")]),
    ("POST", "keys/rotate", Operator, &[("id", "0123456789ab"), ("overlap", "24h"), ("until", "")]),
    ("POST", "keys/status", Operator, &[("id", "0123456789ab"), ("status", "disabled")]),
    ("GET", "live/now", Viewer, &[]),
    ("POST", "models/copy", Operator, &[("model", "m"), ("destination", "n"), ("backends][b_0123456789ab", "true")]),
    ("POST", "models/delete", Operator, &[("model", "m"), ("retyped", "m"), ("backends][b_0123456789ab", "true")]),
    ("POST", "models/keep", Operator, &[("model", "m"), ("act", "load"), ("backends][b_0123456789ab", "true")]),
    ("GET", "models/page", Viewer, &[("show", "warm")]),
    ("GET", "network/get", Viewer, &[]),
    ("POST", "network/save", Owner, &[("version", "old")]),
    ("GET", "network/tls", Viewer, &[]),
    ("POST", "network/tls-make", Owner, &[("names", "")]),
    ("POST", "network/tls-remove", Owner, &[]),
    ("POST", "network/tls-save", Owner, &[("certificate", ""), ("private_key", "")]),
    ("GET", "playground/facts", Viewer, &[]),
    ("POST", "pulls/cancel", Operator, &[("id", "0123456789ab")]),
    ("POST", "pulls/clear", Operator, &[]),
    ("POST", "pulls/keep", Operator, &[("model", ""), ("copies", "x")]),
    ("GET", "pulls/list", Viewer, &[]),
    ("POST", "pulls/retry", Operator, &[("id", "0123456789ab")]),
    ("POST", "pulls/start", Operator, &[("model", "")]),
    ("GET", "requests/get", Viewer, &[("id", "0123456789abcdef"), ("at", "1")]),
    ("GET", "requests/list", Viewer, &[]),
    ("POST", "session/confirm", Viewer, &[("password", "a wrong guess")]),
    ("GET", "session/current", Viewer, &[]),
    ("POST", "session/logout", Viewer, &[]),
    ("GET", "settings/get", Viewer, &[]),
    ("GET", "settings/redis-status", Viewer, &[]),
    ("POST", "settings/logo", Owner, &[("logo", "")]),
    ("POST", "settings/logo-remove", Owner, &[]),
    ("POST", "settings/save", Owner, &[("version", "old")]),
    ("POST", "settings/reset", Owner, &[("name", "nobody")]),
    ("POST", "settings/redis", Owner, &[("redis_host", "")]),
    ("GET", "setup/found", Operator, &[]),
    ("POST", "setup/backend", Operator, &[("url", "http://127.0.0.1:9"), ("token", "")]),
    ("POST", "setup/key", Operator, &[("user", "u"), ("key", "k")]),
    ("GET", "upgrade/get", Viewer, &[]),
    ("POST", "upgrade/answer", Operator, &[("answer", "pause")]),
    ("POST", "upgrade/start", Operator, &[("version", "x")]),
    ("GET", "usage/page", Viewer, &[("range", "7d")]),
    ("GET", "users/list", Viewer, &[]),
    ("GET", "users/get", Viewer, &[("id", "0123456789ab")]),
    ("POST", "users/add", Operator, &[("name", "")]),
    ("POST", "users/enabled", Operator, &[("id", "0123456789ab"), ("enabled", "false")]),
    ("POST", "users/policy", Operator, &[("id", "0123456789ab")]),
    ("POST", "users/remarks", Operator, &[("id", "0123456789ab"), ("label", "a"), ("note", ""), ("seen", "")]),
    ("POST", "users/switch", Operator, &[("enabled", "false"), ("users][u_0123456789ab", "true")]),
    ("POST", "users/remove", Operator, &[("id", "0123456789ab")]),
];

/// Pages that need no session.
pub const OPEN_PAGES: [&str; 3] = ["/admin/login", "/admin/login/code", "/admin/setup"];
/// Pages that need one. `{id}` stands for anything.
pub const CLOSED_PAGES: [&str; 21] = [
    "/admin",
    "/admin/account",
    "/admin/administrators",
    "/admin/aliases",
    "/admin/audit",
    "/admin/backends",
    "/admin/backends/upgrade",
    "/admin/backends/{id}",
    "/admin/backends/{id}/history",
    "/admin/confirm",
    "/admin/help",
    "/admin/models",
    "/admin/network",
    "/admin/playground",
    "/admin/pulls",
    "/admin/requests",
    "/admin/requests/{id}",
    "/admin/settings",
    "/admin/usage",
    "/admin/users",
    "/admin/users/{id}",
];
/// Addresses of the admin plane that are neither page nor server function. `/metrics` also opens to a token.
pub const OTHER: [&str; 12] = [
    "/admin/audit/export",
    "/admin/live",
    "/admin/logo/{file}",
    "/admin/playground/chat",
    "/admin/playground/embed",
    "/admin/pulls/live",
    "/admin/requests/export",
    "/admin/requests/live",
    "/admin/usage/export",
    "/admin/",
    "/admin/{*path}",
    "/metrics",
];

/// Paths of the API, none of which answers without a key.
const API: [&str; 29] = [
    "/api/blobs/",
    "/api/chat",
    "/api/copy",
    "/api/create",
    "/api/delete",
    "/api/embed",
    "/api/embeddings",
    "/api/experimental/model-recommendations",
    "/api/experimental/web_fetch",
    "/api/experimental/web_search",
    "/api/generate",
    "/api/me",
    "/api/ps",
    "/api/pull",
    "/api/push",
    "/api/show",
    "/api/signout",
    "/api/status",
    "/api/tags",
    "/api/user/keys/",
    "/api/version",
    "/fortress/v1/queue",
    "/v1/audio/transcriptions",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/models/",
    "/v1/responses",
];
/// Paths outside both planes that answer anybody.
const PUBLIC: [&str; 3] = ["/", "/livez", "/readyz"];

/// Every source text below a folder, before its tests and without comments, each call on one line.
fn programs(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(programs(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let program = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            found.push(
                program.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n"),
            );
        }
    }
    found
}

/// The string literals of a source text before its tests that begin with `start`.
fn literals<'s>(source: &'s str, start: &str) -> BTreeSet<&'s str> {
    let program = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = program.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2)).filter(|text| text.starts_with(start)).collect()
}

/// T16.
#[test]
fn every_server_function_is_in_a_list() {
    let listed =
        OPEN.iter().map(|(method, path, _)| (*method, *path)).chain(CLOSED.map(|(method, path, ..)| (method, path)));
    let listed: BTreeSet<(String, String)> =
        listed.map(|(method, path)| (method.to_owned(), format!("/admin/fn/{path}"))).collect();
    assert_eq!(server_functions().into_iter().collect::<BTreeSet<_>>(), listed);
}

#[tokio::test]
async fn every_page_is_in_a_list() {
    let routes = leptos_axum::generate_route_list(app::App);
    let found: BTreeSet<String> = routes.iter().map(|route| route.path().to_owned()).collect();
    let listed = OPEN_PAGES.iter().chain(&CLOSED_PAGES).map(|path| (*path).to_owned());
    assert_eq!(found, listed.collect());
}

#[test]
fn every_other_path_in_the_program_is_in_a_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs: Vec<String> =
        [root.join("src"), root.join("../app/src")].iter().flat_map(|at| programs(at)).collect();
    assert!(programs.len() > 100, "the sources were looked at");
    let called = |name: &str| -> Vec<String> {
        let calls = |source: &str| source.split(name).skip(1).map(str::to_owned).collect::<Vec<_>>();
        programs.iter().flat_map(|source| calls(source)).collect()
    };
    let routes = called(".route(");
    let routes: BTreeSet<&str> =
        routes.iter().map(|rest| rest.trim_start().strip_prefix('"').unwrap().split('"').next().unwrap()).collect();
    assert_eq!(routes, BTreeSet::from(OTHER));
    // By any of these a path would come in that the line above does not see.
    for other in [".nest(", ".nest_service(", ".route_service(", ".fallback_service(", ".leptos_routes("] {
        assert_eq!(called(other), Vec::<String>::new(), "{other}");
    }
    assert_eq!(called(".leptos_routes_with_context(").len(), 1, "the pages, which are listed above");
    assert_eq!(called(".fallback(").len(), 1, "without pages built: it says so");

    // Who comes in without a key is made out of a session, in one place.
    let control = self::programs(&root.join("../crates/control/src"));
    let made = |sources: &[String]| sources.iter().map(|source| source.matches("Insider::new(").count()).sum::<usize>();
    assert_eq!((made(&programs), made(&control)), (0, 1));
    assert!(control.iter().any(
        |source| source.contains("actor.operates(\"playground used\")?") && made(std::slice::from_ref(source)) == 1
    ));

    let endpoints = include_str!("../../../crates/gateway/src/endpoints.rs");
    let find = endpoints.split("pub(crate) fn find").nth(1).unwrap().split("\n}\n").next().unwrap();
    let mut api = literals(find, "/api/");
    api.extend(literals(find, "/v1/"));
    api.extend(literals(find, "/fortress/"));
    // The list and one of its members are one entry here.
    assert!(api.remove("/v1/models"));
    assert_eq!(api, BTreeSet::from(API));

    let mut front = literals(include_str!("../../src/edge/route.rs"), "/");
    for plane in ["/api", "/v1", "/fortress", "/admin", "/metrics"] {
        assert!(front.remove(plane), "{plane}");
    }
    assert_eq!(front, BTreeSet::from(PUBLIC));
}

async fn call(server: &Server, method: &str, path: &str, cookie: Option<&str>, accept: &str) -> reqwest::Response {
    let request = http()
        .request(Method::from_bytes(method.as_bytes()).unwrap(), server.url(path))
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, accept);
    cookie.into_iter().fold(request, |request, cookie| request.header(header::COOKIE, cookie)).send().await.unwrap()
}

/// The answer leads to the sign-in page and holds nothing else.
async fn assert_leads_to_login(answer: reqwest::Response, what: &str) {
    let to = answer.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
    assert!(answer.status().is_redirection() && to.starts_with("/admin/login"), "{what}: {} {to}", answer.status());
    assert_eq!(answer.text().await.unwrap(), "", "{what}");
}

/// T16.
#[tokio::test]
async fn nothing_of_the_admin_plane_answers_without_a_session_but_what_is_listed_as_open() {
    let home = home_with_admin();
    let server = home.start();
    let ended = Admin::sign_in(&server).await;
    ended.call(&server, "session/logout", &[]).await;
    let never = format!("op_session={}", "A".repeat(ended.token().len()));
    for cookie in [None, Some(ended.cookie.as_str()), Some(never.as_str()), Some("op_session=")] {
        for (method, path, ..) in CLOSED {
            let path = format!("/admin/fn/{path}");
            let answer = call(&server, method, &path, cookie, "application/json").await;
            assert_eq!(answer.status(), 401, "{path}");
            assert_eq!(answer.text().await.unwrap(), r#"{"kind":"unauthenticated"}"#, "{path}");
            assert_leads_to_login(call(&server, method, &path, cookie, "text/html").await, &path).await;
        }
        for page in CLOSED_PAGES.iter().chain(&["/admin/no/such/page"]).map(|page| page.replace("{id}", "0123456789ab"))
        {
            assert_leads_to_login(call(&server, "GET", &page, cookie, "text/html").await, &page).await;
        }
        for stream in ["/admin/live", "/admin/pulls/live", "/admin/requests/live"] {
            assert_eq!(call(&server, "GET", stream, cookie, "text/event-stream").await.status(), 401, "{stream}");
        }
        for asked in ["/admin/playground/chat", "/admin/playground/embed"] {
            assert_eq!(call(&server, "POST", asked, cookie, "application/json").await.status(), 401, "{asked}");
        }
        assert_eq!(call(&server, "GET", "/metrics", cookie, "text/plain").await.status(), 401);
        for export in [
            "/admin/audit/export?format=csv",
            "/admin/requests/export?format=csv",
            "/admin/usage/export?format=csv&to=1",
        ] {
            let answer = call(&server, "GET", export, cookie, "text/csv").await;
            assert_eq!(answer.status(), 401, "{export}");
            let next = format!("/admin/login?next={}", export.split("/export").next().unwrap());
            let answer = call(&server, "GET", export, cookie, "text/html").await;
            assert_eq!(answer.headers()[header::LOCATION], next, "{export}");
        }
        for (method, path, status) in OPEN {
            let answer = call(&server, method, &format!("/admin/fn/{path}"), cookie, "application/json").await;
            assert_eq!(answer.status(), status, "{path}");
        }
        for page in OPEN_PAGES {
            assert_eq!(call(&server, "GET", page, cookie, "text/html").await.status(), 200, "{page}");
        }
    }
    // With the administrator made, the set-up makes no other, whatever is sent.
    let second = post(&server, "setup/admin", &[("name", "second"), ("password", "a long enough password")]);
    assert_eq!(second.send().await.unwrap().status(), 409);
    server.stop();
}

#[tokio::test]
async fn a_session_is_no_key_and_nothing_of_the_api_answers_without_one() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    for path in API.map(|path| if path.ends_with('/') { format!("{path}x") } else { path.to_owned() }) {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT, Method::HEAD, Method::OPTIONS] {
            let request = http().request(method.clone(), server.url(&path));
            let status = request.header(header::COOKIE, &admin.cookie).body("{}").send().await.unwrap().status();
            assert!([401, 405].contains(&status.as_u16()), "{method} {path}: {status}");
        }
    }
    server.stop();
}

#[tokio::test]
async fn before_there_is_an_administrator_strangers_can_set_up_nothing() {
    let home = Home::new();
    let server = home.start();
    for (path, fields) in [
        ("setup/admin", &[("name", "mallory"), ("password", "a long enough password")][..]),
        ("setup/backend", &[("url", "http://127.0.0.1:9"), ("token", "")]),
        ("setup/key", &[("user", "mallory"), ("key", "k")]),
    ] {
        let status = post(&server, path, fields).send().await.unwrap().status().as_u16();
        assert!([401, 403].contains(&status), "{path}: {status}");
    }
    let login = post(&server, "session/login", &[("name", "mallory"), ("password", "a long enough password")]);
    assert_eq!(login.send().await.unwrap().status(), 401);
    assert!(home.names(&["user", "list"]).is_empty());
    server.stop();
}
