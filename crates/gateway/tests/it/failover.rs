//! Another backend instead of an error: only while not a byte has reached the client, only where it is safe, and not more
//! often than the budget allows.

use std::time::{Duration, Instant};

use domain::{balance::Balance, usage::Outcome};
use futures_util::future::join_all;
use testkit::{Ended, FakeOllama, Fault};

use crate::rig::{Plan, Rig, eventually, read_to_close};

const GENERATE: &str = r#"{"model":"llama3.2","prompt":"x"}"#;
const WHOLE: &str = r#"{"model":"llama3.2","prompt":"x","stream":false}"#;

/// Everyone gets requests in turn.
fn in_turn(plan: &mut Plan) {
    plan.settings.balance = Balance::RoundRobin;
}

async fn fakes<const N: usize>() -> [FakeOllama; N] {
    let mut fakes = Vec::new();
    for _ in 0..N {
        fakes.push(FakeOllama::builder().models(["llama3.2"]).start().await);
    }
    fakes.try_into().unwrap_or_else(|_| panic!("as many as were made"))
}

fn calls(fakes: &[FakeOllama]) -> usize {
    fakes.iter().map(|fake| fake.inference_requests().len()).sum()
}

/// R01.
#[tokio::test]
async fn a_backend_that_refuses_connections_is_ejected_and_no_client_sees_an_error() {
    let fleet: [FakeOllama; 2] = fakes().await;
    let mut rig = Rig::with(&fleet.each_ref(), in_turn).await;
    fleet[0].refuse_connections().await;
    let mut retried = Vec::new();
    for number in 0..200 {
        assert_eq!(rig.post("/api/generate", WHOLE).await.status, 200);
        if rig.record().await.retries > 0 {
            retried.push(number);
        }
    }
    assert_eq!(calls(&fleet[1..]), 200);
    // Three in a row eject it; after that it costs nobody a try, but the one that sees whether it is back.
    assert!((3..=10).contains(&retried.len()), "{retried:?}");
    assert!(retried[2] < 8, "{retried:?}");
    rig.idle().await;
}

/// R02.
#[tokio::test]
async fn a_connection_that_died_after_the_request_and_before_any_byte_is_tried_once_elsewhere() {
    let fleet: [FakeOllama; 2] = fakes().await;
    fleet[0].set(|script| script.fault_at("/api/generate", Fault::CloseBeforeHeaders));
    let mut rig = Rig::with(&fleet.each_ref(), in_turn).await;
    let mut retries = 0;
    for _ in 0..2 {
        assert_eq!(rig.post("/api/generate", WHOLE).await.status, 200);
        let record = rig.record().await;
        assert_eq!(record.outcome, Outcome::Complete);
        retries += record.retries;
    }
    assert_eq!((retries, calls(&fleet[..1]), calls(&fleet[1..])), (1, 1, 2));
}

#[tokio::test]
async fn a_request_that_two_backends_died_of_is_not_sent_to_a_third() {
    let fleet: [FakeOllama; 4] = fakes().await;
    for fake in &fleet {
        fake.set(|script| script.fault_at("/api/generate", Fault::CloseBeforeHeaders));
    }
    let mut rig = Rig::with(&fleet.each_ref(), in_turn).await;
    let answer = rig.post("/api/generate", GENERATE).await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.body, r#"{"error":"the backend closed the connection before it answered"}"#);
    assert_eq!(calls(&fleet), 2);
    assert_eq!(rig.record().await.retries, 1);
}

/// R24: only where the end of an idle connection crossed the request on the way is it sent again for nothing. A backend
/// that closes later may have worked on it.
#[tokio::test]
async fn a_reused_connection_that_dies_late_is_not_asked_again_for_nothing() {
    let fleet: [FakeOllama; 1] = fakes().await;
    let rig = Rig::with(&fleet.each_ref(), in_turn).await;
    assert_eq!(rig.post("/api/generate", WHOLE).await.status, 200);
    fleet[0].set(|script| script.fault_at("/api/generate", Fault::CloseWhenReleased));
    fleet[0].hold();
    let release = async {
        fleet[0].wait_for(|seen| seen.inference().count() == 2).await;
        // So long the backend works.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        fleet[0].release_all();
    };
    let (answer, ()) = tokio::join!(rig.post("/api/generate", WHOLE), release);
    assert_eq!((answer.status, calls(&fleet)), (502, 2));
}

