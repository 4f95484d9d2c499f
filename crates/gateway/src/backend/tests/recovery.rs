//! R21 from the first refusal to the whole share, over real sockets in virtual time: ejection, one trial, the ramp.

use bytes::Bytes;
use domain::{balance::Balance, id::KeyId};
use http::{HeaderMap, Method};
use http_body_util::BodyExt;

use super::*;
use crate::{
    balance::Picked,
    breaker::{EJECTION_MS, RAMP_MS},
    resolve::{Choice, resolve},
    verdict::Fault,
};

struct Driver {
    fleet: Fleet,
    now: u64,
}

impl Driver {
    /// A place for a request of this moment, if there is any.
    fn choose(&self) -> Option<Choice> {
        let view = self.fleet.view();
        let mut candidates = resolve(&view, "a").unwrap();
        match candidates.pick(self.now) {
            Picked::Member(index, slot) => Some(candidates.chosen(index, slot, self.now)),
            Picked::Full | Picked::Nobody => None,
        }
    }

    /// Sends it, and tells the breakers how it went.
    async fn send(&self, mut choice: Choice) -> bool {
        let body = Bytes::from_static(br#"{"model":"a","prompt":"x","stream":false}"#);
        let (settings, headers) = (quiet(), HeaderMap::new());
        match choice.backend.send(&settings, &Method::POST, "/api/generate", &headers, body).await {
            Ok(response) => {
                choice.reached(self.now);
                choice.begun(self.now, &KeyId::new("keykeykeykey").unwrap());
                choice.completed(self.now);
                response.body.collect().await.unwrap();
                true
            }
            Err(error) => {
                choice.failed(self.now, Fault::Unreachable, error.to_string());
                false
            }
        }
    }
}

fn counts(fakes: &[FakeOllama; 3]) -> [usize; 3] {
    fakes.each_ref().map(|fake| fake.inference_requests().len())
}

#[tokio::test]
async fn one_request_tries_whoever_was_out_and_then_its_share_grows_for_half_a_minute() {
    let start = || FakeOllama::builder().models(["a"]).start();
    let fakes = [start().await, start().await, start().await];
    let fleet = fleet(&fakes.each_ref()).await;
    let mut configured = snapshot((0..).zip(&fakes).map(|(number, fake)| entry(number, fake.url())));
    configured.settings.balance = Balance::Weighted;
    fleet.publish(configured);
    let mut driver = Driver { fleet, now: 1_000 };
    for fake in &fakes[1..] {
        fake.refuse_connections().await;
    }
    for _ in 0..60 {
        driver.send(driver.choose().unwrap()).await;
    }
    for fake in &fakes[1..] {
        fake.accept_connections().await;
    }
    for _ in 0..60 {
        assert!(driver.send(driver.choose().unwrap()).await);
    }
    assert_eq!(counts(&fakes)[1..], [0, 0], "they are ejected");

    // The longest that an ejection may take, with jitter.
    driver.now += EJECTION_MS + EJECTION_MS / 4;
    let mut held = Vec::new();
    for _ in 0..60 {
        held.push(driver.choose().unwrap());
    }
    let on_trial = |number| held.iter().filter(|choice| *choice.backend.id() == id(number)).count();
    assert_eq!((on_trial(1), on_trial(2)), (1, 1), "nobody else goes there before it is known how that went");
    for choice in held {
        assert!(driver.send(choice).await);
    }
    assert_eq!(counts(&fakes)[1..], [1, 1]);

    let (began, seconds) = (driver.now, RAMP_MS / 1_000);
    let mut shares = Vec::new();
    for second in 0..=seconds + 5 {
        driver.now = began + second * 1_000;
        let before = counts(&fakes);
        for _ in 0..40 {
            assert!(driver.send(driver.choose().unwrap()).await);
        }
        let got = counts(&fakes);
        shares.push([got[1] - before[1], got[2] - before[2]]);
    }
    // In stretches of five seconds, so that chance does not decide.
    let mut last = 0.0;
    for (number, stretch) in shares.chunks_exact(5).enumerate() {
        let weight = |second: usize| (0.1 + 0.9 * second as f64 / seconds as f64).min(1.0);
        let part = |second: usize| 40.0 * weight(second) / (1.0 + 2.0 * weight(second));
        let allowed: f64 = (number * 5..number * 5 + 5).map(part).sum();
        for backend in 0..2 {
            let got: usize = stretch.iter().map(|shares| shares[backend]).sum();
            assert!(got as f64 <= 1.5 * allowed, "{got} of 200, {allowed:.0} would be its part: {shares:?}");
            assert!(got as f64 >= allowed / 2.0, "{got} of 200, {allowed:.0} would be its part: {shares:?}");
        }
        assert!(allowed > last || number >= 6, "the ramp rises");
        last = allowed;
    }
}
