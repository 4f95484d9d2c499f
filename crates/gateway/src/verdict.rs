//! What the fate of a request says about its backend and about the model there. Only their own faults count: what a client
//! did wrong or did not wait for says nothing, and neither does a full queue, for which a backend is left alone instead.

use std::hash::{BuildHasher, RandomState};

use domain::id::KeyId;

use crate::{
    breaker::{Breaker, State},
    resolve::Choice,
};

/// How a backend failed a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused, timed out while connecting, TLS. Speaks of all its models; the rest only of the one that was asked for,
    /// because a machine whose lists answer may still hang on one of its models.
    Unreachable,
    /// No first byte in time.
    Slow,
    /// Not another byte in time.
    Stalled,
    /// The connection broke.
    Died,
    /// What came is no HTTP response.
    Malformed,
    /// It said itself that it failed: by its status, in its stream, or by a stream without its end.
    Erred,
}

impl Choice {
    /// The head of an answer came, whatever it says.
    pub(crate) fn reached(&mut self, now: u64) {
        if self.in_flight.desperate {
            revive(self.backend.breaker(), now);
        }
        self.backend.breaker().succeed(now);
        self.backend.reached();
    }

    /// The first byte of a good answer came, for a request of this key. That ends an ejection; that earlier answers broke
    /// off is forgotten when one comes to its end.
    pub(crate) fn begun(&mut self, now: u64, key: &KeyId) {
        if !self.speaks {
            return;
        }
        self.answered(now, key);
        if self.in_flight.desperate {
            revive(&self.model.breaker, now);
        }
        if self.model.breaker.began(now) {
            self.backend.changed();
        }
        self.in_flight.judged();
    }

    /// A good answer came to its end.
    pub(crate) fn completed(&mut self, now: u64) {
        if self.speaks {
            self.model.breaker.succeed(now);
        }
    }

    /// The request failed by the backend's fault.
    pub(crate) fn failed(&mut self, now: u64, fault: Fault, message: String) {
        let breaker = match fault {
            Fault::Unreachable => Some(self.backend.breaker()),
            _ if !self.speaks => None,
            // Who has the model alone is not ejected for errors it tells itself: nobody else could answer, some of them
            // are a prompt's doing, and its own words help more than ours.
            Fault::Erred if self.alone => None,
            _ => Some(&self.model.breaker),
        };
        if let Some(breaker) = breaker {
            breaker.fail(now, RandomState::new().hash_one(now));
        }
        self.in_flight.judged();
        self.backend.failed(message);
    }

    /// It said that it takes no more now.
    pub(crate) fn busy(&mut self, now: u64, message: String) {
        self.backend.load().busy(now);
        self.in_flight.judged();
        self.backend.noted(message);
    }
}

fn revive(breaker: &Breaker, now: u64) {
    if breaker.state(now) != State::Closed {
        breaker.revive(now);
    }
}