/// R02, R22.
#[tokio::test]
async fn however_many_fail_at_once_retries_stay_inside_the_budget() {
    const MANY: usize = 60;
    let started = Instant::now();
    let fleet: [FakeOllama; 2] = fakes().await;
    for fake in &fleet {
        fake.set(|script| script.fault_at("/api/generate", Fault::CloseWhenReleased));
        fake.hold();
    }
    let rig = Rig::with(&fleet.each_ref(), in_turn).await;
    let requests = join_all((0..MANY).map(|_| rig.post("/api/generate", WHOLE)));
    let release = async {
        for fake in &fleet {
            fake.wait_for(|seen| seen.inference().count() == MANY / 2).await;
        }
        fleet.iter().for_each(FakeOllama::release_all);
    };
    let (answers, ()) = tokio::join!(requests, release);
    assert!(answers.iter().all(|answer| [502, 503].contains(&answer.status)));
    let retries = calls(&fleet) - MANY;
    let bound = 10.0 + MANY as f64 * 0.2 + 10.0 * started.elapsed().as_secs_f64();
    assert!(retries > 0 && retries as f64 <= bound, "{retries} of {bound}");
    rig.idle().await;
}

/// R03.
#[tokio::test]
async fn a_stream_that_died_keeps_its_bytes_in_order_and_is_not_begun_again_elsewhere() {
    for frames in [0, 1, 2, 7, 20] {
        let fault = if frames == 0 { Fault::CutAfter(0) } else { Fault::ResetAfter(frames) };
        let fleet: [FakeOllama; 2] = fakes().await;
        for fake in &fleet {
            fake.set(|script| {
                script.chunks = 30;
                script.fault_at("/api/generate", fault.clone());
            });
        }
        let mut rig = Rig::with(&fleet.each_ref(), in_turn).await;
        let mut stream = rig.raw(&rig.raw_post("/api/generate", GENERATE)).await;
        let text = read_to_close(&mut stream).await;
        assert_eq!(text.matches("\"done\":false").count(), frames, "{text}");
        assert!(text.ends_with("{\"error\":\"the backend broke off before the end of its answer\"}\n\r\n"), "{text}");
        assert_eq!(calls(&fleet), 1);
        let record = rig.record().await;
        assert_eq!((record.outcome, record.retries), (Outcome::UpstreamFailed, 0));
        if frames > 0 {
            assert!(record.completion_tokens.is_some_and(|tokens| tokens > 0), "what came is counted");
        }
        rig.idle().await;
    }
}

/// R04.
#[tokio::test]
async fn a_slow_first_byte_is_never_a_reason_to_ask_another_backend() {
    let fleet: [FakeOllama; 2] = fakes().await;
    for fake in &fleet {
        fake.set(|script| script.fault_at("/api/generate", Fault::HangBeforeHeaders));
    }
    let change = |plan: &mut Plan| plan.settings.first_byte_timeout = Duration::from_millis(50);
    let mut rig = Rig::with(&fleet.each_ref(), change).await;
    assert_eq!(rig.post("/api/generate", GENERATE).await.status, 504);
    assert_eq!((calls(&fleet), rig.record().await.retries), (1, 0));
}

