//! What the answers of a backend say about it: only its own faults count, they count for the model that was asked for, and
//! lists that answer excuse nothing.

use std::time::Duration;

use domain::{
    backend::{BackendState, BreakerState},
    balance::Balance,
};
use futures_util::future::join_all;
use testkit::{FakeOllama, Fault};

use crate::rig::{Plan, Rig, read_to_close};

const GENERATE: &str = r#"{"model":"llama3.2","prompt":"x"}"#;
const WHOLE: &str = r#"{"model":"llama3.2","prompt":"x","stream":false}"#;
const OTHER: &str = r#"{"model":"qwen3","prompt":"x","stream":false}"#;
/// Failures in a row that eject.
const THRESHOLD: usize = 5;

fn in_turn(plan: &mut Plan) {
    plan.settings.balance = Balance::RoundRobin;
}

/// Two backends with two models; the first fails as told.
async fn pair(fault: Fault) -> [FakeOllama; 2] {
    let bad = FakeOllama::builder().models(["llama3.2", "qwen3"]).chunks(9).start().await;
    let good = FakeOllama::builder().models(["llama3.2", "qwen3"]).start().await;
    bad.set(|script| script.fault_at("/api/generate", fault));
    [bad, good]
}

/// Models of the first backend that are ejected, `None` for all of it.
fn ejected(rig: &Rig) -> Vec<Option<String>> {
    let view = rig.gateway.live().backends.remove(0);
    assert_eq!(view.state, BackendState::Up, "its lists answer all along");
    let open = view.breakers.into_iter().filter(|breaker| breaker.state == BreakerState::Open);
    open.map(|breaker| breaker.model).collect()
}

/// R04.
#[tokio::test]
async fn a_model_that_hangs_is_ejected_though_lists_and_other_models_answer() {
    let fleet = pair(Fault::HangBeforeHeaders).await;
    let change = |plan: &mut Plan| {
        in_turn(plan);
        // Longer than any answer of the other one takes.
        plan.settings.first_byte_timeout = Duration::from_secs(2);
    };
    let rig = Rig::with(&fleet.each_ref(), change).await;
    let answers = join_all((0..2 * THRESHOLD).map(|_| rig.post("/api/generate", WHOLE))).await;
    let hung = answers.iter().filter(|answer| answer.status == 504).count();
    assert_eq!((hung, answers.iter().filter(|answer| answer.status == 200).count()), (THRESHOLD, THRESHOLD));
    rig.gateway.refresh(None).await;
    assert_eq!(ejected(&rig), [Some("llama3.2:latest".to_owned())]);
    for _ in 0..6 {
        assert_eq!(rig.post("/api/generate", WHOLE).await.status, 200);
    }
    assert_eq!(fleet[0].inference_requests().len(), THRESHOLD);
    fleet[0].set(|script| script.heal());
    for _ in 0..6 {
        assert_eq!(rig.post("/api/generate", OTHER).await.status, 200);
    }
    assert!(fleet[0].inference_requests().len() > THRESHOLD, "its other model is asked for");
    rig.idle().await;
}

/// R06, and the rest of what ejects.
#[tokio::test]
async fn a_model_that_fails_again_and_again_is_ejected_whatever_way_it_fails() {
    for (fault, body, status) in [
        (Fault::Status(500), WHOLE, 500),
        (Fault::Status(502), WHOLE, 502),
        (Fault::RawBytes("nonsense\r\n\r\n".into()), WHOLE, 502),
        (Fault::RawBytes("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".into()), WHOLE, 502),
        (Fault::CutAfter(2), GENERATE, 200),
        (Fault::ResetAfter(1), GENERATE, 200),
        (Fault::ErrorAfter(2, "the runner died".into()), GENERATE, 200),
    ] {
        let fleet = pair(fault.clone()).await;
        let rig = Rig::with(&fleet.each_ref(), in_turn).await;
        let mut failed = 0;
        for number in 0..2 * THRESHOLD + 6 {
            let mut stream = rig.raw(&closing(&rig, body)).await;
            let text = read_to_close(&mut stream).await;
            let bad = fleet[0].inference_requests().len() > failed;
            failed += usize::from(bad);
            let expected = if bad { status } else { 200 };
            assert!(text.starts_with(&format!("HTTP/1.1 {expected} ")), "{fault:?} {number}: {text}");
        }
        assert_eq!(failed, THRESHOLD, "{fault:?}");
        assert_eq!(ejected(&rig), [Some("llama3.2:latest".to_owned())], "{fault:?}");
        rig.idle().await;
    }
}

/// A request whose connection ends with its answer.
fn closing(rig: &Rig, body: &str) -> String {
    rig.raw_post("/api/generate", body).replacen("\r\n", "\r\nConnection: close\r\n", 1)
}

