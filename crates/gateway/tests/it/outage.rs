//! A fleet that is away as a whole: clients are told at once and when to come back, one request a second looks, and the
//! first backend that returns serves.

use std::time::Instant;

use domain::usage::Outcome;
use testkit::FakeOllama;
use tokio_util::sync::CancellationToken;

use crate::rig::{DEADLINE, Rig};

const WHOLE: &str = r#"{"model":"llama3.2","prompt":"x","stream":false}"#;

async fn pair() -> [FakeOllama; 2] {
    let start = || FakeOllama::builder().models(["llama3.2"]).start();
    [start().await, start().await]
}

/// Everything is away; how many requests until every backend is ejected.
async fn eject(fleet: &[FakeOllama], rig: &mut Rig) {
    for fake in fleet {
        fake.refuse_connections().await;
    }
    // Each request meets both, and three failures in a row eject.
    for _ in 0..3 {
        let answer = rig.post("/api/generate", WHOLE).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert_eq!(rig.record().await.outcome, Outcome::UpstreamFailed);
    }
    assert!(rig.gateway.live().backends.iter().all(|backend| backend.breakers.len() == 1));
}

/// R23.
#[tokio::test]
async fn when_nobody_can_be_reached_one_request_a_second_tries_and_the_rest_is_told_at_once() {
    let fleet = pair().await;
    let mut rig = Rig::start(&fleet.each_ref()).await;
    eject(&fleet, &mut rig).await;
    let started = Instant::now();
    let mut tried = 0.0;
    for _ in 0..200 {
        let answer = rig.post("/api/generate", WHOLE).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert!(answer.body.contains("try again in a moment"), "{}", answer.body);
        let record = rig.record().await;
        // Who tried says who it was that could not be reached.
        assert_eq!(record.backend.is_some(), record.outcome == Outcome::UpstreamFailed);
        tried += f64::from(u8::from(record.backend.is_some()));
    }
    let bound = 1.0 + started.elapsed().as_secs_f64();
    assert!(tried >= 1.0 && tried <= bound, "{tried} tried in {bound} s");
    rig.idle().await;
}

async fn until_served(rig: &Rig) {
    let started = Instant::now();
    loop {
        let answer = rig.post("/api/generate", WHOLE).await;
        if answer.status == 200 {
            return;
        }
        assert_eq!(answer.status, 503);
        assert!(started.elapsed() < DEADLINE, "nobody is served though one has returned");
        tokio::task::yield_now().await;
    }
}

/// R23: an ejection lasts ten seconds and longer, and yet nobody waits for its end.
#[tokio::test]
async fn the_first_that_returns_is_found_by_a_request_though_nobody_looks() {
    let fleet = pair().await;
    let mut rig = Rig::start(&fleet.each_ref()).await;
    eject(&fleet, &mut rig).await;
    fleet[1].accept_connections().await;
    let started = Instant::now();
    until_served(&rig).await;
    assert!(started.elapsed().as_secs() < 9, "it was found before its ejection ended");
    for _ in 0..5 {
        assert_eq!(rig.post("/api/generate", WHOLE).await.status, 200);
    }
    assert_eq!(fleet[0].inference_requests().len(), 0);
}

#[tokio::test]
async fn the_first_that_returns_is_found_by_a_look_though_nobody_asks() {
    let fleet = pair().await;
    let mut rig = Rig::start(&fleet.each_ref()).await;
    eject(&fleet, &mut rig).await;
    let stop = CancellationToken::new();
    let (gateway, until) = (rig.gateway.clone(), stop.clone());
    tokio::spawn(async move { gateway.run_catalogue(until).await });
    let _running = stop.drop_guard();
    let mut changes = rig.gateway.changes();
    let closed = |rig: &Rig| rig.gateway.live().backends[1].breakers.is_empty();
    fleet[1].accept_connections().await;
    let seen = async {
        while !closed(&rig) {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(DEADLINE, seen).await.expect("a look closes the breaker");
    for _ in 0..5 {
        assert_eq!(rig.post("/api/generate", WHOLE).await.status, 200);
    }
}
