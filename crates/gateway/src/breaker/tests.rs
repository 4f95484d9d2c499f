//! The breaker against a model of the textbook, in virtual time.

use proptest::prelude::*;

use super::*;

/// What the textbook says, without packing and sharing.
struct Model {
    threshold: u32,
    phase: Phase,
    failures: u32,
    ejections: u32,
    closed: u64,
    trial: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Closed { recovering_since: Option<u64> },
    Ejected { until: u64 },
}

impl Model {
    fn half_open(&self, now: u64) -> bool {
        matches!(self.phase, Phase::Ejected { until } if now >= until)
    }

    fn open(&self, now: u64) -> bool {
        matches!(self.phase, Phase::Ejected { until } if now < until)
    }

    fn admits(&self, now: u64) -> bool {
        !(self.open(now) || self.half_open(now) && self.trial)
    }

    fn close(&mut self, now: u64) {
        self.phase = Phase::Closed { recovering_since: Some(now) };
        self.closed = now;
        self.failures = 0;
    }

    fn succeed(&mut self, now: u64) {
        if self.half_open(now) {
            self.close(now);
        } else if !self.open(now) {
            self.failures = 0;
        }
    }

    fn fail(&mut self, now: u64, jitter: u64) {
        if self.open(now) {
            return;
        }
        let half_open = self.half_open(now);
        self.failures += 1;
        if !half_open && self.failures < self.threshold {
            return;
        }
        if !half_open && now - self.closed >= QUIET_MS {
            self.ejections = 0;
        }
        let length = (0..self.ejections).fold(EJECTION_MS, |length, _| (length * 2).min(LONGEST_MS));
        self.ejections += 1;
        self.phase = Phase::Ejected { until: now + length + jitter % (length / 4 + 1) };
    }

    fn share(&self, now: u64) -> u32 {
        match self.phase {
            Phase::Ejected { until } if now < until => 0,
            Phase::Ejected { .. } => 100,
            Phase::Closed { recovering_since: Some(since) } if now - since < 30_000 => {
                100 + ((now - since) * 900 / 30_000) as u32
            }
            Phase::Closed { .. } => 1_000,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(u64),
    Enter,
    /// The oldest request that entered goes, without a word about how it was.
    Leave,
    Begin,
    Succeed,
    Fail(u64),
    Revive,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // By hand, because `prop_oneof!` makes a generator of random numbers for every value: that was nearly all of the time.
    let step = (0_u8..60, any::<u64>()).prop_map(|(kind, number)| match kind {
        0..4 => Step::Wait(number % 50),
        4..8 => Step::Wait(number % 40_000),
        8..12 => Step::Wait(number % 800_000),
        12..24 => Step::Enter,
        24..30 => Step::Leave,
        30..33 => Step::Begin,
        33..39 => Step::Succeed,
        39..57 => Step::Fail(number),
        _ => Step::Revive,
    });
    prop::collection::vec(step, 1..120)
}

/// Ten thousand where nobody waits for them.
fn cases() -> u32 {
    if std::env::var_os("CI").is_some() { 10_000 } else { 1_000 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn it_does_what_the_textbook_says(threshold in 1_u32..7, start in 0_u64..1_000_000, steps in steps()) {
        let breaker = Breaker::new(threshold);
        let closed = Phase::Closed { recovering_since: None };
        let mut model = Model { threshold, phase: closed, failures: 0, ejections: 0, closed: 0, trial: false };
        let (mut now, mut passes) = (start, Vec::new());
        for step in steps {
            match step {
                Step::Wait(time) => now += time,
                Step::Enter => {
                    let pass = breaker.enter(now);
                    prop_assert_eq!(pass.is_some(), model.admits(now));
                    if let Some(pass) = pass {
                        prop_assert_eq!(pass.is_trial(), model.half_open(now));
                        model.trial |= pass.is_trial();
                        passes.push(pass);
                    }
                }
                Step::Leave if !passes.is_empty() => {
                    if passes.remove(0).is_trial() {
                        model.trial = false;
                    }
                }
                Step::Leave => {}
                Step::Begin => {
                    breaker.began(now);
                    if model.half_open(now) {
                        model.close(now);
                    }
                }
                Step::Succeed => {
                    breaker.succeed(now);
                    model.succeed(now);
                }
                Step::Fail(jitter) => {
                    let phase = model.phase;
                    let opened = breaker.fail(now, jitter);
                    model.fail(now, jitter);
                    prop_assert_eq!(opened, phase != model.phase);
                }
                Step::Revive => {
                    breaker.revive(now);
                    model.close(now);
                }
            }
            let expected = match model.phase {
                Phase::Ejected { until } if now < until => State::Open { until },
                Phase::Ejected { .. } => State::HalfOpen,
                Phase::Closed { .. } => State::Closed,
            };
            prop_assert_eq!(breaker.state(now), expected);
            prop_assert_eq!(breaker.admits(now), model.admits(now));
            prop_assert_eq!(breaker.share(now), model.share(now));
        }
    }

    #[test]
    fn ejections_grow_to_their_bound_and_never_past_it(jitters in prop::collection::vec(any::<u64>(), 1..40)) {
        let (breaker, mut now, mut last) = (Breaker::new(1), 5, 0);
        for jitter in jitters {
            prop_assert!(breaker.fail(now, jitter));
            let State::Open { until } = breaker.state(now) else { panic!("closed") };
            let length = until - now;
            prop_assert!((EJECTION_MS..=LONGEST_MS + LONGEST_MS / 4).contains(&length));
            prop_assert!(length >= (last * 8 / 5).min(LONGEST_MS), "{length} after {last}");
            (now, last) = (until, length);
        }
    }
}

#[test]
fn of_many_threads_one_is_the_trial() {
    let breaker = Breaker::new(1);
    breaker.fail(0, 0);
    let entered: Vec<Pass> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| breaker.enter(EJECTION_MS))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(entered.len(), 1);
    assert!(!breaker.admits(EJECTION_MS));
    drop(entered);
    assert!(breaker.admits(EJECTION_MS));
}

#[test]
fn who_begins_each_answer_and_ends_none_is_ejected() {
    let breaker = Breaker::new(3);
    for _ in 0..2 {
        breaker.began(0);
        assert!(!breaker.fail(0, 0));
    }
    breaker.began(0);
    assert!(breaker.fail(0, 0));
}
