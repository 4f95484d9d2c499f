//! The login lock-out: five failures of an address or an account within five minutes. A try is reserved before its
//! password is hashed, so that two hundred tries at once cost five hashes. An address that has signed in to an account
//! before has its own count there: somebody else's guesses do not lock its owner out. With Redis the counts of all gateways
//! are added up there, which can lock and never unlock.

mod shared;

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::Mutex,
    time::Duration,
};

use domain::address::network;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::{lock::lock, name};

/// Failures allowed within [`WINDOW`].
const FAILURES: usize = 5;
const WINDOW: Duration = Duration::from_secs(300);
/// Counters and known addresses kept at most; beyond it the oldest go first.
const CAPACITY: usize = 10_000;

/// Hashed, so that every counter has the same small size whatever was typed.
type Counter = [u8; 32];

/// A reserved try. Without a further call it stays counted as a failure.
pub(crate) struct Reservation {
    counters: [Counter; 2],
    number: u64,
    /// Of each counter, what was counted before.
    before: [Vec<Try>; 2],
    visit: Counter,
}

#[derive(Default)]
pub(crate) struct Attempts {
    inner: Mutex<Inner>,
    /// Tells the tries of this process from those of others.
    process: Process,
}

struct Process(u64);

impl Default for Process {
    fn default() -> Self {
        Self(RandomState::new().hash_one(std::process::id()))
    }
}

#[derive(Clone, Copy)]
struct Try {
    at: Instant,
    number: u64,
}

#[derive(Default)]
struct Inner {
    failures: HashMap<Counter, Vec<Try>>,
    known: HashSet<Counter>,
    tries: u64,
}

impl Attempts {
    /// Counts a try of `account` from `address`; `None` while either is locked out.
    pub fn reserve(&self, account: &str, address: IpAddr, now: Instant) -> Option<Reservation> {
        let (account, address) = (name::fold(account), network(address).to_string());
        let visit = counter(&["visit", &account, &address]);
        let mut inner = lock(&self.inner);
        let of_account = if inner.known.contains(&visit) { visit } else { counter(&["account", &account]) };
        let counters = [of_account, counter(&["address", &address])];
        for counter in &counters {
            if let Some(times) = inner.failures.get_mut(counter) {
                times.retain(|time| now.duration_since(time.at) < WINDOW);
                if times.len() >= FAILURES {
                    return None;
                }
            }
        }
        inner.tries += 1;
        let number = inner.tries;
        let before = counters.map(|counter| {
            inner.make_room(now);
            let tries = inner.failures.entry(counter).or_default();
            let before = tries.clone();
            tries.push(Try { at: now, number });
            before
        });
        Some(Reservation { counters, number, before, visit })
    }

    /// The password was right: both counts start anew, and the address is known to the account.
    pub fn succeeded(&self, reservation: Reservation) {
        let mut inner = lock(&self.inner);
        for counter in reservation.counters {
            inner.failures.remove(&counter);
        }
        if inner.known.len() >= CAPACITY {
            inner.known.clear();
        }
        inner.known.insert(reservation.visit);
    }

    /// The try was not made after all, for example because too many hashes were waiting.
    pub fn release(&self, reservation: Reservation) {
        let mut inner = lock(&self.inner);
        for counter in reservation.counters {
            if let Some(times) = inner.failures.get_mut(&counter)
                && let Some(at) = times.iter().position(|time| time.number == reservation.number)
            {
                times.swap_remove(at);
            }
        }
    }

    /// Forgets the failures of an account, for a password that was reset by the operator.
    pub fn forget(&self, account: &str) {
        lock(&self.inner).failures.remove(&counter(&["account", &name::fold(account)]));
    }

    /// Drops what has lapsed.
    pub fn prune(&self, now: Instant) {
        lock(&self.inner).prune(now);
    }
}

impl Inner {
    fn prune(&mut self, now: Instant) {
        self.failures.retain(|_, times| {
            times.retain(|time| now.duration_since(time.at) < WINDOW);
            !times.is_empty()
        });
    }

