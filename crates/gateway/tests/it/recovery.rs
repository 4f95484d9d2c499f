//! R21: backends that come back. A look comes first, then they get their share by and by; whoever waited meanwhile is served
//! by them too, in turn and within their bounds.

use std::time::Instant;

use domain::balance::Balance;
use testkit::{FakeOllama, RecordedRequest};
use tokio::net::TcpStream;

use crate::rig::{Plan, Rig, eventually, read, second_key};

const WHOLE: &str = r#"{"model":"llama3.2","prompt":"x","stream":false}"#;
/// How long it takes until a backend that came back has its whole share, in seconds.
const RAMP: f64 = 30.0;
/// What it begins with.
const LEAST: f64 = 0.1;

async fn trio() -> [FakeOllama; 3] {
    // Whoever has it loaded already is as good as the others.
    let start =
        || FakeOllama::builder().models(["llama3.2"]).script(|script| script.loaded = vec!["llama3.2:latest".into()]);
    [start().start().await, start().start().await, start().start().await]
}

fn counts(fleet: &[FakeOllama]) -> Vec<usize> {
    fleet.iter().map(|fake| fake.inference_requests().len()).collect()
}

/// One request of a session of its own.
async fn ask(rig: &Rig, number: usize) -> u16 {
    read(rig.keyed("POST", "/api/generate").header("x-fortress-session", number.to_string()).body(WHOLE)).await.status
}

/// Two of three are down until traffic has ejected them, and up again then; nobody has looked yet.
async fn returned(change: impl FnOnce(&mut Plan)) -> ([FakeOllama; 3], Rig) {
    let fleet = trio().await;
    let rig = Rig::with(&fleet.each_ref(), change).await;
    for fake in &fleet[1..] {
        fake.refuse_connections().await;
    }
    let out = || rig.gateway.live().backends[1..].iter().all(|backend| !backend.breakers.is_empty());
    for number in 0.. {
        assert_eq!(ask(&rig, number).await, 200, "the third one serves");
        if out() {
            break;
        }
        assert!(number < 500, "they are not ejected");
    }
    for fake in &fleet[1..] {
        fake.accept_connections().await;
    }
    (fleet, rig)
}

/// Of so many requests, what a backend may have got whose ramp began at `since`: half more than its part of all weights, and
/// one, because requests are whole.
fn most(requests: usize, since: Instant) -> usize {
    let weight = (LEAST + (1.0 - LEAST) * since.elapsed().as_secs_f64() / RAMP).min(1.0);
    (1.5 * requests as f64 * weight / (1.0 + 2.0 * weight)).ceil() as usize + 1
}

#[tokio::test]
async fn whoever_comes_back_is_looked_at_first_and_then_asked_little() {
    for balance in [Balance::RoundRobin, Balance::Weighted, Balance::Affinity] {
        let (fleet, rig) = returned(|plan| plan.settings.balance = balance).await;
        let before = counts(&fleet);
        for number in 0..10 {
            assert_eq!(ask(&rig, number).await, 200);
        }
        assert_eq!(counts(&fleet)[1..], before[1..], "{balance}: nobody knows yet that they are back");
        let since = Instant::now();
        rig.gateway.refresh(None).await;
        for number in 0..250 {
            assert_eq!(ask(&rig, number).await, 200);
        }
        let most = most(250, since);
        let got: Vec<usize> = counts(&fleet).iter().zip(before).map(|(after, before)| after - before).collect();
        assert!(got[1..].iter().all(|got| (1..=most).contains(got)), "{balance}: {got:?}, and no more than {most}");
    }
}

