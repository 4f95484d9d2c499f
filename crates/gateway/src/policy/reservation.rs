//! Tokens and time of backends that a running request may use, until it has ended and its real numbers take their place.

use std::time::Instant;

use super::{Exceeded, Now, Slots, estimate::Estimate, ledger::Shared, meter::Held};

/// Held by the request's account, which knows how it ended. Dropped unsettled it charges nothing.
pub(crate) struct Reservation {
    meters: [Option<Shared>; 2],
    /// In each of them.
    held: [Held; 2],
    estimate: Estimate,
    /// When it was first handed to a backend.
    sent: Option<Instant>,
    /// Of the gateway: where its monotonic time begins.
    started: Instant,
    open: bool,
}

/// How a request ended, as far as its budgets care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    /// The answer was an error.
    Nothing,
    /// What the backend told, or the gateway counted of what it saw. What nobody told is taken from the estimate, and
    /// the GPU's time from the clock.
    Counted { prompt: Option<u64>, completion: Option<u64>, gpu_ns: u64 },
    /// The answer could not be read.
    Unknown,
}

impl Reservation {
    /// Reserves the estimate in every budget of the key and of its user.
    pub(crate) fn take(slots: &Slots, estimate: Estimate, started: Instant) -> Result<Self, Exceeded> {
        let held = slots.reserve(estimate.total(), Now::read(started))?;
        Ok(Self { meters: slots.meters(), held, estimate, sent: None, started, open: true })
    }

    /// A backend may work on it from now on.
    pub(crate) fn sent(&mut self) {
        self.sent.get_or_insert_with(Instant::now);
    }

    pub(crate) fn settle(mut self, spent: Spent) {
        let Some(sent) = self.sent else { return };
        let clock_ms = || u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (tokens, gpu_ms) = match spent {
            Spent::Nothing => (0, 0),
            Spent::Unknown => (self.estimate.total(), clock_ms()),
            Spent::Counted { prompt, completion, gpu_ns } => (
                prompt.unwrap_or(self.estimate.prompt).saturating_add(completion.unwrap_or(0)),
                if gpu_ns > 0 { gpu_ns.div_ceil(1_000_000) } else { clock_ms() },
            ),
        };
        self.close(tokens, gpu_ms);
    }

    fn close(&mut self, tokens: u64, gpu_ms: u64) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let now = Now::read(self.started);
        for (meter, held) in self.meters.iter().zip(self.held) {
            if let Some(meter) = meter {
                meter.lock().settle(held, tokens, gpu_ms, now);
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.close(0, 0);
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        id::{KeyId, UserId},
        key::KeyStatus,
        policy::Policy,
    };

    use super::*;
    use crate::{
        policy::{Ledger, Rules},
        snapshot::KeyEntry,
    };

    fn key(key: &Policy, user: &Policy) -> KeyEntry {
        KeyEntry {
            id: KeyId::new("keykeykeykey").unwrap(),
            user: UserId::new("useruseruser").unwrap(),
            hash: None,
            status: KeyStatus::Active,
            user_enabled: true,
            limit: None,
            rules: Rules::new(key, user),
        }
    }

    #[test]
    fn however_a_request_ends_its_reservation_ends_with_it() {
        let (ledger, started) = (Ledger::default(), Instant::now());
        let policy = Policy { tokens_per_day: Some(1_000), ..Policy::default() };
        let key = key(&policy, &policy);
        let now = Now::read(started);
        let estimate = Estimate { prompt: 100, answer: 50 };
        let counted = |prompt, completion| Spent::Counted { prompt, completion, gpu_ns: 1 };
        for (sent, spent, tokens) in [
            (true, Some(counted(Some(7), Some(9))), 16),
            (true, Some(counted(None, Some(9))), 109),
            (true, Some(counted(None, None)), 100),
            (true, Some(Spent::Unknown), 150),
            (true, Some(Spent::Nothing), 0),
            (false, Some(counted(Some(7), Some(9))), 0),
            (true, None, 0),
        ] {
            let before = ledger.standing(&key, now);
            let slots = ledger.enter(&key, now).unwrap();
            let mut reservation = Reservation::take(&slots, estimate, started).unwrap();
            if sent {
                reservation.sent();
            }
            assert_eq!(ledger.standing(&key, now).user.tokens_day.reserved, 150);
            match spent {
                Some(spent) => reservation.settle(spent),
                None => drop(reservation),
            }
            let after = ledger.standing(&key, now);
            for (before, after) in [(&before.key, &after.key), (&before.user, &after.user)] {
                assert_eq!(after.tokens_day.used - before.tokens_day.used, tokens, "{spent:?}");
                assert_eq!((after.tokens_day.reserved, after.gpu_seconds_day.reserved), (0, 0));
            }
        }
    }

    #[test]
    fn a_refusal_of_the_user_changes_nothing_for_the_key() {
        let (ledger, started) = (Ledger::default(), Instant::now());
        let of_key = Policy { concurrent: Some(5), tokens_per_day: Some(1_000), ..Policy::default() };
        let of_user = Policy { concurrent: Some(1), tokens_per_day: Some(10), ..Policy::default() };
        let key = key(&of_key, &of_user);
        let now = Now::read(started);
        let slots = ledger.enter(&key, now).unwrap();
        assert!(ledger.enter(&key, now).is_err());
        assert_eq!(ledger.standing(&key, now).key.concurrent.used, 1);
        let held = Reservation::take(&slots, Estimate { prompt: 10, answer: 0 }, started).unwrap();
        assert!(Reservation::take(&slots, Estimate { prompt: 1, answer: 0 }, started).is_err());
        assert_eq!(ledger.standing(&key, now).key.tokens_day.reserved, 10);
        drop((held, slots));
        let after = ledger.standing(&key, now);
        assert_eq!((after.key.concurrent.used, after.user.concurrent.used), (0, 0));
    }
}
