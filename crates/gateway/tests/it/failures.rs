//! Backends that fail: before the first byte another one or an honest status, after it an error in the stream and a broken
//! connection, never a clean end.

use std::time::Duration;

use domain::{backend::Timeouts, usage::Outcome};
use testkit::{FakeOllama, Fault};

use crate::rig::{Rig, read_to_close};

const GENERATE: &str = r#"{"model":"llama3.2","prompt":"x"}"#;
const OPENAI: &str = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
const OPENAI_RESPONSES: &str = r#"{"model":"llama3.2","input":"hi","stream":true}"#;
const ANTHROPIC: &str =
    r#"{"model":"llama3.2","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}"#;

#[tokio::test]
async fn a_backend_that_refuses_connections_costs_its_clients_nothing() {
    let dead = FakeOllama::builder().models(["llama3.2"]).start().await;
    let alive = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&dead, &alive]).await;
    dead.refuse_connections().await;
    for _ in 0..6 {
        assert_eq!(rig.post("/api/generate", GENERATE).await.status, 200);
    }
    assert_eq!(alive.inference_requests().len(), 6);
    rig.idle().await;
}

#[tokio::test]
async fn without_a_reachable_backend_the_client_is_told_to_come_back() {
    let dead = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::start(&[&dead]).await;
    dead.refuse_connections().await;
    let answer = rig.post("/api/generate", GENERATE).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.body, r#"{"error":"no backend that has this model can be reached, try again in a moment"}"#);
    let record = rig.record().await;
    assert_eq!((record.status, record.outcome), (503, Outcome::UpstreamFailed));
    assert_eq!(
        record.error.as_deref(),
        Some("no backend that has this model can be reached, try again in a moment"),
        "it is kept as it was told"
    );
}

#[tokio::test]
async fn a_backend_that_never_begins_is_given_up_at_the_first_byte_time_out() {
    let hung = FakeOllama::builder()
        .models(["llama3.2"])
        .script(|script| script.fault_at("/api/generate", Fault::HangBeforeHeaders))
        .start()
        .await;
    let mut rig = Rig::with(&[&hung], |plan| plan.settings.first_byte_timeout = Duration::from_millis(50)).await;
    let answer = rig.post("/api/generate", GENERATE).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (504, r#"{"error":"the backend did not begin to answer in time"}"#)
    );
    assert_eq!(rig.record().await.outcome, Outcome::UpstreamFailed);
    assert_eq!(rig.get("/api/tags").await.status, 200);
    hung.wait_for(|seen| seen.inference().all(|request| request.ended.is_some())).await;
    rig.idle().await;
}

