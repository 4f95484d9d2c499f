//! T08: where a request ends: bytes that two parsers could split differently are an error or one request, and what was hidden in
//! them is never a second one. Raw text against the listener of the rig, which is the HTTP library as the server uses it.

use std::fmt::Write as _;

use testkit::FakeOllama;
use tokio::io::AsyncWriteExt;

use crate::rig::{Rig, read_to_close};

const FIRST: &str = r#"{"model":"llama3.2","prompt":"first","stream":false}"#;
const HIDDEN: &str = r#"{"model":"llama3.2","prompt":"smuggled","stream":false}"#;

/// What must come of a case: one request at the backend, or none and an error to the client.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Want {
    One,
    Error,
}

struct Case {
    want: Want,
    line: String,
    /// Ends in CRLF or is empty.
    headers: String,
    body: String,
}

fn post(want: Want, headers: &str, body: String) -> Case {
    Case { want, line: "POST /api/generate HTTP/1.1".into(), headers: format!("{headers}\r\n"), body }
}

fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// A second call, valid by itself and with a valid key.
fn hidden(key: &str) -> String {
    format!(
        "POST /api/generate HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {key}\r\nContent-Length: {}\r\n\r\n{HIDDEN}",
        HIDDEN.len()
    )
}

/// `Transfer-Encoding` in doubtful spellings, beside a length that covers everything.
fn both_framings(hidden: &str) -> Vec<Case> {
    use Want::{Error, One};
    let payload = chunked(FIRST) + hidden;
    let beside = |(want, header): (Want, &str)| {
        post(want, &format!("Content-Length: {}\r\n{header}", payload.len()), payload.clone())
    };
    let mut cases: Vec<Case> = [
        (One, "Transfer-Encoding: chunked"),
        (One, "transfer-encoding: CHUNKED"),
        (One, "Transfer-Encoding:\tchunked"),
        (One, "Transfer-Encoding: chunked "),
        (One, "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
        (One, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        (One, "X: y\nTransfer-Encoding: chunked"),
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
    ]
    .map(beside)
    .into();
    cases.push(post(One, "Transfer-Encoding: chunked\r\nContent-Length: 4", payload.clone()));
    cases.push(post(One, "Transfer-Encoding: chunked\r\nContent-Length: +5", payload.clone()));
    cases.push(post(Error, "Content-Length: 4\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", payload.clone()));
    cases.push(Case { line: "POST /api/generate HTTP/1.0".into(), ..beside((Error, "Transfer-Encoding: chunked")) });
    cases
}

/// Lengths that are no lengths.
fn lengths(hidden: &str) -> Vec<Case> {
    let (exact, all) = (FIRST.len(), FIRST.len() + hidden.len());
    let mut headers: Vec<String> = [
        "+5",
        "-5",
        "5,5",
        "5, 5",
        "0x34",
        "5e1",
        "5 5",
        "5.0",
        "",
        "\"5\"",
        "99999999999999999999",
        "18446744073709551616",
    ]
    .map(|length| format!("Content-Length: {length}"))
    .into();
    headers.push(format!("Content-Length: {exact}\r\nContent-Length: {all}"));
    headers.push(format!("Content-Length: {all}\r\nContent-Length: {exact}"));
    headers.push(format!("Content-Length : {all}"));
    headers.push(format!("Content-Length: {exact}\r\n 1"));
    let mut cases: Vec<Case> =
        headers.iter().map(|header| post(Want::Error, header, format!("{FIRST}{hidden}"))).collect();
    let twice = format!("Content-Length: {exact}\r\nContent-Length: {exact}");
    cases.push(post(Want::One, &twice, FIRST.into()));
    cases
}

/// Chunks that are no chunks.
fn chunks(hidden: &str) -> Vec<Case> {
    let length = FIRST.len();
    let wrapped = format!("1{length:016x}\r\n{FIRST}\r\n0\r\n\r\n{hidden}");
    let huge = format!("{length:x};a={}\r\n{FIRST}\r\n0\r\n\r\n{hidden}", "b".repeat(64 * 1024));
    let bodies = [
        wrapped,
        huge,
        format!("{length:x};\n{FIRST}\r\n0\r\n\r\n{hidden}"),
        format!("{length:x}\n{FIRST}\n0\n\n{hidden}"),
        format!("+{length:x}\r\n{FIRST}\r\n0\r\n\r\n{hidden}"),
        format!("-{length:x}\r\n{FIRST}\r\n0\r\n\r\n{hidden}"),
        format!("0x{length:x}\r\n{FIRST}\r\n0\r\n\r\n{hidden}"),
        format!("{length:x}_\r\n{FIRST}\r\n0\r\n\r\n{hidden}"),
        format!("\r\n{length:x}\r\n{FIRST}\r\n0\r\n\r\n{hidden}"),
        format!("1\r\n{FIRST}\r\n0\r\n\r\n{hidden}"),
        format!("{length:x}\r\n{FIRST}0\r\n\r\n{hidden}"),
        format!("{length:x}\r\n{FIRST}\r\n0\r\nX: y\r{hidden}\r\n\r\n"),
    ];
    let mut cases: Vec<Case> =
        bodies.into_iter().map(|body| post(Want::Error, "Transfer-Encoding: chunked", body)).collect();
    let extension = format!("{length:x};a=\"b\"\r\n{FIRST}\r\n0\r\n\r\n");
    cases.push(post(Want::One, "Transfer-Encoding: chunked", extension));
    cases
}

/// Heads that name two targets, two versions or another protocol, and refused requests with a body behind them.
fn heads(hidden: &str) -> Vec<Case> {
    use Want::{Error, One};
    let length = format!("Content-Length: {}", FIRST.len());
    let hiding = format!("Content-Length: {}", hidden.len());
    let line = |want, line: &str| Case { line: line.into(), ..post(want, &length, FIRST.into()) };
    let behind = |line: &str| Case { line: line.into(), ..post(Error, &hiding, hidden.into()) };
    vec![
        line(One, "POST http://evil.example/api/generate HTTP/1.1"),
        line(One, "POST /api/generate HTTP/1.0"),
        line(Error, "POST /api/generate HTTP/1.1 HTTP/1.1"),
        line(Error, "POST /api/generate HTTP/2.0"),
        line(Error, "POST /api/generate"),
        line(Error, "POST  /api/generate HTTP/1.1"),
        line(Error, "POST\t/api/generate HTTP/1.1"),
        post(One, &format!("Host: other\r\n{length}"), FIRST.into()),
        post(One, &format!("Connection: upgrade\r\nUpgrade: h2c\r\n{length}"), FIRST.into()),
        post(Error, &format!("{length}\r\n: x"), FIRST.into()),
        post(Error, &hiding, hidden.into()),
        behind("POST /api/pull HTTP/1.1"),
        behind("POST /api/nope HTTP/1.1"),
        behind("PUT /api/generate HTTP/1.1"),
        behind("GET /api/generate HTTP/1.1"),
        behind("GET /api/tags/ HTTP/1.1"),
    ]
}

#[tokio::test]
async fn doubtful_framing_is_an_error_or_one_request_and_never_a_second_one() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let hidden = hidden(&rig.key);
    // Answered by the gateway itself; it ends connections that are still open.
    let last = format!(
        "GET /api/status HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        rig.key
    );
    let tables = [both_framings(&hidden), lengths(&hidden), chunks(&hidden), heads(&hidden)];
    for case in tables.into_iter().flatten() {
        let Case { want, line, headers, body } = case;
        let what = format!("{line}\n{headers}{}", &body[..body.len().min(120)]);
        let mut text = String::new();
        write!(text, "{line}\r\nHost: gw\r\nAuthorization: Bearer {}\r\n{headers}\r\n{body}{last}", rig.key).unwrap();
        let mut stream = rig.raw("").await;
        let before = backend.inference_requests().len();
        // The gateway may close before it has read all of it.
        let _ = stream.write_all(text.as_bytes()).await;
        let answer = read_to_close(&mut stream).await;
        let reached = backend.inference_requests().split_off(before);
        assert_eq!(reached.len(), usize::from(want == Want::One), "{what}\n{answer}");
        assert!(reached.iter().all(|request| request.json()["prompt"] == "first"), "{what}");
        let expected = if want == Want::One { " 200" } else { " 4" };
        let status = answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(1..)).unwrap_or_default();
        assert!(status.starts_with(expected), "{what}\n{answer}");
    }
}
