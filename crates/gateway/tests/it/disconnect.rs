//! R10. A client that hangs up frees everything at once, in whatever phase, on every inference endpoint, however it is
//! answered: the backend's connection is closed, every permit is back, and the usage says so with the tokens so far.

use domain::usage::{Outcome, UsageRecord};
use testkit::{Ended, FakeOllama, Fault};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};

use crate::rig::{Plan, Rig, eventually, read_until};

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// NDJSON or server-sent events, by the endpoint.
    Stream,
    Whole,
}

use Form::{Stream, Whole};

const GENERATE: &str = r#"{"model":"llama3.2","prompt":"x"}"#;
const CHAT: &str = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;
const EMBED: &str = r#"{"model":"nomic-embed","input":"x","prompt":"x"}"#;
const TRANSCRIPTION: &str = "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nllama3.2\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--B--\r\n";

/// Every inference endpoint in every form it has.
const CALLS: &[(&str, &str, Form)] = &[
    ("/api/generate", GENERATE, Stream),
    ("/api/generate", r#"{"model":"llama3.2","prompt":"x","stream":false}"#, Whole),
    ("/api/chat", CHAT, Stream),
    ("/api/chat", r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}],"stream":false}"#, Whole),
    ("/api/embed", EMBED, Whole),
    ("/api/embeddings", EMBED, Whole),
    ("/api/show", r#"{"model":"llama3.2"}"#, Whole),
    (
        "/v1/chat/completions",
        r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}],"stream":true}"#,
        Stream,
    ),
    ("/v1/chat/completions", CHAT, Whole),
    ("/v1/completions", r#"{"model":"llama3.2","prompt":"x","stream":true}"#, Stream),
    ("/v1/completions", GENERATE, Whole),
    ("/v1/embeddings", EMBED, Whole),
    ("/v1/responses", r#"{"model":"llama3.2","input":"hi","stream":true}"#, Stream),
    ("/v1/responses", r#"{"model":"llama3.2","input":"hi"}"#, Whole),
    (
        "/v1/messages",
        r#"{"model":"llama3.2","max_tokens":90000,"messages":[{"role":"user","content":"hi"}],"stream":true}"#,
        Stream,
    ),
    ("/v1/messages", r#"{"model":"llama3.2","max_tokens":90000,"messages":[{"role":"user","content":"hi"}]}"#, Whole),
    ("/v1/audio/transcriptions", TRANSCRIPTION, Whole),
];

fn text(rig: &Rig, path: &str, body: &str) -> String {
    let kind = if path.contains("audio") { "multipart/form-data; boundary=B" } else { "application/json" };
    rig.raw_post(path, body).replacen("\r\n", &format!("\r\nContent-Type: {kind}\r\n"), 1)
}

/// One backend, and a key that may have two requests at a time: a place that is not given back is soon missed.
async fn narrow(change: impl FnOnce(&mut Plan)) -> (FakeOllama, Rig) {
    let backend = FakeOllama::builder().models(["llama3.2", "nomic-embed"]).chunks(20).start().await;
    let rig = Rig::with(&[&backend], |plan| {
        plan.policy.concurrent = Some(2);
        change(plan);
    })
    .await;
    (backend, rig)
}

/// The client is gone: what the usage says, after everything is free.
async fn freed(backend: &FakeOllama, rig: &mut Rig) -> UsageRecord {
    let record = rig.record().await;
    assert_eq!(record.outcome, Outcome::ClientGone, "{record:?}");
    backend.wait_for(|seen| seen.open_connections() == 0).await;
    rig.idle().await;
    assert_eq!(rig.gateway.live().waiting, 0);
    record
}

#[tokio::test]
async fn hanging_up_before_the_request_is_whole_reaches_no_backend() {
    let (backend, mut rig) = narrow(|_| ()).await;
    for &(path, body, _) in CALLS {
        let text = text(&rig, path, body);
        drop(rig.raw(&text[..text.len() - 3]).await);
        let record = freed(&backend, &mut rig).await;
        assert_eq!((record.backend, record.ttft_us, record.retries), (None, None, 0), "{path}");
    }
    assert_eq!(backend.requests().iter().filter(|request| request.method == "POST").count(), 0);
}

#[tokio::test]
async fn hanging_up_while_waiting_for_a_slot_reaches_no_backend_and_frees_the_place() {
    let (backend, mut rig) = narrow(|plan| plan.parallel = Some(1)).await;
    backend.hold();
    let running = rig.raw(&text(&rig, "/api/chat", CHAT)).await;
    backend.wait_for(|seen| seen.inference().count() == 1).await;
    for &(path, body, form) in CALLS {
        let waiting = rig.raw(&text(&rig, path, body)).await;
        eventually("it waits", || rig.gateway.live().waiting == 1).await;
        drop(waiting);
        let record = rig.record().await;
        assert_eq!((record.outcome, record.status), (Outcome::ClientGone, 499), "{path} {form:?}");
        assert_eq!((record.backend, record.ttft_us, record.bytes_out), (None, None, 0), "{path} {form:?}");
        eventually("nobody waits", || rig.gateway.live().waiting == 0).await;
    }
    assert_eq!(rig.gateway.in_flight(), 1);
    assert_eq!(backend.requests().iter().filter(|request| request.method == "POST").count(), 1);
    drop(running);
    freed(&backend, &mut rig).await;
    backend.release_all();
    assert_eq!(rig.post("/api/chat", CHAT).await.status, 200);
}

#[tokio::test]
async fn hanging_up_before_the_headers_closes_the_backends_connection() {
    let (backend, mut rig) = narrow(|plan| plan.parallel = Some(1)).await;
    for (number, &(path, body, form)) in CALLS.iter().enumerate() {
        backend.set(|script| script.fault_at(path, Fault::HangBeforeHeaders));
        let posts = |seen: &testkit::Records| seen.requests.iter().filter(|request| request.method == "POST").count();
        let stream = rig.raw(&text(&rig, path, body)).await;
        backend.wait_for(|seen| posts(seen) == number + 1).await;
        assert_eq!(rig.gateway.in_flight(), 1);
        drop(stream);
        let record = freed(&backend, &mut rig).await;
        assert_eq!((record.status, record.bytes_out, record.ttft_us), (499, 0, None), "{path} {form:?}");
        assert!(record.model.is_some() && record.backend.is_some());
        assert_eq!(backend.requests().last().unwrap().ended, Some(Ended::CallerGone));
    }
}

#[tokio::test]
async fn hanging_up_between_frames_closes_the_backends_connection_and_counts_what_came() {
    for &(path, body, _) in CALLS.iter().filter(|(.., form)| *form == Stream) {
        let (backend, mut rig) = narrow(|plan| plan.parallel = Some(1)).await;
        backend.hold();
        let mut stream = rig.raw(&text(&rig, path, body)).await;
        backend.release_chunks(10);
        read_until(&mut stream, "sky").await;
        drop(stream);
        let record = freed(&backend, &mut rig).await;
        assert_eq!(backend.inference_requests()[0].ended, Some(Ended::CallerGone), "{path}");
        assert_eq!(record.status, 200, "{path}");
        assert!(record.bytes_out > 0 && record.ttft_us.is_some());
        assert!(record.tokens_estimated && record.completion_tokens.unwrap() >= 2, "{record:?}");
    }
}

#[tokio::test]
async fn hanging_up_in_the_middle_of_a_whole_answer_closes_the_backends_connection() {
    let (backend, mut rig) = narrow(|plan| plan.parallel = Some(1)).await;
    for &(path, body, _) in CALLS.iter().filter(|(.., form)| *form == Whole) {
        backend.set(|script| script.fault_at(path, Fault::StallAfter(1)));
        let mut stream = rig.raw(&text(&rig, path, body)).await;
        read_until(&mut stream, "\r\n\r\n{").await;
        drop(stream);
        let record = freed(&backend, &mut rig).await;
        assert_eq!(backend.requests().last().unwrap().ended, Some(Ended::CallerGone), "{path}");
        assert_eq!(record.status, 200, "{path}");
        assert!(record.bytes_out > 0 && record.ttft_us.is_some(), "{path}");
    }
}

/// A client that takes next to nothing.
async fn lazy(rig: &Rig, text: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(rig.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn hanging_up_while_the_gateway_writes_closes_the_backends_connection() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    backend.set(|script| script.padding = 16 * 1024);
    let mut rig = Rig::with(&[&backend], |plan| plan.parallel = Some(1)).await;
    let long = |path: &str, body: &str| !body.contains("embed") && !path.contains("show") && !path.contains("audio");
    for &(path, body, form) in CALLS.iter().filter(|(path, body, _)| long(path, body)) {
        // Twice what all sockets on the way may grow to hold; the last events of responses repeat the whole text.
        let chunks = match form {
            Stream if path.contains("responses") => 400,
            Stream => 2_000,
            _ => 600,
        };
        backend.set(|script| script.chunks = chunks);
        let before = backend.inference_requests().len();
        let mut stream = lazy(&rig, &text(&rig, path, body)).await;
        read_until(&mut stream, "sky").await;
        let begun = if form == Stream { 100 } else { 1 };
        backend.wait_for(|seen| seen.inference().nth(before).is_some_and(|request| request.frames >= begun)).await;
        drop(stream);
        let record = freed(&backend, &mut rig).await;
        assert_eq!(record.status, 200, "{path}");
        if form == Stream {
            assert_eq!(backend.inference_requests()[before].ended, Some(Ended::CallerGone), "{path}");
            assert!(record.bytes_out > 0 && record.completion_tokens.is_some_and(|tokens| tokens > 0), "{record:?}");
        }
    }
}
