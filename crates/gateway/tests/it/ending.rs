//! Requests that the gateway itself ends: all of them at the drain deadline, those of a key when it is revoked, those from
//! an address that may not call any more.

use domain::{key::KeyStatus, network::Networks, usage::Outcome};
use testkit::{Ended, FakeOllama};

use crate::rig::{Rig, read_to_close, read_until};

const GENERATE: &str = r#"{"model":"llama3.2","prompt":"x"}"#;

#[tokio::test]
async fn a_shut_down_ends_streams_with_an_error_and_waiting_requests_with_a_status() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(8).held().start().await;
    let mut rig = Rig::start(&[&backend]).await;
    let mut streaming = rig.raw(&rig.raw_post("/api/generate", GENERATE)).await;
    backend.release_chunk();
    read_until(&mut streaming, "\"done\":false").await;
    let mut waiting = rig.raw(&rig.raw_post("/api/generate", GENERATE)).await;
    backend.wait_for(|seen| seen.inference().count() == 2).await;
    rig.gateway.cancel_all();
    assert!(read_to_close(&mut streaming).await.ends_with("{\"error\":\"the gateway is shutting down\"}\n\r\n"));
    assert!(read_until(&mut waiting, "shutting down").await.starts_with("HTTP/1.1 503"));
    for _ in 0..2 {
        assert_eq!(rig.record().await.outcome, Outcome::ShutDown);
    }
    backend.wait_for(|seen| seen.inference().all(|request| request.ended == Some(Ended::CallerGone))).await;
    assert_eq!(rig.post("/api/generate", GENERATE).await.status, 503);
    rig.idle().await;
}

/// T11.
#[tokio::test]
async fn a_revoked_key_loses_its_running_streams_and_every_later_request() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(8).held().start().await;
    let mut rig = Rig::start(&[&backend]).await;
    let mut streaming = rig.raw(&rig.raw_post("/api/generate", GENERATE)).await;
    backend.release_chunk();
    read_until(&mut streaming, "\"done\":false").await;
    rig.change(|plan| plan.settings.max_body += 1);
    backend.release_chunk();
    read_until(&mut streaming, "\"done\":false").await;
    rig.change(|plan| plan.status = KeyStatus::Revoked);
    assert_eq!(rig.post("/api/generate", GENERATE).await.status, 401);
    assert!(read_to_close(&mut streaming).await.ends_with("{\"error\":\"the API key is no longer valid\"}\n\r\n"));
    assert_eq!(rig.record().await.outcome, Outcome::Refused);
    rig.idle().await;
}

/// A stream that has begun; what comes of it.
async fn begin(rig: &Rig, backend: &FakeOllama) -> tokio::net::TcpStream {
    let mut streaming = rig.raw(&rig.raw_post("/api/generate", GENERATE)).await;
    backend.release_chunk();
    read_until(&mut streaming, "\"done\":false").await;
    streaming
}

const CUT: &str = "{\"error\":\"requests from this address are no longer accepted\"}\n\r\n";

#[tokio::test]
async fn an_address_that_is_denied_loses_its_running_streams() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(8).held().start().await;
    let mut rig = Rig::start(&[&backend]).await;
    let mut streaming = begin(&rig, &backend).await;
    // Lists that keep others out end nothing.
    rig.change(|plan| plan.settings.doors.denied = Networks::parse("192.0.2.0/24").unwrap());
    backend.release_chunk();
    read_until(&mut streaming, "\"done\":false").await;
    let mut waiting = rig.raw(&rig.raw_post("/api/generate", GENERATE)).await;
    backend.wait_for(|seen| seen.inference().count() == 2).await;
    rig.change(|plan| plan.settings.doors.denied = Networks::parse("127.0.0.0/8").unwrap());
    assert!(read_to_close(&mut streaming).await.ends_with(CUT));
    assert!(read_until(&mut waiting, "from this address").await.starts_with("HTTP/1.1 403"));
    for _ in 0..2 {
        assert_eq!(rig.record().await.outcome, Outcome::Refused);
    }
    backend.wait_for(|seen| seen.inference().all(|request| request.ended == Some(Ended::CallerGone))).await;
    rig.idle().await;
}

#[tokio::test]
async fn a_key_whose_networks_leave_an_address_out_loses_the_streams_from_there() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(8).held().start().await;
    let networks = |text: &str| Networks::parse(text).unwrap();
    for of_user in [false, true] {
        let mut rig = Rig::with(&[&backend], |plan| plan.policy.networks = networks("127.0.0.0/8, ::1")).await;
        let mut streaming = begin(&rig, &backend).await;
        rig.change(|plan| plan.policy.networks = networks("127.0.0.1"));
        backend.release_chunk();
        read_until(&mut streaming, "\"done\":false").await;
        rig.change(|plan| {
            let policy = if of_user { &mut plan.user_policy } else { &mut plan.policy };
            policy.networks = networks("10.0.0.0/8");
        });
        assert!(read_to_close(&mut streaming).await.ends_with(CUT), "of the user: {of_user}");
        assert_eq!(rig.record().await.outcome, Outcome::Refused);
        assert_eq!(rig.post("/api/generate", GENERATE).await.status, 403);
        rig.idle().await;
    }
}
