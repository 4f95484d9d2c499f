//! Admission: whether a key may have one more request now, counted before the request's body is read: in memory, or in
//! Redis where several gateways share it. State belongs to the key and outlives snapshots; a key that is idle is forgotten.

mod ask;
#[cfg(test)]
mod gaps;
mod headers;
mod ring;
mod shared;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::{id::KeyId, limit::RateLimit, policy::WindowStanding};

use crate::auth::Principal;
pub(crate) use ask::Ask;
use ask::Loan;
use ring::{Debt, Decision, Ring};
use shared::{Mode, Shared};

pub use shared::{Authority, RedisSettings};

const SHARDS: usize = 16;
const SWEEP_MS: u64 = 60_000;

/// The rings of all keys that have a limit.
#[derive(Default)]
pub(crate) struct Limiter {
    shards: [Mutex<Shard>; SHARDS],
    shared: Shared,
}

#[derive(Default)]
struct Shard {
    rings: HashMap<KeyId, Ring>,
    swept_at: u64,
}

/// Proof that a request was admitted; it lives until the response body ends.
pub(crate) struct Permit {
    standing: Option<Standing>,
}

impl Permit {
    /// Where the key stands after this request, `None` for keys without a limit.
    pub(crate) fn standing(&self) -> Option<Standing> {
        self.standing
    }
}

/// A key's quota as the `RateLimit` headers tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: RateLimit,
    pub(crate) remaining: u32,
    /// Seconds until a part of the quota comes back.
    pub(crate) reset: u64,
}

/// A request over the limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) standing: Standing,
    /// Seconds, at most the window and a tenth.
    pub(crate) retry_after: u64,
    /// The client hammers: close its connection.
    pub(crate) close: bool,
}

/// The limits that a request meets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// For keys without a limit of their own.
    pub(crate) default: Option<RateLimit>,
    /// Gateways that share the limits; each takes its part while Redis is not there.
    pub(crate) replicas: u32,
}

/// What came of a request at once.
pub(crate) enum Admission<'a> {
    Decided(Result<Permit, Refusal>),
    /// Redis decides.
    Ask(Ask<'a>),
}

impl Limiter {
    /// Admits a request of `principal`, says when to come again, or says that Redis is to be asked. `now` is monotonic
    /// milliseconds; `spread` is any number that differs between requests, so that waiting clients do not all return at
    /// once.
    pub(crate) fn admit(&self, principal: &Principal, policy: Policy, now: u64, spread: u64) -> Admission<'_> {
        let Some(limit) = principal.limit(policy.default) else {
            return Admission::Decided(Ok(Permit { standing: None }));
        };
        let key = &principal.key().id;
        let decision = match self.shared.mode() {
            Mode::Off => self.decide(key, limit, now),
            Mode::Alone => self.ring(key, limit.minutes, now, |ring| ring.admit_alone(policy.share(limit), now)),
            Mode::Ask(live) => {
                let (key, share) = (key.clone(), policy.share(limit));
                return Admission::Ask(Ask { limiter: self, live, key, limit, share, spread });
            }
        };
        Admission::Decided(conclude(limit, decision, spread))
    }

    /// Where a key stands without asking for anything; of several gateways, with this one. Keeps nothing: pages look at all
    /// keys again and again.
    pub(crate) fn look(&self, key: &KeyId, limit: RateLimit, now: u64) -> WindowStanding {
        let mut shard = self.shard(key);
        let (used, reset_ms) = shard.rings.get_mut(key).map_or((0, 0), |ring| ring.standing(limit.minutes, now));
        WindowStanding { limit, used, left: limit.requests.saturating_sub(used), reset_s: reset_ms.div_ceil(1_000) }
    }

    fn decide(&self, key: &KeyId, limit: RateLimit, now: u64) -> Decision {
        self.ring(key, limit.minutes, now, |ring| ring.admit(limit, now))
    }

    /// Works on the ring of `key`, which is made where there is none.
    fn ring<T>(&self, key: &KeyId, minutes: u32, now: u64, work: impl FnOnce(&mut Ring) -> T) -> T {
        let mut shard = self.shard(key);
        if now >= shard.swept_at + SWEEP_MS {
            shard.swept_at = now;
            shard.rings.retain(|_, ring| !ring.is_idle(now));
        }
        match shard.rings.get_mut(key) {
            Some(ring) => work(ring),
            None => work(shard.rings.entry(key.clone()).or_insert_with(|| Ring::new(minutes, now))),
        }
    }

    fn shard(&self, key: &KeyId) -> MutexGuard<'_, Shard> {
        let shard =
            key.as_str().bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % SHARDS;
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Redis knows of nothing: everything has to be told.
    fn owe_all(&self, now: u64) {
        for shard in &self.shards {
            shard.lock().unwrap_or_else(PoisonError::into_inner).rings.values_mut().for_each(|ring| ring.owe_all(now));
        }
    }

    /// Takes all that Redis has to be told.
    fn take_debts(&self, now: u64) -> Vec<(KeyId, Debt)> {
        let mut debts = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let owing = shard.rings.iter_mut().filter_map(|(key, ring)| {
                let debt = ring.take_debt(ring.minutes(), now)?;
                Some((key.clone(), debt))
            });
            debts.extend(owing);
        }
        debts
    }
}