    fn make_room(&mut self, now: Instant) {
        if self.failures.len() < CAPACITY {
            return;
        }
        self.prune(now);
        while self.failures.len() >= CAPACITY {
            // Those that are locked go last: a flood of addresses must not unlock anybody.
            let oldest = self
                .failures
                .iter()
                .min_by_key(|(_, times)| (times.len() >= FAILURES, times.last().map(|time| time.at)));
            let Some(counter) = oldest.map(|(counter, _)| *counter) else { return };
            self.failures.remove(&counter);
        }
    }
}

fn counter(parts: &[&str]) -> Counter {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn fail(attempts: &Attempts, account: &str, from: &str, now: Instant) -> bool {
        attempts.reserve(account, address(from), now).is_some()
    }

    #[test]
    fn five_failures_lock_the_account_from_every_new_address() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for host in 1..=5 {
            assert!(fail(&attempts, "Ada", &format!("10.0.0.{host}"), now));
        }
        assert!(!fail(&attempts, " ada ", "10.0.0.9", now), "case and blanks make no other account");
        assert!(fail(&attempts, "bob", "10.0.0.9", now));
    }

    #[test]
    fn five_failures_lock_the_address_for_every_account() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for account in 0..5 {
            assert!(fail(&attempts, &account.to_string(), "2001:db8:1:2::1", now));
        }
        assert!(!fail(&attempts, "x", "2001:db8:1:2:ffff::9", now), "the same /64");
        assert!(fail(&attempts, "x", "2001:db8:1:3::1", now));
    }

    #[test]
    fn an_ipv4_address_written_as_ipv6_is_the_same() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for account in 0..5 {
            assert!(fail(&attempts, &account.to_string(), "::ffff:10.0.0.1", now));
        }
        assert!(!fail(&attempts, "x", "10.0.0.1", now));
    }

    #[test]
    fn the_lock_ends_after_five_minutes() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..5 {
            assert!(fail(&attempts, "ada", "10.0.0.1", now));
        }
        assert!(!fail(&attempts, "ada", "10.0.0.1", now + WINDOW - Duration::from_millis(1)));
        assert!(fail(&attempts, "ada", "10.0.0.1", now + WINDOW));
    }

    #[test]
    fn a_refused_try_does_not_lengthen_the_lock() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for second in 0..600 {
            fail(&attempts, "ada", "10.0.0.1", now + Duration::from_secs(second));
        }
        assert!(fail(&attempts, "ada", "10.0.0.1", now + Duration::from_secs(600)));
    }

    #[test]
    fn success_clears_and_a_released_try_does_not_count() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..4 {
            assert!(fail(&attempts, "ada", "10.0.0.1", now));
        }
        for _ in 0..20 {
            let busy = attempts.reserve("ada", address("10.0.0.1"), now).unwrap();
            attempts.release(busy);
        }
        let right = attempts.reserve("ada", address("10.0.0.1"), now).unwrap();
        attempts.succeeded(right);
        for _ in 0..5 {
            assert!(fail(&attempts, "ada", "10.0.0.1", now));
        }
        assert!(!fail(&attempts, "ada", "10.0.0.1", now));
    }

    #[test]
    fn an_attack_from_elsewhere_does_not_lock_out_an_address_that_signed_in_before() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        let right = attempts.reserve("ada", address("10.0.0.1"), now).unwrap();
        attempts.succeeded(right);
        for host in 1..=5 {
            assert!(fail(&attempts, "ada", &format!("10.9.0.{host}"), now));
        }
        assert!(!fail(&attempts, "ada", "10.9.0.9", now));
        assert!(fail(&attempts, "ada", "10.0.0.1", now));
    }

    #[test]
    fn memory_is_bounded_and_a_flood_of_addresses_unlocks_nobody() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..5 {
            assert!(fail(&attempts, "ada", "10.0.0.1", now));
        }
        for host in 0..6_000u32 {
            let from = IpAddr::from((0x0b00_0000 + host).to_be_bytes());
            attempts.reserve(&host.to_string(), from, now);
        }
        assert!(lock(&attempts.inner).failures.len() <= CAPACITY);
        assert!(!fail(&attempts, "ada", "10.9.9.9", now));
        attempts.prune(now + WINDOW);
        assert!(lock(&attempts.inner).failures.is_empty());
    }
}
