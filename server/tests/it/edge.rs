//! The front of the one port: addresses, health, limits of a request's head, hostile framing.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::harness::{DEADLINE, Home, home_with_key, http};

async fn get(url: String, accept: Option<&str>) -> reqwest::Response {
    let request = http().get(url);
    accept.into_iter().fold(request, |request, accept| request.header("accept", accept)).send().await.unwrap()
}

#[tokio::test]
async fn every_address_has_one_owner() {
    let home = Home::new();
    let server = home.start();
    let root = get(server.url("/"), None).await;
    assert_eq!((root.status().as_u16(), root.text().await.unwrap().as_str()), (200, "Ollama is running"));
    let page = get(server.url("/"), Some("text/html,*/*;q=0.8")).await;
    assert_eq!((page.status().as_u16(), page.headers()["location"].to_str().unwrap()), (302, "/admin"));
    assert_eq!(http().head(server.url("/")).send().await.unwrap().status(), 200);
    for path in ["/livez", "/readyz"] {
        assert_eq!(get(server.url(path), None).await.status(), 200, "{path}");
        assert_eq!(http().post(server.url(path)).send().await.unwrap().status(), 405, "{path}");
    }
    for path in [
        "/nothing",
        "/apis",
        "//api/tags",
        "/%61dmin",
        "/administrator",
        "/manifest.json",
        "/pkg/../Cargo.toml",
        "/admin/../api/tags",
        "/admin/%2e%2e/api/tags",
        "/admin/..%2fapi/tags",
        "/admin/./login",
    ] {
        assert_eq!(
            server.raw(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).get(9..12),
            Some("404"),
            "{path}"
        );
    }
    assert_eq!(get(server.url("/api/tags"), None).await.status(), 401);
    server.stop();
}

/// T25.
#[test]
fn heads_are_bounded() {
    let server = Home::new();
    let server = server.start();
    let status = |head: String| server.raw(head.as_bytes()).get(9..12).unwrap_or("none").to_owned();
    let long = "a".repeat(9 * 1024);
    assert_eq!(status(format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n")), "414");
    let many: String = (0..101).map(|number| format!("x{number}: y\r\n")).collect();
    let most = format!("connection: close\r\n{}", "x: y\r\n".repeat(98));
    assert_eq!(status(format!("GET /livez HTTP/1.1\r\nhost: x\r\n{most}\r\n")), "200");
    assert_eq!(status(format!("GET /livez HTTP/1.1\r\nhost: x\r\n{most}x: y\r\n\r\n")), "431");
    assert_eq!(status(format!("GET /livez HTTP/1.1\r\nhost: x\r\n{many}\r\n")), "431");
    let large = "a".repeat(33 * 1024);
    assert_eq!(status(format!("GET /livez HTTP/1.1\r\nhost: x\r\nx: {large}\r\n\r\n")), "431");
    let endless = "a".repeat(200 * 1024);
    assert_eq!(status(format!("GET /livez HTTP/1.1\r\nhost: x\r\nx: {endless}\r\n\r\n")), "431");
}

#[test]
fn a_head_that_is_refused_is_answered_in_the_callers_dialect() {
    let home = Home::new();
    let server = home.start();
    let many: String = (0..101).map(|number| format!("x{number}: y\r\n")).collect();
    let long = "a".repeat(9 * 1024);
    let too_long = "the address is longer than 8 KiB";
    // More than the HTTP library reads: it is not asked for words, but the caller gets them.
    let flood: String = (0..10_000).map(|number| format!("x{number}: y\r\n")).collect();
    let (unread, invalid) = ("there are too many headers, or they are too large", "this is no valid HTTP/1.1 request");
    for (path, body) in [
        ("/api/chat", r#"{"error":"MESSAGE"}"#),
        (
            "/v1/chat/completions",
            r#"{"error":{"message":"MESSAGE","type":"invalid_request_error","param":null,"code":null}}"#,
        ),
        (
            "/v1/messages",
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"MESSAGE"},"request_id":"req_ID"}"#,
        ),
    ] {
        for (status, message, head) in [
            (431, unread, format!("POST {path} HTTP/1.1\r\nhost: x\r\n{many}\r\n")),
            (414, too_long, format!("POST {path}?{long} HTTP/1.1\r\nhost: x\r\n\r\n")),
            (414, too_long, format!("POST {path}?{} HTTP/1.1\r\nhost: x\r\n\r\n", long.repeat(7))),
            (431, unread, format!("POST {path} HTTP/1.1\r\nhost: x\r\n{flood}\r\n")),
            (431, unread, format!("POST {path} HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", long.repeat(23))),
            (400, invalid, format!("POST {path} HTTP/1.1\r\nhost: x\r\nno header\r\n\r\n")),
        ] {
            let answer = server.raw(head.as_bytes());
            let (head, text) = answer.split_once("\r\n\r\n").unwrap();
            let head = head.to_ascii_lowercase();
            assert!(head.starts_with(&format!("http/1.1 {status} ")), "{path}: {head}");
            assert!(head.contains("content-type: application/json") && head.contains("connection: close"), "{head}");
            assert!(head.contains("\r\ndate: ") && head.matches("content-length: ").count() == 1, "{head}");
            let id = head.split("x-request-id: ").nth(1).unwrap_or_default().get(..16).unwrap_or_default();
            assert_eq!(text, body.replace("MESSAGE", message).replace("ID", id), "{path}");
        }
    }
    server.stop();
}

/// Status lines in what came over a connection.
fn answers(text: &str) -> usize {
    text.match_indices("HTTP/1.1 ")
        .filter(|(at, line)| text[at + line.len()..].starts_with(|c: char| c.is_ascii_digit()))
        .count()
}

#[test]
fn ambiguous_requests_are_refused_and_the_connection_ends() {
    let (home, key) = home_with_key();
    let server = home.start();
    // What follows the first request on the connection must never be taken for a second one.
    let smuggled = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let post = |headers: &str, body: &str| {
        server.raw(
            format!("POST /api/show HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{headers}\r\n{body}")
                .as_bytes(),
        )
    };
    for (what, headers) in [
        ("two lengths", "content-length: 3\r\ncontent-length: 4\r\n"),
        ("a length that is none", "content-length: +3\r\n"),
        ("an unknown coding", "transfer-encoding: gzip\r\n"),
        ("chunked not last", "transfer-encoding: chunked, gzip\r\n"),
    ] {
        let answer = post(headers, smuggled);
        assert!(answer.starts_with("HTTP/1.1 400"), "{what}: {answer}");
        assert_eq!(answers(&answer), 1, "{what}: {answer}");
    }
    let both = post("content-length: 5\r\ntransfer-encoding: chunked\r\n", &format!("0\r\n\r\n{smuggled}"));
    assert_eq!(answers(&both), 1, "length and coding together: {both}");
    let old = server.raw(b"POST /api/show HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    assert!(old.contains(" 400 "), "{old}");
    for head in [
        "GET /api/tags HTTP/1.1\r\n\r\n",
        "GET /api/tags HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET /api/tags HTTP/1.1\r\nhost: a/?\r\n\r\n",
        "GET http://evil.test/api/tags HTTP/1.1\r\nhost: a\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n",
        "GET /api/tags HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = server.raw(head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400") || answer.is_empty(), "{head}: {answer}");
    }
}

