//! The counts of all gateways, in Redis. A gateway counts for itself first, tells what it knows with every try, and takes
//! Redis's word only for a refusal: without Redis, or with one that lies, each gateway still allows no more than its own five.
//! What it was told is closed stays closed for it until that ends, whatever becomes of Redis.

use tokio::time::Instant;

use super::{Attempts, Counter, Guesser, Name, Reservation, WINDOW, of_account};
use crate::{Control, clock::Now};

const RESERVE: &str = include_str!("reserve.lua");
const RELEASE: &str = "for _, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[1]) end return { 1 }";
const FORGET: &str = "for _, key in ipairs(KEYS) do redis.call('DEL', key) end return { 1 }";

impl Control {
    /// Counts a try, here and in Redis; `None` while one of its counters is full in either.
    pub(crate) async fn reserve_try(&self, guesser: &Guesser) -> Option<Reservation> {
        let attempts = &self.0.attempts;
        let now = Now::read().instant;
        let reservation = attempts.reserve(guesser, now)?;
        let arguments = attempts.arguments(&reservation, now);
        let keys: Vec<String> = reservation.counters.iter().map(|counter| key(&counter.name)).collect();
        let answer = self.0.gateway.redis_script(RESERVE, &keys, &arguments).await;
        let closed = match answer.as_deref() {
            Some([counted, full_for @ ..]) => {
                attempts.hear(&reservation, full_for, now);
                *counted == 0
            }
            _ => attempts.was_closed(&reservation, now),
        };
        if closed {
            attempts.release(reservation);
            return None;
        }
        Some(reservation)
    }

    /// The password was right: the counts start anew everywhere.
    pub(crate) async fn try_succeeded(&self, reservation: Reservation) {
        let (of_all, own): (Vec<&Counter>, Vec<_>) = reservation.counters.iter().partition(|one| one.is_of_all());
        let keys = |counters: Vec<&Counter>| counters.iter().map(|one| key(&one.name)).collect::<Vec<_>>();
        let (of_all, own) = (keys(of_all), keys(own));
        let name = self.0.attempts.name(reservation.number);
        self.0.attempts.succeeded(reservation);
        let _ = self.0.gateway.redis_script(FORGET, &own, &[]).await;
        if !of_all.is_empty() {
            let _ = self.0.gateway.redis_script(RELEASE, &of_all, &[name]).await;
        }
    }

    /// The try was not made after all.
    pub(crate) async fn release_try(&self, reservation: Reservation) {
        let keys: Vec<String> = reservation.counters.iter().map(|counter| key(&counter.name)).collect();
        let name = self.0.attempts.name(reservation.number);
        self.0.attempts.release(reservation);
        let _ = self.0.gateway.redis_script(RELEASE, &keys, &[name]).await;
    }

    /// Forgets the failures of an account, for a password that was reset by the operator.
    pub(crate) async fn forget_tries(&self, account: &str) {
        self.0.attempts.forget(account);
        let _ = self.0.gateway.redis_script(FORGET, &[key(&of_account(account))], &[]).await;
    }
}

impl Attempts {
    fn name(&self, number: u64) -> String {
        format!("{:016x}-{number}", self.process.0)
    }

    fn arguments(&self, reservation: &Reservation, now: Instant) -> Vec<String> {
        let mut arguments = vec![WINDOW.as_millis().to_string(), self.name(reservation.number)];
        for (counter, tries) in reservation.counters.iter().zip(&reservation.before) {
            arguments.extend([counter.allowed.to_string(), tries.len().to_string()]);
            for earlier in tries {
                arguments.push(now.duration_since(earlier.at).as_millis().to_string());
                arguments.push(self.name(earlier.number));
            }
        }
        arguments
    }
}

fn key(counter: &Name) -> String {
    let hex: String = counter[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("op:lock:{hex}")
}
