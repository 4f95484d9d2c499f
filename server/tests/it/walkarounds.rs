//! T03, T04, T06, T07: other spellings of a path, other methods, other hosts and other targets against the running program.
//! None of them comes round the key, the table of endpoints, or the choice of the backend.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use testkit::FakeOllama;

use crate::harness::{DEADLINE, Home, Server, home_with_key, until_listed};

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