#[tokio::test]
async fn a_backends_own_time_outs_go_before_the_settings() {
    let own = Timeouts { first_byte_timeout_s: Some(1), stall_timeout_s: Some(1), ..Timeouts::default() };
    for (fault, end) in [
        (Fault::HangBeforeHeaders, "the backend did not begin to answer in time"),
        (Fault::StallAfter(1), "the backend stopped sending before the end of its answer"),
    ] {
        let script = |script: &mut testkit::Script| script.fault_at("/api/generate", fault.clone());
        let hung = FakeOllama::builder().models(["llama3.2"]).chunks(9).script(script).start().await;
        // The settings' are ten and five minutes.
        let mut rig = Rig::with(&[&hung], |plan| plan.timeouts = vec![own]).await;
        ask(&rig).await;
        let record = rig.record().await;
        assert_eq!((record.outcome, record.error.as_deref()), (Outcome::UpstreamFailed, Some(end)));
        hung.wait_for(|seen| seen.inference().all(|request| request.ended.is_some())).await;
        rig.idle().await;

        rig.change(|plan| {
            plan.settings.first_byte_timeout = Duration::from_millis(50);
            plan.settings.stall_timeout = Duration::from_millis(50);
            plan.timeouts.clear();
        });
        ask(&rig).await;
        let record = rig.record().await;
        assert_eq!(record.error.as_deref(), Some(end), "without one of its own the settings' is in force");
    }

    /// However it ends.
    async fn ask(rig: &Rig) {
        let Ok(answer) = rig.keyed("POST", "/api/generate").body(GENERATE).send().await else { return };
        _ = answer.bytes().await;
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_in_an_error_and_a_broken_connection() {
    for fault in [Fault::CutAfter(2), Fault::ResetAfter(2)] {
        for (path, body, line) in [
            ("/api/generate", GENERATE, "{\"error\":\"the backend broke off before the end of its answer\"}\n"),
            (
                "/v1/chat/completions",
                OPENAI,
                "data: {\"error\":{\"message\":\"the backend broke off before the end of its answer\",\"type\":\"api_error\",\"param\":null,\"code\":null}}\n\n",
            ),
            (
                "/v1/responses",
                OPENAI_RESPONSES,
                "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"the backend broke off before the end of its answer\",\"param\":null,\"sequence_number\":2}\n\n",
            ),
            (
                "/v1/messages",
                ANTHROPIC,
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"the backend broke off before the end of its answer\"}}\n\n",
            ),
        ] {
            let backend = FakeOllama::builder()
                .models(["llama3.2"])
                .chunks(9)
                .script(|script| script.fault_at(path, fault.clone()))
                .start()
                .await;
            let mut rig = Rig::start(&[&backend]).await;
            let mut stream = rig.raw(&rig.raw_post(path, body)).await;
            let text = read_to_close(&mut stream).await;
            assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
            assert!(text.ends_with(&format!("\n{line}\r\n")), "{path} {fault:?}: {text}");
            assert!(
                !text.contains("0\r\n\r\n")
                    && !["[DONE]", "message_stop", "response.completed"].iter().any(|end| text.contains(end)),
                "{text}"
            );
            let record = rig.record().await;
            assert_eq!((record.status, record.outcome), (200, Outcome::UpstreamFailed), "{path}");
            assert_eq!(record.error.as_deref(), Some("the backend broke off before the end of its answer"), "{path}");
            rig.idle().await;
        }
    }
}

#[tokio::test]
async fn a_body_of_known_length_that_is_cut_is_short_and_never_padded() {
    let backend = FakeOllama::builder()
        .models(["llama3.2"])
        .script(|script| script.fault_at("/api/generate", Fault::CutAfter(1)))
        .start()
        .await;
    let mut rig = Rig::start(&[&backend]).await;
    let sent =
        rig.keyed("POST", "/api/generate").body(r#"{"model":"llama3.2","prompt":"x","stream":false}"#).send().await;
    let whole = match sent {
        Ok(response) => response.bytes().await.is_ok(),
        Err(_) => false,
    };
    assert!(!whole);
    assert_eq!(rig.record().await.outcome, Outcome::UpstreamFailed);
    rig.idle().await;
}

#[tokio::test]
async fn a_stream_that_stalls_ends_in_an_error_and_frees_the_backend() {
    let backend = FakeOllama::builder()
        .models(["llama3.2"])
        .chunks(9)
        .script(|script| script.fault_at("/api/generate", Fault::StallAfter(3)))
        .start()
        .await;
    let mut rig = Rig::with(&[&backend], |plan| plan.settings.stall_timeout = Duration::from_millis(50)).await;
    let mut stream = rig.raw(&rig.raw_post("/api/generate", GENERATE)).await;
    let text = read_to_close(&mut stream).await;
    // A slow machine may take longer than the time-out between two frames.
    assert!(text.matches("\"done\":false").count() <= 3, "{text}");
    assert!(text.ends_with("{\"error\":\"the backend stopped sending before the end of its answer\"}\n\r\n"), "{text}");
    let record = rig.record().await;
    assert_eq!(record.outcome, Outcome::UpstreamFailed);
    assert_eq!(record.error.as_deref(), Some("the backend stopped sending before the end of its answer"));
    backend.wait_for(|seen| seen.inference().all(|request| request.ended.is_some())).await;
    rig.idle().await;
}

#[tokio::test]
async fn answers_of_a_backend_pass_whatever_their_status() {
    let body = r#"{"error":"\"x\" does not support thinking"}"#;
    let backend = FakeOllama::builder()
        .models(["llama3.2"])
        .script(|script| script.fault_at("/api/generate", Fault::StatusBody(400, body.into())))
        .start()
        .await;
    let mut rig = Rig::start(&[&backend]).await;
    let answer = rig.post("/api/generate", GENERATE).await;
    assert_eq!((answer.status, answer.body.as_str()), (400, body));
    let record = rig.record().await;
    assert_eq!((record.status, record.outcome, record.completion_tokens), (400, Outcome::Complete, None));
    backend.set(|script| script.fault_at("/api/generate", Fault::Status(503)));
    assert_eq!(rig.post("/api/generate", GENERATE).await.status, 503);
}

#[tokio::test]
async fn a_backends_own_401_is_no_word_to_the_client_about_its_key() {
    let backend = FakeOllama::builder()
        .models(["llama3.2"])
        .script(|script| {
            script.fault_at("/api/generate", Fault::StatusBody(401, r#"{"error":"x","signin_url":"y"}"#.into()))
        })
        .start()
        .await;
    let rig = Rig::start(&[&backend]).await;
    let answer = rig.post("/api/generate", GENERATE).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (502, r#"{"error":"the backend refused the gateway's credentials"}"#)
    );
}

#[tokio::test]
async fn what_is_no_http_is_a_bad_gateway() {
    for text in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    ] {
        let backend = FakeOllama::builder()
            .models(["llama3.2"])
            .script(|script| script.fault_at("/api/generate", Fault::RawBytes(text.into())))
            .start()
            .await;
        let rig = Rig::start(&[&backend]).await;
        let answer = rig.post("/api/generate", GENERATE).await;
        assert_eq!(answer.status, 502, "{text}");
        assert_eq!(answer.header("location"), None);
        rig.idle().await;
    }
}

#[tokio::test]
async fn a_model_that_only_a_compatible_server_has_is_not_asked_for_in_ollamas_own_api() {
    let backend = FakeOllama::builder()
        .models(["llama3.2"])
        .script(|script| script.fault_at("/api/tags", Fault::Status(404)))
        .start()
        .await;
    let rig = Rig::start(&[&backend]).await;
    assert_eq!(rig.post("/v1/chat/completions", OPENAI.replace("llama3.2", "llama3.2:latest")).await.status, 200);
    let answer = rig.post("/api/generate", r#"{"model":"llama3.2:latest","prompt":"x"}"#).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.body,
        r#"{"error":"model 'llama3.2:latest' is on OpenAI-compatible backends only, use the /v1 endpoints"}"#
    );
    assert_eq!(backend.inference_requests().len(), 1);
}

#[tokio::test]
async fn a_model_that_vanished_from_its_backend_is_answered_by_the_backend() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    backend.set(|script| script.models.clear());
    let answer = rig.post("/api/generate", GENERATE).await;
    assert_eq!((answer.status, answer.body.as_str()), (404, r#"{"error":"model 'llama3.2' not found"}"#));
    assert_eq!(backend.inference_requests().len(), 1);
}
