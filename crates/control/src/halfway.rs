//! Between password and code: who gave the right password of an account with a second factor holds a ticket, and nothing
//! else. Tickets live in memory, for five minutes and one sign-in. Here too are the steps whose codes were used while
//! nothing could be stored.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use domain::id::AdminId;
use tokio::time::Instant;

use crate::{
    attempts::{Guesser, Reservation},
    devices::DeviceId,
    lock::lock,
    secrets::token_hash,
};

const VALID: Duration = Duration::from_secs(300);
/// Tickets kept at most; the oldest go. Each cost a right password.
const MOST: usize = 1_000;

/// A sign-in whose password was right.
pub(crate) struct Halfway {
    pub admin: AdminId,
    /// The hash that the password was right for: a reset in between voids the ticket.
    pub password_hash: String,
    /// Today's hash of that password, where the stored one is weak.
    pub renewed: Option<String>,
    pub guesser: Guesser,
    pub device: Option<DeviceId>,
    /// The try of the password, which covers the first code; later codes reserve their own.
    pub reservation: Option<Reservation>,
}

#[derive(Default)]
pub(crate) struct Tickets(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    waiting: HashMap<[u8; 32], (Halfway, Instant)>,
    used: HashMap<AdminId, u64>,
}

impl Tickets {
    pub fn put(&self, ticket: &str, halfway: Halfway, until: Instant) {
        let waiting = &mut lock(&self.0).waiting;
        if waiting.len() >= MOST
            && let Some(oldest) = waiting.iter().min_by_key(|(_, (_, until))| *until).map(|(hash, _)| *hash)
        {
            waiting.remove(&oldest);
        }
        waiting.insert(token_hash(ticket), (halfway, until));
    }

    /// Takes the sign-in that a ticket stands for, and when it lapses. Two codes at once find one ticket.
    pub fn take(&self, ticket: &str, now: Instant) -> Option<(Halfway, Instant)> {
        lock(&self.0).waiting.remove(&token_hash(ticket)).filter(|(_, until)| now < *until)
    }

    /// Uses the code of a step; false if it, or a later one, was used before.
    pub fn use_step(&self, admin: &AdminId, step: u64) -> bool {
        let used = &mut lock(&self.0).used;
        if used.get(admin).is_some_and(|last| *last >= step) {
            return false;
        }
        used.insert(admin.clone(), step);
        true
    }

    pub fn prune(&self, now: Instant) {
        lock(&self.0).waiting.retain(|_, (_, until)| now < *until);
    }
}

/// When a ticket that is made now lapses.
pub(crate) fn until(now: Instant) -> Instant {
    now + VALID
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halfway() -> Halfway {
        Halfway {
            admin: AdminId::new("aaaaaaaaaaaa").unwrap(),
            password_hash: String::new(),
            renewed: None,
            guesser: Guesser::Device([1; 16]),
            device: None,
            reservation: None,
        }
    }

    #[test]
    fn a_ticket_is_good_once_and_for_five_minutes() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        tickets.put("one", halfway(), until(now));
        assert!(tickets.take("other", now).is_none());
        assert!(tickets.take("one", now).is_some());
        assert!(tickets.take("one", now).is_none());
        tickets.put("one", halfway(), until(now));
        assert!(tickets.take("one", now + VALID).is_none());
        tickets.put("two", halfway(), until(now));
        tickets.prune(now + VALID);
        assert!(lock(&tickets.0).waiting.is_empty());
        for number in 0..MOST + 5 {
            tickets.put(&number.to_string(), halfway(), until(now));
        }
        assert_eq!(lock(&tickets.0).waiting.len(), MOST);
    }

    #[test]
    fn a_step_is_used_once_and_none_before_it_later() {
        let (tickets, admin) = (Tickets::default(), AdminId::new("aaaaaaaaaaaa").unwrap());
        assert!(tickets.use_step(&admin, 5));
        assert!(!tickets.use_step(&admin, 5) && !tickets.use_step(&admin, 4));
        assert!(tickets.use_step(&admin, 6));
    }
}