impl Policy {
    /// This gateway's part of a limit.
    fn share(&self, limit: RateLimit) -> RateLimit {
        RateLimit { requests: limit.requests.div_ceil(self.replicas.max(1)), ..limit }
    }
}

/// What the client is told of a decision.
fn conclude(limit: RateLimit, decision: Decision, spread: u64) -> Result<Permit, Refusal> {
    match decision {
        Decision::Admitted { remaining, reset_ms } => {
            let standing = Standing { limit, remaining, reset: reset_ms.div_ceil(1_000) };
            Ok(Permit { standing: Some(standing) })
        }
        Decision::Refused { retry_ms, close } => {
            let reset = retry_ms.div_ceil(1_000).max(1);
            let window = u64::from(limit.minutes) * 60;
            let jitter = spread % (reset / 10 + 1);
            let retry_after = (reset + jitter).min(window + window / 10);
            Err(Refusal { standing: Standing { limit, remaining: 0, reset }, retry_after, close })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(requests: u32, minutes: u32) -> RateLimit {
        RateLimit { requests, minutes }
    }

    fn key(n: u32) -> KeyId {
        KeyId::new(&format!("{n:012}")).unwrap()
    }

    /// P4, as the headers say it: nobody is told to come back too early, whatever the spread.
    #[test]
    fn whoever_waits_as_the_headers_say_never_comes_too_early() {
        for (minutes, retry_ms) in (1..=120).flat_map(|minutes| {
            let window = u64::from(minutes) * 60_000;
            [0, 1, 999, 1_000, 1_001, window / 2, window - 1, window].map(|retry_ms| (minutes, retry_ms))
        }) {
            for spread in [0, 1, 5, 6, 7, 59, 600, u64::MAX] {
                let decision = Decision::Refused { retry_ms, close: false };
                let Err(refusal) = conclude(limit(5, minutes), decision, spread) else { panic!("a refusal") };
                let told = refusal.retry_after;
                assert!(told * 1_000 >= retry_ms && told >= refusal.standing.reset && told >= 1, "{told} {retry_ms}");
                assert!(refusal.standing.reset * 1_000 >= retry_ms, "{retry_ms}");
            }
        }
    }

    #[test]
    fn a_thousand_callers_at_once_get_exactly_the_limit() {
        let limiter = Limiter::default();
        let admitted = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for now in 0..125 {
                        if matches!(limiter.decide(&key(1), limit(100, 1), now), Decision::Admitted { .. }) {
                            admitted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 100);
    }

    #[test]
    fn keys_do_not_share_a_quota() {
        let limiter = Limiter::default();
        for n in 0..50 {
            assert!(matches!(limiter.decide(&key(n), limit(1, 1), 0), Decision::Admitted { .. }));
            assert!(matches!(limiter.decide(&key(n), limit(1, 1), 0), Decision::Refused { .. }));
        }
    }

    #[test]
    fn a_look_counts_nothing_and_keeps_nothing() {
        let limiter = Limiter::default();
        let look = |limiter: &Limiter| limiter.look(&key(1), limit(3, 5), 10);
        assert_eq!(look(&limiter), WindowStanding { limit: limit(3, 5), used: 0, left: 3, reset_s: 0 });
        assert!(limiter.shards.iter().all(|shard| shard.lock().unwrap().rings.is_empty()));
        limiter.decide(&key(1), limit(3, 5), 10);
        let (seen, again) = (look(&limiter), look(&limiter));
        assert_eq!((seen.used, seen.left), (1, 2));
        assert_eq!(seen, again);
        assert!(seen.reset_s > 0);
    }

    #[test]
    fn idle_keys_are_forgotten_and_busy_ones_are_not() {
        const BUSY: u32 = 200;
        let limiter = Limiter::default();
        for n in 0..1_000 {
            limiter.decide(&key(n), limit(1, 1), 0);
        }
        let mut now = 0;
        while now < 10 * SWEEP_MS {
            now += SWEEP_MS / 2;
            for n in 0..BUSY {
                limiter.decide(&key(n), limit(5, 60), now);
            }
        }
        let kept: u32 = limiter.shards.iter().map(|shard| shard.lock().unwrap().rings.len() as u32).sum();
        assert_eq!(kept, BUSY);
    }
}
