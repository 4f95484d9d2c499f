//! How many requests may be sent a second time: a fifth of all, and ten a second besides, so that a fleet that fails as a
//! whole is not sent everything twice. What is not used is kept for ten seconds' worth at most.

use std::sync::atomic::{AtomicU64, Ordering};

/// A retry, in the units of this account.
const RETRY: u64 = 1_000;
/// What every request brings.
const REQUEST: u64 = RETRY / 5;
/// What a millisecond brings.
const MILLISECOND: u64 = RETRY / 100;
/// Most that is kept.
const MOST: u64 = 100 * RETRY;
/// What there is at the start: one second's worth.
const START: u64 = 10 * RETRY;

/// Shared by all requests; no lock.
pub(crate) struct RetryBudget {
    /// May be a little over `MOST`, which is put right when something is taken.
    left: AtomicU64,
    /// Until when time has paid.
    paid: AtomicU64,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { left: AtomicU64::new(START), paid: AtomicU64::new(0) }
    }
}

impl RetryBudget {
    /// Another request came. While there is plenty this only reads.
    pub(crate) fn request(&self) {
        if self.left.load(Ordering::Relaxed) < MOST {
            self.left.fetch_add(REQUEST, Ordering::Relaxed);
        }
    }

    /// Takes one retry, where there is one. `now` is milliseconds of one steady clock.
    pub(crate) fn take(&self, now: u64) -> bool {
        // Each millisecond is paid for by one thread, the one that found it unpaid.
        let passed = now.saturating_sub(self.paid.fetch_max(now, Ordering::Relaxed));
        let earned = passed.saturating_mul(MILLISECOND).min(MOST);
        let mut taken = false;
        _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            let left = left.saturating_add(earned).min(MOST);
            taken = left >= RETRY;
            Some(if taken { left - RETRY } else { left })
        });
        taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cases() -> u32 {
        if std::env::var_os("CI").is_some() { 10_000 } else { 1_000 }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(cases()))]

        /// In any stretch of time, not only from the start.
        #[test]
        fn retries_are_a_fifth_of_the_requests_and_ten_a_second_and_what_was_kept(
            steps in prop::collection::vec((0_u64..3_000, 0_u64..400, 0_u64..200), 1..60),
            from in 0_usize..60,
        ) {
            let budget = RetryBudget::default();
            let (mut now, mut requests, mut retries, mut begun) = (0, 0, 0, 0);
            for (number, (gap, came, wanted)) in steps.into_iter().enumerate() {
                if number == from {
                    (requests, retries, begun) = (0, 0, now);
                }
                now += gap;
                (0..came).for_each(|_| budget.request());
                requests += came;
                retries += (0..wanted).filter(|_| budget.take(now)).count() as u64;
                let kept = if number < from { 10.0 } else { 100.2 };
                let bound = requests as f64 * 0.2 + (now - begun) as f64 * 0.01 + kept;
                prop_assert!(retries as f64 <= bound + 1e-6, "{retries} of {requests} in {} ms", now - begun);
            }
        }

        #[test]
        fn what_is_due_can_be_taken(requests in 0_u64..2_000, time in 0_u64..20_000) {
            let budget = RetryBudget::default();
            while budget.take(0) {}
            (0..requests).for_each(|_| budget.request());
            let due = (requests * 2 + time / 10).min(1_000) / 10;
            let taken = (0..1_000).filter(|_| budget.take(time)).count() as u64;
            prop_assert_eq!(taken, due);
        }
    }

    #[test]
    fn time_is_paid_once_to_all_threads_together() {
        let budget = RetryBudget::default();
        while budget.take(0) {}
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| (0..=1_000).filter(|now| budget.take(*now)).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 10);
    }
}
