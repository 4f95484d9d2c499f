//! The counts of all gateways, in Redis. A gateway counts for itself first, tells what it knows with every try, and takes
//! Redis's word only for a refusal: without Redis, or with one that lies, each gateway still allows no more than its own five.

use std::net::IpAddr;

use tokio::time::Instant;

use super::{Attempts, Counter, FAILURES, Reservation, WINDOW, counter, name};
use crate::{Control, clock::Now};

const RESERVE: &str = include_str!("reserve.lua");
const RELEASE: &str = "for _, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[1]) end return { 1 }";
const FORGET: &str = "for _, key in ipairs(KEYS) do redis.call('DEL', key) end return { 1 }";

impl Control {
    /// Counts a try of `account` from `address`, here and in Redis; `None` while either is locked out in either.
    pub(crate) async fn reserve_try(&self, account: &str, address: IpAddr) -> Option<Reservation> {
        let attempts = &self.0.attempts;
        let now = Now::read().instant;
        let reservation = attempts.reserve(account, address, now)?;
        let arguments = attempts.arguments(&reservation, now);
        let answer = self.0.gateway.redis_script(RESERVE, &keys(&reservation.counters), &arguments).await;
        if answer.as_deref() == Some(&[0]) {
            attempts.release(reservation);
            return None;
        }
        Some(reservation)
    }

    /// The password was right: the counts start anew everywhere.
    pub(crate) async fn try_succeeded(&self, reservation: Reservation) {
        let keys = keys(&reservation.counters);
        self.0.attempts.succeeded(reservation);
        let _ = self.0.gateway.redis_script(FORGET, &keys, &[]).await;
    }

    /// The try was not made after all.
    pub(crate) async fn release_try(&self, reservation: Reservation) {
        let keys = keys(&reservation.counters);
        let name = self.0.attempts.name(reservation.number);
        self.0.attempts.release(reservation);
        let _ = self.0.gateway.redis_script(RELEASE, &keys, &[name]).await;
    }

    /// Forgets the failures of an account, for a password that was reset by the operator.
    pub(crate) async fn forget_tries(&self, account: &str) {
        self.0.attempts.forget(account);
        let counter = counter(&["account", &name::fold(account)]);
        let _ = self.0.gateway.redis_script(FORGET, &keys(&[counter]), &[]).await;
    }
}

impl Attempts {
    fn name(&self, number: u64) -> String {
        format!("{:016x}-{number}", self.process.0)
    }

    fn arguments(&self, reservation: &Reservation, now: Instant) -> Vec<String> {
        let mut arguments = vec![FAILURES.to_string(), WINDOW.as_millis().to_string(), self.name(reservation.number)];
        for tries in &reservation.before {
            arguments.push(tries.len().to_string());
            for earlier in tries {
                arguments.push(now.duration_since(earlier.at).as_millis().to_string());
                arguments.push(self.name(earlier.number));
            }
        }
        arguments
    }
}

fn keys(counters: &[Counter]) -> Vec<String> {
    let hex = |counter: &Counter| counter[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    counters.iter().map(|counter| format!("op:lock:{}", hex(counter))).collect()
}
