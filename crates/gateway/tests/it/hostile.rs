//! T25, T26: bodies and answers made to exhaust the gateway or to speak in its name. Each is refused, cut or passed within
//! bounds, and the gateway goes on.

use std::time::Duration;

use domain::{backend::BackendState, usage::Outcome};
use testkit::{FakeOllama, Fault};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::rig::{Rig, read, read_to_close, read_until};

const GENERATE: &str = r#"{"model":"llama3.2","prompt":"x"}"#;

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_refused_before_it_is_read() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let ten_gib = 10_u64 << 30;
    let head = rig.raw_post("/api/generate", "").replace("Length: 0", &format!("Length: {ten_gib}"));
    let mut stream = rig.raw(&head).await;
    // Not a byte of the body was sent.
    assert!(read_until(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 413"));
    assert_eq!(backend.inference_requests().len(), 0);
}

#[tokio::test]
async fn a_body_without_end_is_refused_at_the_limit() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::with(&[&backend], |plan| plan.settings.max_body = 100_000).await;
    let head = rig.raw_post("/api/generate", "").replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let mut stream = rig.raw(&head).await;
    // The twenty-fifth chunk passes the limit; the body would go on.
    for _ in 0..25 {
        stream.write_all(format!("1000\r\n{}\r\n", " ".repeat(0x1000)).as_bytes()).await.unwrap();
    }
    assert!(read_until(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 413"));
    assert_eq!(backend.inference_requests().len(), 0);
}

#[tokio::test]
async fn a_body_that_is_nested_without_end_is_a_bad_request() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for path in ["/api/generate", "/v1/chat/completions", "/v1/messages"] {
            assert_eq!(rig.post(path, format!(r#"{{"model":"llama3.2","x":{nested}}}"#)).await.status, 400);
            assert_eq!(rig.post(path, nested.clone()).await.status, 400);
        }
    }
    for coding in ["gzip", "br", "deflate", "zstd, zstd", "identity, gzip"] {
        let request = rig.keyed("POST", "/api/generate").header("content-encoding", coding).body("x");
        assert_eq!(read(request).await.status, 415, "{coding}");
    }
    assert_eq!(backend.inference_requests().len(), 0);
}

async fn answering(raw: String) -> (FakeOllama, Rig) {
    let backend = FakeOllama::builder()
        .models(["llama3.2"])
        .script(|script| script.fault_at("/api/generate", Fault::RawBytes(raw)))
        .start()
        .await;
    let rig = Rig::with(&[&backend], |plan| plan.settings.stall_timeout = Duration::from_secs(5)).await;
    (backend, rig)
}

#[tokio::test]
async fn heads_without_measure_are_a_bad_gateway() {
    let headers: String = (0..100_000).map(|number| format!("X-{number}: y\r\n")).collect();
    for raw in [
        format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 2\r\n\r\n{{}}"),
        format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 2\r\n\r\n{{}}", "y".repeat(1 << 20)),
        "HTTP/1.1 100 Continue\r\n\r\n".repeat(100_000),
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(10_000),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}".into(),
    ] {
        let (_backend, rig) = answering(raw).await;
        let answer = rig.post("/api/generate", GENERATE).await;
        assert_eq!(answer.status, 502, "{answer:?}");
        rig.idle().await;
    }
}

#[tokio::test]
async fn a_flood_of_interim_answers_is_a_bad_gateway() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let flooding = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let tags = "HTTP/1.1 200 OK\r\nContent-Length: 35\r\n\r\n{\"models\":[{\"name\":\"llama3.2:latest\"}]}";
                let asked = read_until(&mut stream, "\r\n\r\n").await;
                if asked.starts_with("GET") {
                    let tags = tags.replace("35", &tags.split("\r\n\r\n").nth(1).unwrap().len().to_string());
                    stream.write_all(tags.replace("OK\r\n", "OK\r\nConnection: close\r\n").as_bytes()).await.unwrap();
                    return;
                }
                let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(100);
                while stream.write_all(interim.as_bytes()).await.is_ok() {}
            });
        }
    });
    let rig = Rig::with(&[], |plan| {
        plan.backends.push(url.parse().unwrap());
    })
    .await;
    assert_eq!(rig.gateway.live().backends[0].state, BackendState::Up, "{:?}", rig.gateway.live());
    let answer = rig.post("/api/generate", GENERATE).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    rig.idle().await;
    flooding.abort();
}

