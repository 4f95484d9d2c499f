//! A request that Redis decides: what is owed goes along, and what is admitted is counted here too. Without an answer in
//! time the ring decides.

use std::sync::Arc;

use domain::{id::KeyId, limit::RateLimit};

use super::{
    Limiter, Permit, Refusal, conclude,
    ring::{Debt, Decision},
    shared::{Live, Verdict},
};

/// Has to be decided before anything else happens to the request.
pub(crate) struct Ask<'a> {
    pub(super) limiter: &'a Limiter,
    pub(super) live: Arc<Live>,
    pub(super) key: KeyId,
    pub(super) limit: RateLimit,
    /// What this gateway may admit without Redis.
    pub(super) share: RateLimit,
    pub(super) spread: u64,
}

impl Ask<'_> {
    /// Admits or refuses, after 50 ms at the latest. `now` reads the clock that the limiter is used with.
    pub(crate) async fn decide(self, now: impl Fn() -> u64) -> Result<Permit, Refusal> {
        let Self { limiter, live, key, limit, share, spread } = self;
        let before = now();
        let debt = limiter.ring(&key, limit.minutes, before, |ring| ring.take_debt(limit.minutes, before));
        let loan = debt.map(|debt| Loan::new(limiter, key.clone(), debt, before));
        let verdict = live.admit(&key, limit, loan.as_ref().map(|loan| &loan.debt)).await;
        if live.is_lost() {
            limiter.shared.drop_live(&live);
        }
        // What Redis was not told is owed again before the ring decides.
        match (loan, verdict) {
            (Some(loan), Some(_)) => loan.settle(),
            (loan, _) => drop(loan),
        }
        let now = now();
        let decision = limiter.ring(&key, limit.minutes, now, |ring| match verdict {
            None => ring.admit_alone(share, now),
            Some(Verdict { admitted: true, remaining, wait_ms }) => {
                match ring.confirm(limit, now, limiter.shared.era() != live.era) {
                    Ok(()) => Decision::Admitted { remaining, reset_ms: wait_ms },
                    Err(refused) => refused,
                }
            }
            Some(Verdict { wait_ms, .. }) => Decision::Refused { retry_ms: wait_ms, close: ring.refused(limit, now) },
        });
        conclude(limit, decision, spread)
    }
}

/// A debt on its way to Redis. Unless it is settled it goes back to the ring, also when the caller hangs up.
pub(super) struct Loan<'a> {
    limiter: &'a Limiter,
    pub(super) key: KeyId,
    pub(super) debt: Debt,
    taken: u64,
    settled: bool,
}

impl<'a> Loan<'a> {
    pub(super) fn new(limiter: &'a Limiter, key: KeyId, debt: Debt, taken: u64) -> Self {
        Self { limiter, key, debt, taken, settled: false }
    }

    /// Redis knows.
    pub(super) fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        if !self.settled {
            let Self { limiter, key, debt, taken, .. } = self;
            limiter.ring(key, debt.minutes, *taken, |ring| ring.give_back(debt, *taken));
        }
    }
}