#[tokio::test]
async fn whoever_comes_back_idle_does_not_get_everything_at_once() {
    for balance in [Balance::LeastInFlight, Balance::WarmFirst] {
        let (fleet, rig) = returned(|plan| plan.settings.balance = balance).await;
        let before = counts(&fleet);
        fleet.iter().for_each(FakeOllama::hold);
        let since = Instant::now();
        rig.gateway.refresh(None).await;
        let mut streams: Vec<TcpStream> = Vec::new();
        for number in 1..=60 {
            streams.push(rig.raw(&rig.raw_post("/api/generate", WHOLE)).await);
            eventually("it is in flight", || rig.gateway.in_flight() == number).await;
            let most = most(number as usize, since);
            let flying: Vec<u64> = rig.gateway.live().backends.iter().map(|backend| backend.in_flight).collect();
            assert!(flying[1..].iter().all(|flying| *flying <= most as u64), "{balance}: {flying:?}, not over {most}");
        }
        fleet.iter().for_each(FakeOllama::release_all);
        rig.idle().await;
        assert!(counts(&fleet).iter().zip(before).all(|(after, before)| *after > before), "all of them are used");
        drop(streams);
    }
}

/// Whose request it is, by its prompt.
fn of(key: &str) -> String {
    WHOLE.replace(r#""x""#, &format!(r#""{key}""#))
}

#[tokio::test]
async fn whoever_waited_is_served_by_those_that_return_in_turn_and_within_their_bounds() {
    let fleet = trio().await;
    let rig = Rig::with(&fleet.each_ref(), |plan| plan.parallel = Some(2)).await;
    for fake in &fleet[1..] {
        fake.refuse_connections().await;
    }
    // Looks find them away, so that the catalogue is without them.
    rig.gateway.refresh(None).await;
    fleet[0].hold();
    let flood: Vec<_> =
        (0..32).map(|_| tokio::spawn(read(rig.keyed("POST", "/api/generate").body(of("flood"))))).collect();
    eventually("the flood waits", || rig.gateway.live().waiting == 30).await;
    let quiet = || rig.request("POST", "/api/generate").bearer_auth(second_key()).body(of("quiet"));
    let quiet: Vec<_> = (0..5).map(|_| tokio::spawn(read(quiet()))).collect();
    eventually("all wait", || rig.gateway.live().waiting == 35).await;
    for fake in &fleet[1..] {
        fake.hold();
        fake.accept_connections().await;
    }
    rig.gateway.refresh(None).await;
    for fake in &fleet[1..] {
        fake.wait_for(|seen| seen.inference().count() == 2).await;
    }
    assert_eq!((rig.gateway.live().waiting, counts(&fleet)), (31, vec![2, 2, 2]), "each to its bound");
    // One slot at a time, so that they arrive in the order in which the queue let them go.
    for turn in 0..31 {
        let (fake, known) = (&fleet[turn % 3], 2 + turn / 3);
        fake.release_chunk();
        fake.wait_for(|seen| seen.inference().count() == known + 1).await;
    }
    fleet.iter().for_each(FakeOllama::release_all);
    for answer in flood.into_iter().chain(quiet) {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    let mut served: Vec<RecordedRequest> = fleet.iter().flat_map(FakeOllama::inference_requests).collect();
    served.sort_by_key(|request| request.at);
    let last = served.iter().rposition(|request| request.json()["prompt"] == "quiet").unwrap();
    // Two of the flood ran before; then four of each key for a round's tokens.
    assert!(last < 20, "the last of five requests was number {last} of {}", served.len());
    rig.idle().await;
}

#[tokio::test]
async fn a_backend_that_is_added_serves_those_who_wait_already() {
    let (busy, added) = (FakeOllama::builder().models(["llama3.2"]).held().start().await, trio().await);
    let mut rig = Rig::with(&[&busy], |plan| plan.parallel = Some(1)).await;
    let running = tokio::spawn(read(rig.keyed("POST", "/api/generate").body(WHOLE)));
    busy.wait_for(|seen| seen.inference().count() == 1).await;
    let waiting = tokio::spawn(read(rig.keyed("POST", "/api/generate").body(WHOLE)));
    eventually("one waits", || rig.gateway.live().waiting == 1).await;
    rig.change(|plan| plan.backends.push(added[0].url()));
    rig.gateway.refresh(None).await;
    assert_eq!(waiting.await.unwrap().status, 200);
    assert_eq!(counts(&added[..1]), [1]);
    busy.release_all();
    assert_eq!(running.await.unwrap().status, 200);
}
