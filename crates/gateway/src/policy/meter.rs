//! The counts of one key or one user: requests running, tokens of the last minute, of the day and of the month, GPU time
//! of the day. No locks and no clocks.
//!
//! A request is admitted while what was used and what running requests have reserved lie under the limit. So a budget is
//! passed by no more than what runs at that moment, and its last tokens can be used by a request that may take more.
//! Nobody can tell beforehand how long a backend will work: what is reserved of its time is the mean of what requests of
//! the same key or user took.

use domain::policy::{Meter as Reading, PartyStanding, day_begins, day_of, month_begins, month_of};

use super::{Now, exceeded::Quota, rules::Quotas};

/// Seconds of the window, and the one that is not over.
const SLOTS: usize = 61;
/// Time that a backend is taken to work on a request while none has ended yet.
const UNKNOWN_GPU_MS: u64 = 10_000;
/// Until a request that runs may have ended.
const SOON_MS: u64 = 1_000;

#[derive(Debug, Clone)]
pub(super) struct Meter {
    pub(super) running: u64,
    reserved: u64,
    minute: Minute,
    day: u64,
    month: u64,
    day_tokens: u64,
    month_tokens: u64,
    gpu_ms: u64,
    gpu_reserved: u64,
    /// What requests took, smoothed; `None` until one has ended.
    gpu_mean: Option<u64>,
}

/// What a running request has reserved in one meter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) tokens: u64,
    pub(super) gpu_ms: u64,
}

/// A quota that has nothing left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Empty {
    pub(super) quota: Quota,
    pub(super) limit: u64,
    pub(super) retry_ms: u64,
}

impl Meter {
    pub(super) fn new(now: Now) -> Self {
        Self {
            running: 0,
            reserved: 0,
            minute: Minute { second: now.mono / 1_000, tokens: [0; SLOTS], sum: 0 },
            day: day_of(now.unix),
            month: month_of(now.unix),
            day_tokens: 0,
            month_tokens: 0,
            gpu_ms: 0,
            gpu_reserved: 0,
            gpu_mean: None,
        }
    }

    /// One request more at once.
    pub(super) fn enter(&mut self, quotas: &Quotas) -> Result<(), Empty> {
        match quotas.concurrent {
            Some(limit) if self.running >= limit => Err(Empty { quota: Quota::Concurrent, limit, retry_ms: SOON_MS }),
            _ => {
                self.running += 1;
                Ok(())
            }
        }
    }