/// Something in front may have read it differently, so it is refused wherever it comes in and whatever it asks for.
#[test]
fn an_unclear_host_is_refused_on_every_listener() {
    let home = Home::new().with("ADMIN_LISTEN", "127.0.0.1:0");
    let mut server = home.start();
    let line = server.line();
    let admin =
        line.strip_prefix("The admin pages are at http://").and_then(|rest| rest.strip_suffix("/admin")).unwrap();
    let api = server.address.to_string();
    let ask = |address: &str, path: &str, host: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\n{host}\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let places = [
        (api.as_str(), "/api/tags"),
        (&api, "/v1/models"),
        (&api, "/livez"),
        (admin, "/admin/login"),
        (admin, "/livez"),
    ];
    for (address, path) in places {
        for host in [
            "",
            "Host:\r\n",
            "Host: a b\r\n",
            "Host: a\tb\r\n",
            "Host: a\r\nHost: a\r\n",
            "Host: a\r\nhost: b\r\n",
            "Host: 127.0.0.1\r\nHost: evil.test\r\n",
            "Host: user@a\r\n",
            "Host: user:word@a\r\n",
            "Host: a/\r\n",
            "Host: a/admin\r\n",
            "Host: a?x\r\n",
            "Host: a#x\r\n",
            "Host: a\\b\r\n",
            "Host: http://a\r\n",
            "Host: a:1:2\r\n",
            "Host: a:port\r\n",
            "Host: a:99999\r\n",
            "Host: :1\r\n",
            "Host: [::1\r\n",
            "Host: \u{e9}\r\n",
            "Host : a\r\n",
            "Host: a\r\n b\r\n",
        ] {
            let answer = ask(address, path, host);
            assert!(answer.starts_with("HTTP/1.1 400"), "{path} {host:?}: {answer}");
            assert_eq!(answers(&answer), 1, "{path} {host:?}: {answer}");
            assert!(answer.to_ascii_lowercase().contains("connection: close"), "{path} {host:?}: {answer}");
        }
        for host in ["Host: 127.0.0.1\r\n", "Host: localhost:1\r\n", "Host: [::1]:8080\r\n"] {
            let answer = ask(address, path, &format!("{host}Connection: close\r\n"));
            assert!(
                !answer.starts_with("HTTP/1.1 4") || path.starts_with("/v1") || path.starts_with("/api"),
                "{answer}"
            );
            assert!(!answer.starts_with("HTTP/1.1 400"), "{path} {host:?}: {answer}");
        }
    }
    server.stop();
}

#[test]
fn a_refusal_is_seen_by_a_caller_that_is_still_sending() {
    let home = Home::new();
    let server = home.start();
    let body = "x".repeat(4 << 20);
    let answer = server
        .raw(format!("POST /api/chat HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes());
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[test]
fn a_head_that_never_ends_is_given_up() {
    let home = Home::new();
    let server = home.start();
    let silent = TcpStream::connect(server.address).unwrap();
    let mut slow = TcpStream::connect(server.address).unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nx: ").unwrap();
    for mut stream in [silent, slow] {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn running_out_of_file_descriptors_is_survived() {
    // More than there is room for: what the gateway reckons with by itself is never reached.
    let home = Home::new().with("MAX_CONNECTIONS", "1000");
    let script = "ulimit -n 96 && exec \"$0\" serve";
    let server = home.start_command(home.command_of("sh", &["-c", script, env!("CARGO_BIN_EXE_ollama-fortress")]));
    let crowd: Vec<TcpStream> = (0..150).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    crate::harness::until("the shortage is told", || server.log().contains("cannot accept connections").then_some(()));
    drop(crowd);
    assert!(server.raw(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").starts_with("HTTP/1.1 200"));
    server.stop();
}
