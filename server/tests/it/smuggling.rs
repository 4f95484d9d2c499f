//! T08: bytes that two parsers could split differently, against the running program. Each is an error and the end of its
//! connection, or exactly one request; what hides behind it never reaches a backend, whatever it is called.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream,
};

use testkit::FakeOllama;

use crate::harness::{DEADLINE, Server, home_with_key, until_listed};

const FIRST: &str = r#"{"model":"llama3.2","prompt":"first","stream":false}"#;
/// Stands in every hidden request: in its path and in its prompt.
const NONCE: &str = "smuggled-6f1d";

/// What must come of a case.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Want {
    /// The first request is answered, and nothing else.
    One,
    /// 4xx, and the connection ends.
    Error,
}
use Want::{Error, One};

/// Verdict, request line, headers (each with its line end) and body.
type Case = (Want, String, String, String);

fn post(want: Want, headers: &str, body: impl Into<String>) -> Case {
    (want, "POST /api/generate HTTP/1.1\r\nHost: gw\r\n".into(), format!("{headers}\r\n"), body.into())
}

fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// Two calls that would be served by themselves: one that a backend would see by its prompt, one by its path.
fn hidden(key: &str) -> String {
    let body = format!(r#"{{"model":"llama3.2","prompt":"{NONCE}","stream":false}}"#);
    let head = |line: &str, length| {
        format!("{line} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\nContent-Length: {length}\r\n\r\n")
    };
    format!("{}{body}{}", head("POST /api/generate", body.len()), head(&format!("GET /{NONCE}"), 0))
}

fn transfer_encodings(hidden: &str) -> Vec<Case> {
    let payload = chunked(FIRST) + hidden;
    let both = |(want, header): (Want, &str)| {
        post(want, &format!("Content-Length: {}\r\n{header}", payload.len()), payload.clone())
    };
    let alone = |(want, header): (Want, &str)| post(want, header, payload.clone());
    let beside_a_length = [
        (One, "Transfer-Encoding: chunked"),
        (One, "transfer-encoding: CHUNKED"),
        (One, "Transfer-Encoding:\tchunked"),
        (One, "Transfer-Encoding: chunked "),
        (One, "X: y\nTransfer-Encoding: chunked"),
        (Error, "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
        (Error, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        (Error, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
        (Error, "Transfer-Encoding: chunked, identity"),
        (Error, "Transfer-Encoding: identity"),
        (Error, "Transfer-Encoding: xchunked"),
        (Error, "Transfer-Encoding: chunked;q=1"),
        (Error, "Transfer-Encoding: \"chunked\""),
        (Error, "Transfer-Encoding: chunked\u{b}"),
        (Error, "Transfer-Encoding: \0chunked"),
        (Error, "Transfer-Encoding : chunked"),
        (Error, "Transfer_Encoding: chunked"),
        (Error, "X: y\r\n Transfer-Encoding: chunked"),
        (Error, "Transfer-Encoding:\r\n chunked"),
        (Error, "X: y\rTransfer-Encoding: chunked"),
    ];
    let without_a_length = [
        (One, "Transfer-Encoding: chunked\r\nConnection: close"),
        (Error, "Transfer-Encoding: gzip, chunked"),
        (Error, "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"),
        (Error, "Transfer-Encoding: chunked, chunked"),
        (Error, "Transfer-Encoding: , chunked"),
        (Error, "Transfer-Encoding: chunked,"),
        (Error, "Transfer-Encoding: deflate;chunked"),
        (Error, "Transfer-Encoding:"),
    ];
    let mut cases: Vec<Case> = beside_a_length.map(both).into();
    cases.extend(without_a_length.map(alone));
    cases.push(post(One, "Transfer-Encoding: chunked\r\nContent-Length: 4", payload.clone()));
    cases.push(post(One, "Transfer-Encoding: chunked\r\nContent-Length: +5", payload.clone()));
    cases.push(post(Error, "Content-Length: 4\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", payload.clone()));
    let old = |want, header: &str| {
        let (_, _, headers, body) = post(want, header, payload.clone());
        (want, "POST /api/generate HTTP/1.0\r\nHost: gw\r\n".to_owned(), headers, body)
    };
    cases.push(old(Error, "Transfer-Encoding: chunked"));
    cases.push(old(Error, "Transfer-Encoding: chunked\r\nConnection: keep-alive"));
    cases.push(old(Error, &format!("Content-Length: {}\r\nTransfer-Encoding: chunked", payload.len())));
    cases
}

fn lengths(hidden: &str) -> Vec<Case> {
    let (exact, all) = (FIRST.len(), FIRST.len() + hidden.len());
    let odd = ["+5", "-5", "5,5", "5, 5", "0x34", "5e1", "5 5", "5.0", "", "\"5\"", "\u{665}"];
    let huge = ["18446744073709551616", "99999999999999999999"];
    let mut headers: Vec<String> = odd.iter().chain(&huge).map(|length| format!("Content-Length: {length}")).collect();
    headers.extend([
        format!("Content-Length: {exact}\r\nContent-Length: {all}"),
        format!("Content-Length: {all}\r\nContent-Length: {exact}"),
        format!("Content-Length : {all}"),
        format!("Content-Length: {exact}\r\n 1"),
        format!("Content-Length\0: {all}"),
    ]);
    let mut cases: Vec<Case> = headers.iter().map(|header| post(Error, header, format!("{FIRST}{hidden}"))).collect();
    let twice = format!("Content-Length: {exact}\r\nContent-Length: {exact}");
    cases.push(post(One, &twice, FIRST));
    cases.push(post(One, &format!("{twice}\r\nConnection: close"), FIRST));
    cases
}

fn chunks(hidden: &str) -> Vec<Case> {
    let length = FIRST.len();
    let end = format!("\r\n0\r\n\r\n{hidden}");
    let mut cases: Vec<Case> = [
        format!("1{length:016x}\r\n{FIRST}{end}"),
        format!("{length:x};a={}\r\n{FIRST}{end}", "b".repeat(64 * 1024)),
        format!("{length:x};\n{FIRST}{end}"),
        format!("{length:x}\n{FIRST}\n0\n\n{hidden}"),
        format!("+{length:x}\r\n{FIRST}{end}"),
        format!("-{length:x}\r\n{FIRST}{end}"),
        format!("0x{length:x}\r\n{FIRST}{end}"),
        format!("{length:x}_\r\n{FIRST}{end}"),
        format!("\r\n{length:x}\r\n{FIRST}{end}"),
        format!("1\r\n{FIRST}{end}"),
        format!("{length:x}\r\n{FIRST}0\r\n\r\n{hidden}"),
        format!("{length:x}\r\n{FIRST}\r\n0\r\nX: y\r{hidden}\r\n\r\n"),
    ]
    .map(|body| post(Error, "Transfer-Encoding: chunked", body))
    .into();
    // A small extension is nobody's business.
    let extended = format!("{length:x};a=\"b\"\r\n{FIRST}\r\n0\r\n\r\n");
    cases.push(post(One, "Transfer-Encoding: chunked", extended));
    cases
}

fn heads(hidden: &str) -> Vec<Case> {
    let length = format!("Content-Length: {}", FIRST.len());
    let hiding = format!("Content-Length: {}", hidden.len());
    let with = |want, line: &str, header: &str| {
        (want, format!("{line}\r\nHost: gw\r\n"), format!("{length}\r\n{header}"), format!("{FIRST}{hidden}"))
    };
    let behind = |line: &str| (Error, format!("{line}\r\nHost: gw\r\n"), format!("{hiding}\r\n"), hidden.to_owned());
    vec![
        with(Error, "POST http://evil.example/api/generate HTTP/1.1", ""),
        with(Error, "POST /api/generate HTTP/1.1 HTTP/1.1", ""),
        with(Error, "POST /api/generate HTTP/2.0", ""),
        with(Error, "POST /api/generate", ""),
        with(Error, "POST  /api/generate HTTP/1.1", ""),
        with(Error, "POST\t/api/generate HTTP/1.1", ""),
        with(Error, "CONNECT gw:80 HTTP/1.1", ""),
        with(Error, "CONNECT /api/generate HTTP/1.1", ""),
        with(Error, "POST /api/generate HTTP/1.1", "Host: other\r\n"),
        with(Error, "POST /api/generate HTTP/1.1", ": x\r\n"),
        with(Error, "POST /api/generate HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket\r\n"),
        with(Error, "POST /api/generate HTTP/1.1", "Upgrade: TLS/1.0\r\n"),
        with(Error, "POST /api/generate HTTP/1.1", "Upgrade: h2c, websocket\r\n"),
        // Java's client offers it with every request; it is not taken, and what follows is a request as any other.
        post(One, &format!("{length}\r\nConnection: upgrade\r\nUpgrade: h2c"), FIRST),
        with(One, "POST /api/generate HTTP/1.1", "Connection: close\r\n"),
        with(One, "POST /api/generate HTTP/1.0", ""),
        behind("POST /api/generate HTTP/1.1"),
        behind("GET /api/generate HTTP/1.1"),
        behind("POST /api/pull HTTP/1.1"),
        behind("POST /api/nope HTTP/1.1"),
        behind("PUT /api/generate HTTP/1.1"),
        behind("GET /api/tags/ HTTP/1.1"),
        behind("POST /livez HTTP/1.1"),
        behind("POST /nowhere HTTP/1.1"),
    ]
}

/// What the server answers until it closes the connection; a reset after the last byte is a close too.
fn exchange(server: &Server, text: &str) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let _ = stream.write_all(text.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn doubtful_framing_is_an_error_or_one_request_and_never_a_second_one() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let (home, key) = home_with_key();
    home.ok(&["backend", "add", "--name", "b", "--url", &backend.base()]);
    let server = home.start();
    until_listed(&server, &key, "llama3.2").await;
    let hidden = hidden(&key);
    let tables = [transfer_encodings(&hidden), lengths(&hidden), chunks(&hidden), heads(&hidden)];
    let cases: Vec<Case> = tables.into_iter().flatten().collect();
    assert!(cases.len() >= 60, "{}", cases.len());
    for (want, line, headers, body) in cases {
        let what = format!("{line}{headers}{}", &body[..body.len().min(120)]);
        let mut text = String::new();
        write!(text, "{line}Authorization: Bearer {key}\r\n{headers}\r\n{body}").unwrap();
        // Ends connections on which the server rightly waits for a next request.
        write!(text, "GET /livez HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n").unwrap();
        let before = backend.inference_requests().len();
        let answer = exchange(&server, &text);
        let reached = backend.inference_requests().split_off(before);
        assert_eq!(reached.len(), usize::from(want == One), "{what}\n{answer}");
        assert!(reached.iter().all(|request| request.json()["prompt"] == "first"), "{what}");
        let status = answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).unwrap_or_default();
        assert!(status.starts_with(if want == One { "200" } else { "4" }), "{what}\n{answer}");
        assert!(!answer.contains(NONCE), "{what}\n{answer}");
    }
    let seen = backend.requests();
    assert!(seen.iter().all(|request| !request.path.contains(NONCE)));
    assert!(seen.iter().all(|request| !String::from_utf8_lossy(&request.body).contains(NONCE)));
    server.stop();
}
