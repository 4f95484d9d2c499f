//! The login lock-out: five failures of an address or an account within five minutes, a hundred of everybody together. A
//! try is reserved before its password is hashed, so that two hundred tries at once cost five hashes. Whoever is known has a
//! count of its own, which nobody else's guesses fill: a device by its cookie, a session, and, for the account's count, an
//! address that signed in before. With Redis the counts of all gateways are added up there, which can lock and never unlock;
//! what it locked stays so where it was heard of, should it be lost.

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

/// Failures of one counter allowed within [`WINDOW`].
const FAILURES: usize = 5;
/// Failures of all who are not known, together: many addresses guess at many accounts no faster.
const IN_ALL: usize = 100;
const WINDOW: Duration = Duration::from_secs(300);
/// Counters and known addresses kept at most; beyond it the oldest go first.
const CAPACITY: usize = 10_000;

/// Hashed, so that every counter has the same small size whatever was typed.
type Name = [u8; 32];

/// Who tries.
#[derive(Debug, Clone)]
pub(crate) enum Guesser {
    /// Somebody at an address, at an account.
    Stranger { account: String, address: IpAddr },
    /// A device that signed in to the account before.
    Device([u8; 16]),
    /// Somebody who is signed in, at the own account of this id.
    SignedIn(String),
}

#[derive(Clone, Copy)]
struct Counter {
    name: Name,
    allowed: usize,
}

/// A reserved try. Without a further call it stays counted as a failure.
pub(crate) struct Reservation {
    counters: Vec<Counter>,
    number: u64,
    /// Of each counter, what was counted before.
    before: Vec<Vec<Try>>,
    visit: Option<Name>,
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
    failures: HashMap<Name, Vec<Try>>,
    known: HashSet<Name>,
    tries: u64,
    /// Counters that Redis said were full, and until when. They count while Redis is silent.
    closed: HashMap<Name, Instant>,
}

impl Attempts {
    /// Counts a try; `None` while one of its counters is full.
    pub fn reserve(&self, guesser: &Guesser, now: Instant) -> Option<Reservation> {
        let mut inner = lock(&self.inner);
        let (counters, visit) = inner.counters(guesser);
        for counter in &counters {
            if let Some(times) = inner.failures.get_mut(&counter.name) {
                times.retain(|time| now.duration_since(time.at) < WINDOW);
                if times.len() >= counter.allowed {
                    return None;
                }
            }
        }
        inner.tries += 1;
        let number = inner.tries;
        let mut before = Vec::with_capacity(counters.len());
        for counter in &counters {
            inner.make_room(now);
            let tries = inner.failures.entry(counter.name).or_default();
            before.push(tries.clone());
            tries.push(Try { at: now, number });
        }
        Some(Reservation { counters, number, before, visit })
    }

    /// The password was right: the counts start anew but for the one of everybody, which loses this try only, and the
    /// address is known to the account.
    pub fn succeeded(&self, reservation: Reservation) {
        let mut inner = lock(&self.inner);
        for counter in &reservation.counters {
            if counter.is_of_all() {
                inner.take_back(counter.name, reservation.number);
            } else {
                inner.failures.remove(&counter.name);
                inner.closed.remove(&counter.name);
            }
        }
        if inner.known.len() >= CAPACITY {
            inner.known.clear();
        }
        inner.known.extend(reservation.visit);
    }

    /// The try was not made after all, for example because too many hashes were waiting.
    pub fn release(&self, reservation: Reservation) {
        let mut inner = lock(&self.inner);
        reservation.counters.iter().for_each(|counter| inner.take_back(counter.name, reservation.number));
    }

    /// Forgets the failures of an account, for a password that was reset by the operator.
    pub fn forget(&self, account: &str) {
        let mut inner = lock(&self.inner);
        inner.failures.remove(&of_account(account));
        inner.closed.remove(&of_account(account));
    }

    /// Takes Redis's word for how long each counter of a try is full yet, in milliseconds; 0 for one that is not.
    pub fn hear(&self, reservation: &Reservation, full_for: &[i64], now: Instant) {
        let mut inner = lock(&self.inner);
        for (counter, full_for) in reservation.counters.iter().zip(full_for) {
            // A Redis that lies closes nothing for longer than a count can.
            let full_for = u64::try_from(*full_for).map(Duration::from_millis).unwrap_or_default().min(WINDOW);
            if full_for.is_zero() {
                inner.closed.remove(&counter.name);
            } else {
                inner.hear_of(counter.name, now, now + full_for);
            }
        }
    }

    /// Whether one of its counters was full when Redis was last heard of, and would be yet.
    pub fn was_closed(&self, reservation: &Reservation, now: Instant) -> bool {
        let inner = lock(&self.inner);
        reservation.counters.iter().any(|counter| inner.closed.get(&counter.name).is_some_and(|until| now < *until))
    }

    /// Drops what has lapsed.
    pub fn prune(&self, now: Instant) {
        lock(&self.inner).prune(now);
    }
}

impl Counter {
    fn is_of_all(&self) -> bool {
        self.allowed == IN_ALL
    }
}

impl Inner {
    /// What a try of `guesser` counts for, and the visit to remember if it succeeds.
    fn counters(&self, guesser: &Guesser) -> (Vec<Counter>, Option<Name>) {
        let five = |name| Counter { name, allowed: FAILURES };
        match guesser {
            Guesser::Device(id) => (vec![five(counter(&[b"device", id]))], None),
            Guesser::SignedIn(id) => (vec![five(counter(&[b"signed in", id.as_bytes()]))], None),
            Guesser::Stranger { account, address } => {
                let address = network(*address).to_string();
                let visit = counter(&[b"visit", name::fold(account).as_bytes(), address.as_bytes()]);
                let of_account = if self.known.contains(&visit) { visit } else { of_account(account) };
                let of_address = counter(&[b"address", address.as_bytes()]);
                let of_all = Counter { name: counter(&[b"all"]), allowed: IN_ALL };
                (vec![five(of_account), five(of_address), of_all], Some(visit))
            }
        }
    }

    fn take_back(&mut self, counter: Name, number: u64) {
        if let Some(times) = self.failures.get_mut(&counter)
            && let Some(at) = times.iter().position(|time| time.number == number)
        {
            times.swap_remove(at);
        }
    }

    fn prune(&mut self, now: Instant) {
        self.failures.retain(|_, times| {
            times.retain(|time| now.duration_since(time.at) < WINDOW);
            !times.is_empty()
        });
        self.closed.retain(|_, until| now < *until);
    }

    fn hear_of(&mut self, name: Name, now: Instant, until: Instant) {
        if self.closed.len() >= CAPACITY {
            self.closed.retain(|_, until| now < *until);
        }
        // Of too many, those that end first go first.
        if self.closed.len() >= CAPACITY
            && let Some(first) = self.closed.iter().min_by_key(|(_, until)| **until).map(|(name, _)| *name)
        {
            self.closed.remove(&first);
        }
        self.closed.insert(name, until);
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

fn of_account(account: &str) -> Name {
    counter(&[b"account", name::fold(account).as_bytes()])
}

fn counter(parts: &[&[u8]]) -> Name {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
#[path = "attempts/tests.rs"]
mod tests;
