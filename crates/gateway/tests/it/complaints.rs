//! Errors that backends answer: byte for byte where they are in the caller's dialect, told in it where they are not, always
//! with their status, and never without bound.

use std::time::Duration;

use domain::usage::Outcome;
use testkit::{FakeOllama, Fault};

use crate::rig::{Answer, Rig};

const OLLAMA: &str = r#"{"error":"model is overloaded"}"#;
const OPENAI: &str = "{\"error\": {\"message\":\"model is overloaded\",\"type\":\"x\",\"code\":7}}\n";
const ANTHROPIC: &str = r#"{"type":"error","error":{"type":"overloaded_error","message":"model is overloaded"}}"#;
const PAGE: &str =
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center>nginx</center></body></html>";

/// Path, and a body that is answered with success there.
const CALLS: [(&str, &str); 3] = [
    ("/api/generate", r#"{"model":"llama3.2","prompt":"x"}"#),
    ("/v1/chat/completions", r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}],"stream":true}"#),
    (
        "/v1/messages",
        r#"{"model":"llama3.2","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}"#,
    ),
];

/// An error of each dialect, as the gateway writes it.
fn told(path: &str, message: &str, openai: &str, anthropic: &str, answer: &Answer) -> String {
    let message = serde_json::json!(message);
    match path {
        "/api/generate" => format!(r#"{{"error":{message}}}"#),
        "/v1/chat/completions" => {
            format!(r#"{{"error":{{"message":{message},"type":"{openai}","param":null,"code":null}}}}"#)
        }
        _ => format!(
            r#"{{"type":"error","error":{{"type":"{anthropic}","message":{message}}},"request_id":"req_{}"}}"#,
            answer.header("x-request-id").unwrap()
        ),
    }
}

async fn fleet() -> (FakeOllama, Rig) {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    (backend, rig)
}

/// What the client of `path` gets when the backend writes `raw`.
async fn answer_to(backend: &FakeOllama, rig: &Rig, path: &str, body: &'static str, raw: String) -> Answer {
    backend.set(|script| script.fault_at(path, Fault::RawBytes(raw)));
    let answer = rig.post(path, body).await;
    rig.idle().await;
    answer
}

fn raw(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn an_error_in_the_callers_dialect_passes_byte_for_byte() {
    let (backend, mut rig) = fleet().await;
    for ((path, call), own) in CALLS.into_iter().zip([OLLAMA, OPENAI, ANTHROPIC]) {
        let answer = answer_to(&backend, &rig, path, call, raw("503 Busy", "Content-Type: text/x\r\n", own)).await;
        assert_eq!((answer.status, answer.body.as_str()), (503, own));
        assert_eq!(answer.header("content-type"), Some("text/x"));
        let record = rig.record().await;
        assert_eq!((record.status, record.bytes_out), (503, own.len() as u64));
        assert_eq!((record.outcome, record.completion_tokens), (Outcome::Complete, None));
        assert_eq!(record.error.as_deref(), Some("model is overloaded"));
    }
}

#[tokio::test]
async fn an_error_in_another_dialect_is_retold_with_its_status_and_message() {
    for (path, call) in CALLS {
        for foreign in [OLLAMA, OPENAI, ANTHROPIC] {
            // Anew, because whoever says so often that it is busy is left alone.
            let (backend, rig) = fleet().await;
            let answer = answer_to(&backend, &rig, path, call, raw("503 Busy", "Retry-After: 7\r\n", foreign)).await;
            let expected = told(path, "model is overloaded", "api_error", "overloaded_error", &answer);
            let own = match path {
                "/v1/chat/completions" => foreign != OLLAMA,
                _ => [("/api/generate", OLLAMA), ("/v1/messages", ANTHROPIC)].contains(&(path, foreign)),
            };
            if !own {
                assert_eq!((answer.status, &answer.body), (503, &expected), "{path} {foreign}");
                assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
            }
            assert_eq!(answer.header("retry-after"), Some("7"));
        }
    }
}

#[tokio::test]
async fn what_stands_in_front_of_a_backend_speaks_to_clients_in_their_dialect() {
    let (backend, rig) = fleet().await;
    for (path, call) in CALLS {
        for (status, headers, body, message) in [
            ("502 Bad Gateway", "Content-Type: text/html\r\n", PAGE, "the backend answered 502 Bad Gateway"),
            ("502 Bad Gateway", "", "", "the backend answered 502 Bad Gateway"),
            ("502 Bad Gateway", "Content-Encoding: gzip\r\n", "\u{1f}gzip", "the backend answered 502 Bad Gateway"),
            ("500 Oh", "Content-Type: text/plain\r\n", "upstream connect error\n", "upstream connect error"),
            ("500 Oh", "", r#"{"detail":"out of memory"}"#, "out of memory"),
        ] {
            let answer = answer_to(&backend, &rig, path, call, raw(status, headers, body)).await;
            assert_eq!(answer.status.to_string(), status[..3]);
            assert_eq!(answer.body, told(path, message, "api_error", "api_error", &answer), "{path} {body}");
            assert_eq!(answer.header("content-encoding"), None);
        }
        let answer = answer_to(&backend, &rig, path, call, raw("404 Not Found", "", "404 page not found")).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.body, told(path, "404 page not found", "not_found_error", "not_found_error", &answer));
    }
}

#[tokio::test]
async fn an_error_without_end_is_cut_and_keeps_its_status() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::with(&[&backend], |plan| plan.settings.stall_timeout = Duration::from_millis(50)).await;
    let (path, call) = CALLS[0];
    let large = format!(r#"{{"error":"{}"}}"#, "x".repeat(1 << 20));
    let cut = raw("500 Oh", "", OLLAMA).replace("Content-Length: ", "Content-Length: 1");
    for text in [raw("500 Oh", "", &large), cut] {
        let answer = answer_to(&backend, &rig, path, call, text).await;
        let expected = r#"{"error":"the backend answered 500 Internal Server Error"}"#;
        assert_eq!((answer.status, answer.body.as_str()), (500, expected));
    }
    backend.set(|script| {
        script.heal();
        script.models.clear();
        script.fault_at(path, Fault::StallAfter(1));
    });
    let answer = rig.post(path, call).await;
    assert_eq!((answer.status, answer.body.as_str()), (404, r#"{"error":"the backend answered 404 Not Found"}"#));
    backend.wait_for(|seen| seen.inference().all(|request| request.ended.is_some())).await;
    rig.idle().await;
}