    pub(super) fn leave(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// Whether every budget has something left; of several that have not, the one that takes longest.
    pub(super) fn check(&mut self, quotas: &Quotas, now: Now) -> Result<(), Empty> {
        self.advance(now);
        let reserved = self.reserved;
        let over = |quota, limit: Option<u64>, used: u64, reserved: u64, free_ms: u64| {
            let limit = limit?;
            if used.saturating_add(reserved) < limit {
                return None;
            }
            // Where running requests alone are in the way, one that ends may give back enough at once.
            let retry_ms = if used < limit { free_ms.min(SOON_MS) } else { free_ms };
            Some(Empty { quota, limit, retry_ms })
        };
        let midnight = day_begins(self.day + 1).saturating_sub(now.unix);
        let next_month = month_begins(self.month + 1).saturating_sub(now.unix);
        let minute = quotas.minute.map_or(0, |limit| self.minute.free_in(limit, now.mono));
        let found = [
            over(Quota::TokensMinute, quotas.minute, self.minute.sum, reserved, minute),
            over(Quota::TokensDay, quotas.day, self.day_tokens, reserved, midnight),
            over(Quota::TokensMonth, quotas.month, self.month_tokens, reserved, next_month),
            over(Quota::GpuDay, quotas.gpu_ms, self.gpu_ms, self.gpu_reserved, midnight),
        ];
        match found.into_iter().flatten().max_by_key(|empty| empty.retry_ms) {
            Some(empty) => Err(empty),
            None => Ok(()),
        }
    }

    pub(super) fn reserve(&mut self, tokens: u64) -> Held {
        let held = Held { tokens, gpu_ms: self.gpu_mean.unwrap_or(UNKNOWN_GPU_MS) };
        self.reserved = self.reserved.saturating_add(held.tokens);
        self.gpu_reserved = self.gpu_reserved.saturating_add(held.gpu_ms);
        held
    }

    /// A request ended: what it used takes the place of what it had reserved.
    pub(super) fn settle(&mut self, held: Held, tokens: u64, gpu_ms: u64, now: Now) {
        self.advance(now);
        self.reserved = self.reserved.saturating_sub(held.tokens);
        self.gpu_reserved = self.gpu_reserved.saturating_sub(held.gpu_ms);
        if gpu_ms > 0 {
            self.gpu_mean = Some(self.gpu_mean.map_or(gpu_ms, |mean| smoothed(mean, gpu_ms)));
        }
        self.minute.add(tokens);
        for (sum, more) in
            [(&mut self.day_tokens, tokens), (&mut self.month_tokens, tokens), (&mut self.gpu_ms, gpu_ms)]
        {
            *sum = sum.saturating_add(more);
        }
    }

    /// At least this much was used in this day and month.
    pub(super) fn seed(&mut self, day_tokens: u64, month_tokens: u64, gpu_ms: u64, now: Now) {
        self.advance(now);
        self.day_tokens = self.day_tokens.max(day_tokens);
        self.month_tokens = self.month_tokens.max(month_tokens);
        self.gpu_ms = self.gpu_ms.max(gpu_ms);
    }

    pub(super) fn standing(&mut self, quotas: &Quotas, now: Now) -> PartyStanding {
        self.advance(now);
        let tokens = |used, limit| Reading { used, reserved: self.reserved, limit };
        PartyStanding {
            concurrent: Reading { used: self.running, reserved: 0, limit: quotas.concurrent },
            tokens_minute: tokens(self.minute.sum, quotas.minute),
            tokens_day: tokens(self.day_tokens, quotas.day),
            tokens_month: tokens(self.month_tokens, quotas.month),
            gpu_seconds_day: Reading {
                used: self.gpu_ms.div_ceil(1_000),
                reserved: self.gpu_reserved.div_ceil(1_000),
                limit: quotas.gpu_ms.map(|limit| limit / 1_000),
            },
        }
    }

    /// A new day or month begins with nothing used. A clock that is set back begins none.
    fn advance(&mut self, now: Now) {
        self.minute.advance(now.mono / 1_000);
        let day = day_of(now.unix);
        if day > self.day {
            (self.day, self.day_tokens, self.gpu_ms) = (day, 0, 0);
            let month = month_of(now.unix);
            if month > self.month {
                (self.month, self.month_tokens) = (month, 0);
            }
        }
    }
}

/// Follows longer requests at once and shorter ones slowly, so that a few cheap ones do not make room for many dear ones.
fn smoothed(mean: u64, last: u64) -> u64 {
    if last > mean { mean + (last - mean).div_ceil(2) } else { mean - (mean - last) / 16 }
}

/// Tokens by the second in which they were counted. A second counts in full until it has wholly left the window.
#[derive(Debug, Clone)]
struct Minute {
    second: u64,
    tokens: [u64; SLOTS],
    sum: u64,
}

impl Minute {
    fn advance(&mut self, second: u64) {
        let passed = second.saturating_sub(self.second);
        if passed >= SLOTS as u64 {
            (self.tokens, self.sum) = ([0; SLOTS], 0);
        } else {
            for gone in self.second + 1..=second {
                self.sum = self.sum.saturating_sub(std::mem::take(&mut self.tokens[place(gone)]));
            }
        }
        self.second = self.second.max(second);
    }

    fn add(&mut self, tokens: u64) {
        // Far below where sums of a minute could overflow: a backend may claim any number.
        let tokens = tokens.min(1 << 56);
        self.tokens[place(self.second)] += tokens;
        self.sum += tokens;
    }

