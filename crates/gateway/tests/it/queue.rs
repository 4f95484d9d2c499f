//! Waiting for a slot, seen from outside: nobody is refused while there is room to wait, each key gets its turn, and the
//! caller is told what it met.

use std::time::Duration;

use domain::usage::Outcome;
use serde_json::Value;
use testkit::{Ended, FakeOllama};

use crate::rig::{Rig, eventually, read, read_until, second_key};

const CHAT: &str = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;

/// A held backend with one slot, and a request in it.
async fn busy(change: impl FnOnce(&mut crate::rig::Plan)) -> (FakeOllama, Rig, tokio::net::TcpStream) {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(2).held().start().await;
    let rig = Rig::with(&[&backend], |plan| {
        plan.parallel = Some(1);
        change(plan);
    })
    .await;
    let first = rig.raw(&rig.raw_post("/api/chat", CHAT)).await;
    backend.wait_for(|seen| seen.inference().count() == 1).await;
    (backend, rig, first)
}

#[tokio::test]
async fn whoever_finds_every_slot_taken_waits_and_is_served() {
    let (backend, mut rig, first) = busy(|_| ()).await;
    let second = tokio::spawn(read(rig.keyed("POST", "/api/chat").body(CHAT)));
    eventually("one waits", || rig.gateway.live().waiting == 1).await;
    assert_eq!(backend.inference_requests().len(), 1, "the bound holds");
    let place: Value = serde_json::from_str(&rig.get("/fortress/v1/queue").await.body).unwrap();
    let place = &place["requests"][0];
    assert_eq!((&place["position"], &place["model"]), (&1.into(), &"llama3.2:latest".into()), "{place}");
    backend.release_all();
    let answer = second.await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.header("x-fortress-queue-ms").is_some(), "{:?}", answer.headers);
    drop(first);
    let records = [rig.record().await, rig.record().await];
    assert!(records.iter().any(|record| record.queue_us > 0), "{records:?}");
    assert!(records.iter().any(|record| record.queue_us == 0), "{records:?}");
    let places: Value = serde_json::from_str(&rig.get("/fortress/v1/queue").await.body).unwrap();
    assert_eq!(places["requests"], serde_json::json!([]));
    rig.idle().await;
}

#[tokio::test]
async fn waiting_ends_with_503_and_a_time_to_come_back() {
    let (_backend, mut rig, _first) = busy(|plan| plan.settings.queue_timeout = Duration::from_millis(20)).await;
    let answer = rig.post("/api/chat", CHAT).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().unwrap() >= 1));
    assert!(answer.body.contains("busy"), "{}", answer.body);
    let record = rig.record().await;
    assert_eq!((record.outcome, &record.backend), (Outcome::Refused, &None));
    assert!(record.queue_us >= 20_000, "{record:?}");
}

#[tokio::test]
async fn a_queue_without_places_refuses_at_once_in_the_callers_dialect() {
    let (_backend, rig, _first) = busy(|plan| plan.settings.queue_max = 0).await;
    let answer = rig.post("/v1/chat/completions", CHAT).await;
    assert_eq!(answer.status, 503);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["error"]["code"], "queue_full", "{body}");
}

#[tokio::test]
async fn a_client_that_leaves_the_queue_reaches_no_backend() {
    let (backend, mut rig, _first) = busy(|_| ()).await;
    let second = rig.raw(&rig.raw_post("/api/chat", CHAT)).await;
    eventually("one waits", || rig.gateway.live().waiting == 1).await;
    drop(second);
    let record = rig.record().await;
    assert_eq!((record.outcome, record.status, record.backend), (Outcome::ClientGone, 499, None));
    eventually("nobody waits", || rig.gateway.live().waiting == 0).await;
    assert_eq!(backend.inference_requests().len(), 1);
}

#[tokio::test]
async fn a_revoked_keys_requests_leave_the_queue() {
    let (_backend, mut rig, _first) = busy(|_| ()).await;
    let mut second = rig.raw(&rig.raw_post("/api/chat", CHAT)).await;
    eventually("one waits", || rig.gateway.live().waiting == 1).await;
    rig.change(|plan| plan.status = domain::key::KeyStatus::Revoked);
    assert!(read_until(&mut second, "\r\n\r\n").await.starts_with("HTTP/1.1 401"));
    eventually("nobody waits", || rig.gateway.live().waiting == 0).await;
}

#[tokio::test]
async fn one_keys_flood_does_not_hold_up_another_keys_request() {
    let (backend, rig, first) = busy(|_| ()).await;
    let flood: Vec<_> = (0..20).map(|_| tokio::spawn(read(rig.keyed("POST", "/api/chat").body(CHAT)))).collect();
    eventually("the flood waits", || rig.gateway.live().waiting == 20).await;
    let quiet = rig.request("POST", "/api/chat").bearer_auth(second_key()).body(CHAT);
    let quiet = tokio::spawn(read(quiet));
    eventually("all wait", || rig.gateway.live().waiting == 21).await;
    // The slot is given on as often as two frames and the end have passed.
    backend.release_all();
    assert_eq!(quiet.await.unwrap().status, 200);
    let before = backend.inference_requests().len();
    for answer in flood {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert!(before <= 8, "{before} requests were sent before the other key's was answered");
    drop(first);
    rig.idle().await;
}

#[tokio::test]
async fn a_raised_bound_is_in_force_for_those_who_wait_already() {
    let (backend, mut rig, _first) = busy(|_| ()).await;
    let _second = rig.raw(&rig.raw_post("/api/chat", CHAT)).await;
    eventually("one waits", || rig.gateway.live().waiting == 1).await;
    rig.change(|plan| plan.parallel = Some(2));
    backend.wait_for(|seen| seen.inference().count() == 2).await;
    assert_eq!(rig.gateway.live().waiting, 0);
}

#[tokio::test]
async fn shutting_down_ends_those_who_wait() {
    let (backend, rig, mut first) = busy(|_| ()).await;
    let mut second = rig.raw(&rig.raw_post("/api/chat", CHAT)).await;
    eventually("one waits", || rig.gateway.live().waiting == 1).await;
    rig.gateway.cancel_all();
    assert!(read_until(&mut second, "\r\n\r\n").await.starts_with("HTTP/1.1 503"));
    assert!(read_until(&mut first, "\r\n\r\n").await.starts_with("HTTP/1.1 503"));
    backend.wait_for(|seen| seen.inference().all(|request| request.ended == Some(Ended::CallerGone))).await;
    drop(first);
    rig.idle().await;
}

#[tokio::test]
async fn every_place_needs_a_key_and_shows_its_own_requests_only() {
    let (_backend, rig, _first) = busy(|_| ()).await;
    let _second = rig.raw(&rig.raw_post("/api/chat", CHAT)).await;
    eventually("one waits", || rig.gateway.live().waiting == 1).await;
    assert_eq!(read(rig.request("GET", "/fortress/v1/queue")).await.status, 401);
    let other = read(rig.request("GET", "/fortress/v1/queue").bearer_auth(second_key())).await;
    assert_eq!((other.status, other.body.as_str()), (200, r#"{"requests":[]}"#));
    assert_eq!(read(rig.keyed("POST", "/fortress/v1/queue")).await.status, 405);
    assert_eq!(read(rig.keyed("GET", "/fortress/v1/queues")).await.status, 404);
}