/// R05.
#[tokio::test]
async fn a_model_whose_streams_stall_is_ejected() {
    let fleet = pair(Fault::StallAfter(2)).await;
    let change = |plan: &mut Plan| {
        in_turn(plan);
        plan.settings.stall_timeout = Duration::from_secs(2);
    };
    let rig = Rig::with(&fleet.each_ref(), change).await;
    let stream = async || read_to_close(&mut rig.raw(&closing(&rig, GENERATE)).await).await;
    let texts = join_all((0..2 * THRESHOLD).map(|_| stream())).await;
    assert_eq!(texts.iter().filter(|text| text.contains("stopped sending")).count(), THRESHOLD);
    assert_eq!(ejected(&rig), [Some("llama3.2:latest".to_owned())]);
    rig.idle().await;
}

#[tokio::test]
async fn what_a_client_did_wrong_ejects_nobody() {
    for status in [400, 403, 404, 413, 422, 429] {
        let fleet = pair(Fault::StatusBody(status, r#"{"error":"x"}"#.into())).await;
        fleet[1].set(|script| script.fault_at("/api/generate", Fault::StatusBody(status, r#"{"error":"x"}"#.into())));
        let rig = Rig::with(&fleet.each_ref(), in_turn).await;
        for _ in 0..2 * THRESHOLD + 2 {
            assert_eq!(rig.post("/api/generate", WHOLE).await.status, status);
        }
        assert_eq!(ejected(&rig), [], "{status}");
    }
}

#[tokio::test]
async fn clients_that_hang_up_eject_nobody() {
    let fleet = pair(Fault::HangBeforeHeaders).await;
    let rig = Rig::start(&[&fleet[0]]).await;
    for number in 1..=THRESHOLD + 1 {
        let stream = rig.raw(&rig.raw_post("/api/generate", GENERATE)).await;
        fleet[0].wait_for(|seen| seen.inference().count() == number).await;
        drop(stream);
        rig.idle().await;
    }
    assert_eq!(ejected(&rig), []);
}

#[tokio::test]
async fn one_good_answer_forgives_the_failures_before_it() {
    let fleet = pair(Fault::Status(500)).await;
    // Two backends have the model, but one of them is drained: failures count, and all requests go to the other.
    let rig = Rig::with(&fleet.each_ref(), |plan| plan.draining = vec![1]).await;
    for _ in 0..3 {
        fleet[0].set(|script| script.fault_at("/api/generate", Fault::Status(500)));
        for _ in 1..THRESHOLD {
            assert_eq!(rig.post("/api/generate", WHOLE).await.status, 500);
        }
        fleet[0].set(|script| script.heal());
        assert_eq!(rig.post("/api/generate", WHOLE).await.status, 200);
    }
    assert_eq!(ejected(&rig), []);
}

#[tokio::test]
async fn a_backend_that_has_a_model_alone_keeps_telling_its_own_errors() {
    let fleet = pair(Fault::StatusBody(500, r#"{"error":"image: unknown format"}"#.into())).await;
    let rig = Rig::start(&[&fleet[0]]).await;
    for _ in 0..3 * THRESHOLD {
        let answer = rig.post("/api/generate", WHOLE).await;
        assert_eq!((answer.status, answer.body.as_str()), (500, r#"{"error":"image: unknown format"}"#));
    }
    assert_eq!(ejected(&rig), []);
}

#[tokio::test]
async fn showing_a_model_says_nothing_about_it() {
    let show = r#"{"model":"llama3.2"}"#;
    let fleet = pair(Fault::Status(500)).await;
    fleet[0].set(|script| script.fault_at("/api/show", Fault::Status(500)));
    let rig = Rig::with(&fleet.each_ref(), in_turn).await;
    for _ in 0..4 * THRESHOLD {
        rig.post("/api/show", show).await;
    }
    assert_eq!(ejected(&rig), [], "its failures do not count");
    fleet[0].set(|script| _ = script.faults.remove("/api/show"));
    while ejected(&rig).is_empty() {
        assert!(fleet[0].inference_requests().len() <= THRESHOLD, "a show that went well forgives nothing");
        rig.post("/api/show", show).await;
        rig.post("/api/show", show).await;
        rig.post("/api/generate", WHOLE).await;
    }
}

/// A cap on what traffic alone may eject: half of a model's backends.
#[tokio::test]
async fn when_more_than_half_of_a_models_backends_fail_the_rest_is_still_asked() {
    let mut fleet = Vec::new();
    for _ in 0..4 {
        let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
        fake.set(|script| script.fault_at("/api/generate", Fault::Status(500)));
        fleet.push(fake);
    }
    let rig = Rig::with(&fleet.iter().collect::<Vec<_>>(), in_turn).await;
    for _ in 0..6 * THRESHOLD {
        assert_eq!(rig.post("/api/generate", WHOLE).await.status, 500, "a backend's own words, not ours");
    }
    // All of them work again, and nobody has to wait for the end of an ejection.
    fleet.iter().for_each(|fake| fake.set(|script| script.heal()));
    for _ in 0..6 {
        assert_eq!(rig.post("/api/generate", WHOLE).await.status, 200);
    }
}
