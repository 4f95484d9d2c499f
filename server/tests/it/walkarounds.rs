//! T03, T04, T06, T07, T42: other spellings of a path, other methods, other hosts and other targets against the running
//! program. None of them comes round the key, the table of endpoints, the choice of the backend, or the listener.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use testkit::FakeOllama;

use crate::{
    admin::{Admin, home_with_admin, server_functions},
    harness::{DEADLINE, Home, Server, home_with_key, until_listed},
    ways_in::{CLOSED_PAGES, OPEN_PAGES, OTHER},
};

const CHAT: &str = r#"{"model":"llama3.2","stream":false,"messages":[{"role":"user","content":"hi"}]}"#;

/// Status and text of the answer to one request on a connection of its own.
fn ask(server: &Server, line: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let length = body.len();
    let text = format!("{line} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    let _ = stream.write_all(text.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default(), answer)
}

async fn fleet() -> (FakeOllama, Home, Server, String) {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let (home, key) = home_with_key();
    home.ok(&["backend", "add", "--name", "b", "--url", &backend.base()]);
    let server = home.start();
    until_listed(&server, &key, "llama3.2").await;
    (backend, home, server, format!("Host: gw\r\nAuthorization: Bearer {key}\r\n"))
}

/// What a backend was asked beside the catalogue's own questions.
fn asked(backend: &FakeOllama) -> Vec<String> {
    let own = ["/api/tags", "/api/ps", "/api/version"];
    let requests = backend.requests().into_iter().filter(|request| !own.contains(&request.path.as_str()));
    requests.map(|request| format!("{} {}", request.method, request.path)).collect()
}

/// Spellings of a path that lead to the same place on servers that decode, normalise or forget.
fn spellings(path: &str) -> Vec<String> {
    let (head, last) = path.rsplit_once('/').unwrap();
    let encoded = format!("{head}/%{:02x}{}", last.as_bytes()[0], &last[1..]);
    let (one, rest) = path[1..].split_once('/').unwrap();
    vec![
        encoded,
        format!("/{path}"),
        format!("/{one}//{rest}"),
        format!("{path}/"),
        format!("{path}//"),
        format!("{path};x=y"),
        format!("{path}%20"),
        format!("{path}%00"),
        format!("{path}%2f"),
        format!("{path}/."),
        format!("{path}/../{last}"),
        format!("/./{one}/{rest}"),
        format!("/{one}/./{rest}"),
        format!("/{one}/%2e/{rest}"),
        format!("/x/../{one}/{rest}"),
        format!("/x/%2e%2e/{one}/{rest}"),
        format!("/admin/../{one}/{rest}"),
        format!("/{one}/chat/../{rest}"),
        format!("/{one}/chat/%2e%2e/{rest}"),
        format!("/{one}/chat/..;/{rest}"),
        format!("/{one}\\{rest}"),
        format!("/{one}/chat/..\\{rest}"),
        format!("/%2f{one}/{rest}"),
        format!("/{one}%2f{rest}"),
        path.to_uppercase(),
        format!("/{one}/{}", rest.to_uppercase()),
        format!("http://gw{path}"),
        format!("http://gw@evil.test{path}"),
        format!("//gw{path}"),
    ]
}

#[tokio::test]
async fn no_spelling_of_a_path_is_a_way_without_a_key_or_to_a_backend() {
    let (backend, _home, server, keyed) = fleet().await;
    for path in ["/api/chat", "/api/generate", "/v1/chat/completions", "/v1/messages", "/api/tags"] {
        for spelling in spellings(path) {
            for method in ["GET", "POST"] {
                for headers in ["Host: gw\r\n", keyed.as_str()] {
                    let (status, answer) = ask(&server, &format!("{method} {spelling}"), headers, CHAT);
                    let is_admins = matches!(status, 303 | 403) && spelling.starts_with("/admin/");
                    assert!(matches!(status, 400 | 401 | 404) || is_admins, "{method} {spelling}: {answer}");
                }
            }
        }
    }
    for path in ["/admin", "/admin/users", "/admin/fn/create_user", "/admin/live"] {
        for spelling in ["/%61dmin", "//admin", "/admin;x", "/ADMIN", "/api/../admin", "/x/%2e%2e/admin"] {
            let spelling = path.replacen("/admin", spelling, 1);
            let (status, answer) = ask(&server, &format!("GET {spelling}"), "Host: gw\r\n", "");
            assert!(matches!(status, 400 | 401 | 404), "{spelling}: {answer}");
        }
    }
    assert_eq!(asked(&backend), Vec::<String>::new());
    server.stop();
}

#[tokio::test]
async fn no_host_is_a_way_without_a_key_or_to_another_backend() {
    let (backend, _home, server, keyed) = fleet().await;
    let canary = FakeOllama::builder().models(["llama3.2"]).start().await;
    let authorization = keyed.split_once("\r\n").unwrap().1;
    for host in ["a/?", "a#", "a/admin?", "x@a", "", "a b", "[::1", "a\\b"] {
        for path in ["/api/chat", "/admin/users", "/v1/models"] {
            let (status, answer) =
                ask(&server, &format!("POST {path}"), &format!("Host: {host}\r\n{authorization}"), CHAT);
            assert!(matches!(status, 400 | 404 | 405), "{host:?} {path}: {answer}");
        }
    }
    for hosts in ["", "Host: a\r\nHost: b\r\n", "Host: gw\r\nhost: gw\r\n"] {
        let (status, answer) = ask(&server, "POST /api/chat", &format!("{hosts}{authorization}"), CHAT);
        assert_eq!(status, 400, "{hosts:?}: {answer}");
    }
    assert_eq!(asked(&backend), Vec::<String>::new());
    // A sound but foreign name is somebody's name for this gateway; the backend never hears it.
    let address = canary.address();
    let steering = format!(
        "Host: {address}\r\nX-Forwarded-Host: {address}\r\nX-Ollama-Host: http://{address}\r\nX-Original-URL: http://{address}/\r\nX-Rewrite-URL: /api/create\r\nForwarded: host={address}\r\nOrigin: http://{address}\r\n"
    );
    let base = canary.base();
    let body =
        CHAT.replacen('{', &format!(r#"{{"api_base":"{base}","base_url":"{base}","host":"{base}","url":"{base}","#), 1);
    let (status, answer) = ask(&server, "POST /api/chat", &format!("{steering}{authorization}"), &body);
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = ask(&server, &format!("POST {base}/api/chat"), &format!("{steering}{authorization}"), &body);
    assert_eq!(status, 400, "{answer}");
    assert_eq!(canary.connections().len(), 0);
    let request = backend.inference_requests().remove(0);
    assert_eq!(request.header("host"), Some(backend.address().to_string().as_str()));
    assert_eq!(request.body, body.as_bytes(), "unknown members are data");
    let text = format!("{:?}", request.headers);
    assert!(!text.contains(&address.to_string()) && !text.contains("op_"), "{text}");
    server.stop();
}

#[tokio::test]
async fn a_plain_key_manages_no_models_however_it_asks() {
    let (backend, _home, server, keyed) = fleet().await;
    let paths = [
        "/api/create",
        "/api/pull",
        "/api/push",
        "/api/copy",
        "/api/delete",
        "/api/blobs/sha256:29fdb92e57cf0827ded04ae6461b5931d01fa595843f55d36f5b275a52087dd2",
        "/api/me",
        "/api/signout",
        "/api/user/keys/x",
        "/api/experimental/web_search",
        "/api/experimental/web_fetch",
    ];
    let body = r#"{"model":"llama3.2","name":"llama3.2","source":"llama3.2","destination":"x","from":"llama3.2"}"#;
    let overriding = format!(
        "{keyed}X-HTTP-Method-Override: DELETE\r\nX-HTTP-Method: DELETE\r\nX-Method-Override: POST\r\nX-Original-URL: /api/pull\r\n"
    );
    for path in paths {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "Delete", "X"] {
            let (status, answer) = ask(&server, &format!("{method} {path}"), &overriding, body);
            assert!(matches!(status, 403 | 405), "{method} {path}: {answer}");
        }
        for spelling in spellings(path) {
            for method in ["POST", "DELETE", "HEAD"] {
                let (status, answer) = ask(&server, &format!("{method} {spelling}"), &overriding, body);
                let is_admins = matches!(status, 303 | 403) && spelling.starts_with("/admin/");
                assert!(matches!(status, 400 | 403 | 404 | 405) || is_admins, "{method} {spelling}: {answer}");
            }
        }
    }
    // What a header or a parameter says the method is changes nothing about an ordinary call either.
    for query in ["?_method=DELETE", "?method=DELETE"] {
        let (status, answer) = ask(&server, &format!("POST /api/chat{query}"), &overriding, CHAT);
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(asked(&backend), ["POST /api/chat", "POST /api/chat"]);
    server.stop();
}

/// Every path of the admin plane: pages, server functions, streams and exports, and the files that are built in.
fn paths_of_the_admin_plane() -> Vec<String> {
    let mut paths: BTreeSet<String> =
        OPEN_PAGES.iter().chain(&CLOSED_PAGES).chain(&OTHER).map(|path| (*path).to_owned()).collect();
    paths.retain(|path| !path.contains('{'));
    paths.extend(server_functions().into_iter().map(|(_, path)| path));
    paths.extend(["/admin/users/0123456789ab", "/admin/setup?token=x", "/admin/no/such/page"].map(str::to_owned));
    let site = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/site");
    let files = fs::read_dir(format!("{site}/pkg")).unwrap();
    let files: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(files.iter().any(|name| name.ends_with(".wasm")), "{files:?}");
    paths.extend(files.into_iter().map(|name| format!("/pkg/{name}")));
    paths.insert("/manifest.json".to_owned());
    paths.into_iter().collect()
}

#[tokio::test]
async fn the_public_listener_knows_no_path_of_the_admin_plane_however_it_is_asked() {
    let home = home_with_admin().with("ADMIN_LISTEN", "localhost:0");
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    let mut server = home.start();
    let line = server.line();
    let own = line.strip_prefix("The admin pages are at http://").and_then(|rest| rest.strip_suffix("/admin")).unwrap();
    // Whoever asks is an owner who is signed in, and has a key: it is the listener that does not know.
    let public = std::mem::replace(&mut server.address, own.parse().unwrap());
    let admin = Admin::sign_in(&server).await;
    assert_eq!(admin.status(&server, "/admin/users").await, 200, "the session is good");
    server.address = public;
    let cookie = &admin.cookie;
    let with = |host: &str, more: &str| {
        format!(
            "Host: {host}\r\nCookie: {cookie}\r\nAuthorization: Bearer {key}\r\nSec-Fetch-Site: same-origin\r\n{more}"
        )
    };
    let plain = with("gw", "Accept: text/html\r\n");
    let body = |answer: &str| answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    let (status, nothing) = ask(&server, "GET /nowhere", &plain, "");
    assert_eq!(status, 404, "{nothing}");
    let paths = paths_of_the_admin_plane();
    for path in &paths {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let (status, answer) = ask(&server, &format!("{method} {path}"), &plain, "");
            assert_eq!(status, 404, "{method} {path}: {answer}");
            // It looks like any path that nobody has.
            assert!(method != "GET" || body(&answer) == body(&nothing), "{path}: {answer}");
        }
    }
    let disguises = [
        with(own, ""),
        with("gw", &format!("X-Forwarded-Host: {own}\r\nX-Forwarded-Port: 8081\r\nForwarded: host={own}\r\n")),
        with("gw", "X-Original-URL: /admin/users\r\nX-Rewrite-URL: /admin/users\r\nX-Forwarded-Prefix: /admin\r\n"),
        with("gw", "X-HTTP-Method-Override: GET\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n"),
        with("gw", &format!("Accept: text/event-stream\r\nOrigin: http://{own}\r\nReferer: http://{own}/admin\r\n")),
    ];
    for path in ["/admin/login", "/admin/live", "/admin/fn/users/list", "/admin/fn/session/login", "/pkg/favicon.svg"] {
        for headers in &disguises {
            for method in ["GET", "POST"] {
                let (status, answer) = ask(&server, &format!("{method} {path}"), headers, "");
                assert_eq!(status, 404, "{method} {path} {headers}: {answer}");
            }
        }
        let before_it =
            ["/api/..", "/v1/%2e%2e", "/api/chat/../..", "/livez/..", "/readyz;", "/livez/", "/api//", "/pkg/.."];
        let spellings = spellings(path).into_iter().chain(before_it.map(|before| format!("{before}{path}")));
        for spelling in spellings.chain([format!("http://{own}{path}")]) {
            for method in ["GET", "POST"] {
                let (status, answer) = ask(&server, &format!("{method} {spelling}"), &plain, "");
                assert!(matches!(status, 400 | 404), "{method} {spelling}: {answer}");
            }
        }
    }
    // A header that names another path does not lead there, and "/" is the API's even for browsers.
    for headers in disguises.iter().chain([&plain]) {
        for path in ["/", "/livez", "/readyz", "/api/tags"] {
            let (status, answer) = ask(&server, &format!("GET {path}"), headers, "");
            assert!(status == 200 && !answer.contains("<html") && !answer.contains("/admin"), "{path}: {answer}");
        }
    }
    // The other way round.
    server.address = own.parse().unwrap();
    for path in ["/api/tags", "/api/chat", "/v1/models", "/v1/messages", "/api/status"] {
        for spelling in spellings(path).into_iter().chain([path.to_owned()]) {
            let (status, answer) = ask(&server, &format!("POST {spelling}"), &plain, CHAT);
            let is_pages = matches!(status, 303 | 401 | 403 | 405 | 421) && spelling.starts_with("/admin/");
            assert!(matches!(status, 400 | 404) || is_pages, "{spelling}: {answer}");
        }
    }
    server.stop();
}