    /// Milliseconds until so much has left the window that the sum lies under `limit`.
    fn free_in(&self, limit: u64, mono: u64) -> u64 {
        let mut left = self.sum;
        for second in (self.second + 1).saturating_sub(SLOTS as u64)..=self.second {
            if left < limit {
                break;
            }
            left = left.saturating_sub(self.tokens[place(second)]);
            if left < limit {
                return ((second + SLOTS as u64) * 1_000).saturating_sub(mono);
            }
        }
        SOON_MS
    }
}

fn place(second: u64) -> usize {
    (second % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-30T23:50:00Z, so that days and a month pass in the traces.
    const START: u64 = 1_796_082_600_000;

    fn at(ms: u64) -> Now {
        Now { mono: ms, unix: START + ms }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Wait(u64),
        Ask {
            estimate: u64,
        },
        /// The request that runs longest ends.
        End {
            tokens: u64,
            gpu_ms: u64,
        },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0_u64..3_000).prop_map(Step::Wait),
            1 => (0_u64..100_000).prop_map(Step::Wait),
            1 => (0_u64..40_000_000).prop_map(Step::Wait),
            6 => (0_u64..60).prop_map(|estimate| Step::Ask { estimate }),
            5 => (0_u64..80, 0_u64..5_000).prop_map(|(tokens, gpu_ms)| Step::End { tokens, gpu_ms }),
        ];
        prop::collection::vec(step, 1..120)
    }

    fn quotas() -> impl Strategy<Value = Quotas> {
        let limit = || prop::option::of(1_u64..200);
        (limit(), limit(), limit(), prop::option::of(1_u64..20_000)).prop_map(|(minute, day, month, gpu_ms)| Quotas {
            concurrent: None,
            minute,
            day,
            month,
            gpu_ms,
        })
    }

    /// What happened, kept whole, to count from the beginning each time.
    #[derive(Default)]
    struct Model {
        ended: Vec<(u64, u64, u64)>,
        running: Vec<Held>,
    }

    impl Model {
        fn reserved(&self) -> u64 {
            self.running.iter().map(|held| held.tokens).sum()
        }

        fn gpu_reserved(&self) -> u64 {
            self.running.iter().map(|held| held.gpu_ms).sum()
        }

        fn tokens(&self, counts: impl Fn(u64) -> bool) -> u64 {
            self.ended.iter().filter(|(at, ..)| counts(*at)).map(|(_, tokens, _)| tokens).sum()
        }

        fn day(&self, now: u64) -> u64 {
            self.tokens(|at| day_of(START + at) == day_of(START + now))
        }

        fn month(&self, now: u64) -> u64 {
            self.tokens(|at| month_of(START + at) == month_of(START + now))
        }

        fn gpu(&self, now: u64) -> u64 {
            let today = self.ended.iter().filter(|(at, ..)| day_of(START + at) == day_of(START + now));
            today.map(|(.., gpu)| gpu).sum()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn a_budget_admits_exactly_while_used_and_reserved_lie_under_it(quotas in quotas(), steps in steps()) {
            let (mut meter, mut model, mut now) = (Meter::new(at(0)), Model::default(), 0);
            for step in steps {
                match step {
                    Step::Wait(ms) => now += ms,
                    Step::End { tokens, gpu_ms } if !model.running.is_empty() => {
                        meter.settle(model.running.remove(0), tokens, gpu_ms, at(now));
                        model.ended.push((now, tokens, gpu_ms));
                    }
                    Step::End { .. } => {}
                    Step::Ask { estimate } => {
                        let reserved = model.reserved();
                        let under = |limit: Option<u64>, used: u64, reserved: u64| limit.is_none_or(|limit| used + reserved < limit);
                        let surely = model.tokens(|at| now - at <= 61_000);
                        let at_least = model.tokens(|at| now - at <= 60_000);
                        let rest = under(quotas.day, model.day(now), reserved)
                            && under(quotas.month, model.month(now), reserved)
                            && under(quotas.gpu_ms, model.gpu(now), model.gpu_reserved());
                        let admitted = meter.check(&quotas, at(now)).is_ok();
                        if admitted {
                            prop_assert!(rest && under(quotas.minute, at_least, reserved), "admitted over a limit");
                            model.running.push(meter.reserve(estimate));
                        } else {
                            prop_assert!(!rest || !under(quotas.minute, surely, reserved), "refused with something left");
                        }
                    }
                }
            }
            prop_assert_eq!((meter.reserved, meter.gpu_reserved), (model.reserved(), model.gpu_reserved()));
        }

        #[test]
        fn who_is_alone_and_waits_as_told_is_admitted(quotas in quotas(), spent in prop::collection::vec((0_u64..90_000, 0_u64..150, 0_u64..9_000), 1..30)) {
            let (mut meter, mut now) = (Meter::new(at(0)), 0);
            for (gap, tokens, gpu_ms) in spent {
                now += gap;
                meter.settle(Held::default(), tokens, gpu_ms, at(now));
                if let Err(empty) = meter.check(&quotas, at(now)) {
                    prop_assert!(empty.retry_ms > 0);
                    let mut alone = meter.clone();
                    prop_assert_eq!(alone.check(&quotas, at(now + empty.retry_ms)), Ok(()));
                }
            }
        }

        #[test]
        fn a_clock_that_is_set_back_gives_nothing_back(quotas in quotas(), back in 0_u64..100_000_000) {
            let mut meter = Meter::new(at(200_000_000));
            meter.settle(Held::default(), 1_000, 100_000, at(200_000_000));
            let now = at(200_000_000);
            let earlier = Now { mono: now.mono.saturating_sub(back), unix: now.unix - back };
            prop_assert_eq!(meter.check(&quotas, now).is_ok(), meter.check(&quotas, earlier).is_ok());
        }
    }