/// R06.
#[tokio::test]
async fn a_full_backend_costs_its_clients_nothing_and_is_not_taken_for_dead() {
    let fleet: [FakeOllama; 2] = fakes().await;
    fleet[0].set(|script| script.fault_at("/api/generate", Fault::Status(503)));
    let mut rig = Rig::with(&fleet.each_ref(), in_turn).await;
    let mut retries = 0;
    for _ in 0..20 {
        assert_eq!(rig.post("/api/generate", WHOLE).await.status, 200);
        retries += usize::from(rig.record().await.retries);
    }
    let refusals = calls(&fleet[..1]);
    assert!(refusals >= 1 && refusals == retries, "{refusals} refused, {retries} tried elsewhere");
    let view = rig.gateway.live().backends.remove(0);
    assert_eq!((view.state, view.breakers), (domain::backend::BackendState::Up, Vec::new()));
    fleet[0].set(|script| script.heal());
    rig.idle().await;
}

#[tokio::test]
async fn at_most_two_more_backends_are_asked_when_all_are_full() {
    let fleet: [FakeOllama; 5] = fakes().await;
    let words = r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#;
    for fake in &fleet {
        fake.set(|script| script.fault_at("/api/generate", Fault::StatusBody(503, words.into())));
    }
    let mut rig = Rig::with(&fleet.each_ref(), in_turn).await;
    let answer = rig.post("/api/generate", GENERATE).await;
    assert_eq!((answer.status, answer.body.as_str()), (503, words), "the last one's own words");
    assert_eq!((calls(&fleet), rig.record().await.retries), (3, 2));
    rig.idle().await;
    // Their answers were read away, so their connections are kept.
    let open = || fleet.iter().map(|fake| fake.records().open_connections()).sum::<usize>();
    eventually("the connections of all three tries are idle", || open() == 3).await;
}

/// R20.
#[tokio::test]
async fn a_model_that_comes_and_goes_on_one_backend_is_answered_by_the_one_that_has_it() {
    let fleet: [FakeOllama; 2] = fakes().await;
    let mut rig = Rig::with(&fleet.each_ref(), in_turn).await;
    let mut retries = 0;
    for round in 0..8 {
        // What the catalogue knows is wrong every time.
        fleet[0].set(|script| script.models = if round % 2 == 0 { Vec::new() } else { vec!["llama3.2".into()] });
        for _ in 0..2 {
            assert_eq!(rig.post("/api/generate", WHOLE).await.status, 200);
            retries += rig.record().await.retries;
        }
        rig.gateway.refresh(None).await;
    }
    assert!(retries > 0);
    assert!(rig.gateway.live().backends.iter().all(|backend| backend.breakers.is_empty()));
}

#[tokio::test]
async fn a_model_that_nobody_has_any_more_is_asked_for_twice_and_answered_in_the_backends_words() {
    let fleet: [FakeOllama; 4] = fakes().await;
    let rig = Rig::with(&fleet.each_ref(), in_turn).await;
    fleet.iter().for_each(|fake| fake.set(|script| script.models.clear()));
    let answer = rig.post("/api/generate", GENERATE).await;
    assert_eq!((answer.status, answer.body.as_str()), (404, r#"{"error":"model 'llama3.2' not found"}"#));
    assert_eq!(calls(&fleet), 2);
}

/// R24.
#[tokio::test]
async fn a_connection_that_the_backend_closes_when_it_is_used_again_costs_nobody_an_error() {
    let fleet: [FakeOllama; 1] = fakes().await;
    fleet[0].set(|script| script.fault_at("/api/generate", Fault::CloseReused));
    let mut rig = Rig::with(&fleet.each_ref(), in_turn).await;
    for _ in 0..20 {
        assert_eq!(rig.post("/api/generate", WHOLE).await.status, 200);
        let record = rig.record().await;
        assert_eq!((record.outcome, record.retries), (Outcome::Complete, 0));
    }
    let closed = fleet[0].inference_requests().iter().filter(|request| request.ended == Some(Ended::Fault)).count();
    assert!(closed > 0 && calls(&fleet) == 20 + closed, "{closed} of {} were sent again", calls(&fleet));
    assert_eq!(rig.gateway.live().backends[0].breakers, Vec::new());
}