#[tokio::test]
async fn bodies_that_lie_about_their_length_or_chunks_break_off_where_they_break_off() {
    let start = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n";
    for raw in [
        format!("{start}Content-Length: {}\r\n\r\n{{\"response\":\"a\"}}\n", 10_u64 << 30),
        // What it announced must not cut the error short.
        format!("{start}Content-Length: 20\r\n\r\n{{\"response\":\"a\"}}\n"),
        format!("{start}Transfer-Encoding: chunked\r\n\r\n11\r\n{{\"response\":\"a\"}}\n\r\nzz\r\n"),
        format!("{start}Transfer-Encoding: chunked\r\n\r\n11\r\n{{\"response\":\"a\"}}\n\r\nffffffffffffffff1\r\nx"),
    ] {
        let (_backend, mut rig) = answering(raw).await;
        let mut stream = rig.raw(&rig.raw_post("/api/generate", GENERATE)).await;
        let text = read_to_close(&mut stream).await;
        assert!(text.contains("{\"response\":\"a\"}\n"), "{text}");
        assert!(text.contains("{\"error\":\"the backend broke off"), "{text}");
        assert!(!text.ends_with("0\r\n\r\n"), "{text}");
        assert_eq!(rig.record().await.outcome, Outcome::UpstreamFailed);
        rig.idle().await;
    }
}

#[tokio::test]
async fn of_an_answer_that_breaks_in_one_burst_the_client_gets_what_came() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    for raw in [
        format!("{head}Transfer-Encoding: chunked\r\n\r\n8\r\n{{\"a\":1}}\n\r\nzz"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n8\r\n{{\"a\":1}}\n\r\n"),
        format!("{head}Content-Length: 20\r\n\r\n{{\"a\":1}}\n"),
    ] {
        let (_backend, rig) = answering(raw).await;
        for _ in 0..5 {
            let mut stream = rig.raw(&rig.raw_post("/api/generate", GENERATE)).await;
            let text = read_to_close(&mut stream).await;
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("{\"a\":1}"), "{text:?}");
            assert!(!text.ends_with("0\r\n\r\n"), "{text:?}");
        }
        rig.idle().await;
    }
}

#[tokio::test]
async fn a_line_without_end_passes_and_is_not_kept() {
    let length = 32 << 20;
    let raw = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: {length}\r\n\r\n{}",
        "x".repeat(length)
    );
    let (_backend, mut rig) = answering(raw).await;
    let answer = rig.post("/api/generate", GENERATE).await;
    assert_eq!((answer.status, answer.body.len()), (200, length));
    // It never said `done`.
    assert_eq!(rig.record().await.outcome, Outcome::UpstreamFailed);
}

#[tokio::test]
async fn a_list_without_measure_is_no_list() {
    let large = format!(r#"{{"models":[{{"name":"{}"}}]}}"#, "x".repeat(9 << 20));
    let backend = FakeOllama::builder()
        .script(|script| script.fault_at("/api/tags", Fault::StatusBody(200, large)))
        .start()
        .await;
    let rig = Rig::start(&[&backend]).await;
    assert_eq!(rig.gateway.live().backends[0].state, BackendState::Down);
    assert_eq!(rig.get("/api/tags").await.body, r#"{"models":[]}"#);
}

#[tokio::test]
async fn a_backend_cannot_speak_for_the_gateway() {
    let foreign = [
        "Set-Cookie: op_session=evil",
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Credentials: true",
        "Strict-Transport-Security: max-age=1",
        "Server: evil",
        "X-Request-Id: evil",
        "Cache-Control: public",
        "Location: http://evil.test/",
        "WWW-Authenticate: Basic",
        "RateLimit: evil",
        "Alt-Svc: h3",
        "Via: evil",
        "Connection: X-Secret, close",
        "X-Secret: evil",
        "Clear-Site-Data: \"*\"",
        "Refresh: 0",
    ];
    for status in ["200 OK", "400 Bad Request", "503 Busy"] {
        let raw =
            format!("HTTP/1.1 {status}\r\n{}\r\nContent-Length: 13\r\n\r\n{{\"error\":\"x\"}}", foreign.join("\r\n"));
        let (_backend, rig) = answering(raw).await;
        let answer = rig.post("/api/generate", GENERATE).await;
        let mut names: Vec<_> = answer.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        names.retain(|name| *name != "content-type");
        let own = ["cache-control", "content-length", "date", "x-content-type-options"];
        let met = ["x-fortress-queue-ms", "x-fortress-warm", "x-request-id"];
        assert_eq!(names, [&own[..], &met[..]].concat(), "{status}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}