    #[test]
    fn running_requests_alone_are_waited_for_shortly() {
        let quotas = Quotas { day: Some(100), ..Quotas::default() };
        let mut meter = Meter::new(at(0));
        let held = meter.reserve(100);
        assert_eq!(meter.check(&quotas, at(0)), Err(Empty { quota: Quota::TokensDay, limit: 100, retry_ms: 1_000 }));
        meter.settle(held, 99, 0, at(0));
        assert_eq!(meter.check(&quotas, at(0)), Ok(()));
        meter.settle(Held::default(), 1, 0, at(0));
        assert_eq!(meter.check(&quotas, at(0)).unwrap_err().retry_ms, 600_000, "midnight is ten minutes away");
    }

    /// Twenty requests at once, two seconds each, on a budget of three, again and again.
    #[test]
    fn requests_at_once_pass_a_budget_of_gpu_time_by_what_one_takes() {
        let quotas = Quotas { gpu_ms: Some(3_000), ..Quotas::default() };
        let mut meter = Meter::new(at(0));
        let mut used = 0;
        for _ in 0..5 {
            let mut running = Vec::new();
            for _ in 0..20 {
                if meter.check(&quotas, at(0)).is_ok() {
                    running.push(meter.reserve(1));
                }
            }
            for held in running {
                used += 2_000;
                meter.settle(held, 1, 2_000, at(0));
            }
        }
        assert_eq!(used, 4_000);
        assert_eq!(meter.standing(&quotas, at(0)).gpu_seconds_day.reserved, 0);
        assert_eq!(meter.check(&quotas, at(0)).unwrap_err().retry_ms, 600_000, "midnight is ten minutes away");
    }

    #[test]
    fn what_is_reserved_of_gpu_time_follows_what_requests_took() {
        let mut meter = Meter::new(at(0));
        let taken = |meter: &mut Meter, gpu_ms| {
            let held = meter.reserve(0);
            meter.settle(held, 0, gpu_ms, at(0));
            held.gpu_ms
        };
        let seen: Vec<u64> = [800, 0, 1_600, 1_200, 1_200].iter().map(|gpu_ms| taken(&mut meter, *gpu_ms)).collect();
        assert_eq!(seen, [UNKNOWN_GPU_MS, 800, 800, 1_200, 1_200], "what took nothing teaches nothing");
        taken(&mut meter, 400);
        assert_eq!(taken(&mut meter, 400), 1_150, "cheap ones are believed slowly");
    }

    #[test]
    fn seeds_raise_and_never_lower() {
        let quotas = Quotas { day: Some(100), month: Some(1_000), gpu_ms: Some(5_000), ..Quotas::default() };
        let mut meter = Meter::new(at(0));
        meter.settle(Held::default(), 50, 100, at(0));
        meter.seed(20, 900, 4_000, at(0));
        let standing = meter.standing(&quotas, at(0));
        assert_eq!((standing.tokens_day.used, standing.tokens_month.used, standing.gpu_seconds_day.used), (50, 900, 4));
        assert_eq!(standing.tokens_minute.used, 50);
        let next = meter.standing(&quotas, at(600_000));
        assert_eq!((next.tokens_day.used, next.tokens_month.used, next.gpu_seconds_day.used), (0, 0, 0));
    }
}
