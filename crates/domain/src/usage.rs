//! The usage record: the one thing written for every request that carried a valid key.

pub mod asked;
mod choice;
pub mod log;
pub mod page;
pub mod report;
mod why;

use std::net::IpAddr;

pub use choice::Choice;
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::Endpoint,
    id::{BackendId, KeyId, UserId},
};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Outcome {
    /// The whole answer was handed to the client, whatever its status.
    Complete = 0,
    /// The client went away first.
    ClientGone = 1,
    /// The backend died, stalled or broke off before the end.
    UpstreamFailed = 2,
    /// The gateway answered itself: limit, unknown model, bad request, no backend.
    Refused = 3,
    /// The gateway shut down before the end.
    ShutDown = 4,
}

impl Outcome {
    /// From its stored number.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Complete, Self::ClientGone, Self::UpstreamFailed, Self::Refused, Self::ShutDown]
            .get(usize::from(code))
            .copied()
    }
}

/// A request that was kept waiting, for the pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowRequest {
    /// The `x-request-id` that the client saw.
    pub request_id: String,
    /// When it came, Unix milliseconds.
    pub at: u64,
    /// Name of its key, `None` for one that is gone.
    pub key: Option<String>,
    pub model: Option<String>,
    /// Why, in one sentence without full stop.
    pub why: String,
}

/// One request, accounted when its body ended or was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRecord {
    /// The `x-request-id` the client saw, as a number; shown as 16 hex digits.
    pub request_id: u64,
    /// When the request's head was read, Unix milliseconds.
    pub at: u64,
    pub user: UserId,
    pub key: KeyId,
    /// The model's display name, `None` on endpoints without one. Always a name the catalogue knows or a name cut to
    /// 200 bytes.
    pub model: Option<String>,
    /// `model` is what the client wrote and no backend has it. It is shown in the log and never summed by: a client could
    /// make any number of names.
    #[serde(default)]
    pub unresolved: bool,
    /// The backend it was sent to, `None` where the gateway answered itself.
    pub backend: Option<BackendId>,
    pub endpoint: Endpoint,
    /// HTTP status sent to the client.
    pub status: u16,
    /// Body bytes from the client.
    pub bytes_in: u64,
    /// Body bytes to the client.
    pub bytes_out: u64,
    /// `None` where the backend said nothing.
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    /// The token numbers were counted by the gateway because the backend's own never came.
    pub tokens_estimated: bool,
    /// Microseconds spent waiting for a slot.
    pub queue_us: u64,
    /// Microseconds the backend says it spent loading the model.
    pub load_us: u64,
    /// Microseconds that the backend worked, by its own word; by the clock where it said nothing.
    #[serde(default)]
    pub gpu_us: u64,
    /// Microseconds from the head read to the first body byte passed on; `None` if none ever was.
    pub ttft_us: Option<u64>,
    /// Microseconds from the head read to the end.
    pub total_us: u64,
    pub outcome: Outcome,
    /// The model was loaded where the request went, as far as was known then; `None` where nothing was sent.
    #[serde(default)]
    pub warm: Option<bool>,
    /// Backends that were tried before the one that answered.
    #[serde(default)]
    pub retries: u8,
    /// The key whose model took this one's place in the backend's memory before.
    #[serde(default)]
    pub evicted_by: Option<KeyId>,
    /// How its backend was chosen; `None` where none was.
    #[serde(default)]
    pub choice: Option<Choice>,
    /// How the name that the client gave led to `model`, where that is another: `asked for as fast`. At most 200 bytes.
    #[serde(default)]
    pub via: Option<Box<str>>,
    /// What went wrong where it was not served, as the client was told it: the gateway's own words, or the backend's. Of a
    /// stream that ended early it was told only where its dialect has a way to. At most 200 bytes.
    #[serde(default)]
    pub error: Option<Box<str>>,
    /// Where it came from; not known of what was stored before schema 7.
    #[serde(default)]
    pub address: Option<IpAddr>,
    /// The answer came in pieces as they were made, so that the time to the first is that of a token. For whoever hears of
    /// the request as it ends: it is not stored.
    #[serde(skip)]
    pub streamed: bool,
}

impl UsageRecord {
    /// A request of which nothing is known yet but who asked for what: without model, backend, bytes or tokens.
    pub fn new(request_id: u64, at: u64, user: UserId, key: KeyId, endpoint: Endpoint) -> Self {
        Self {
            request_id,
            at,
            user,
            key,
            model: None,
            unresolved: false,
            backend: None,
            endpoint,
            status: 200,
            bytes_in: 0,
            bytes_out: 0,
            prompt_tokens: None,
            completion_tokens: None,
            tokens_estimated: false,
            queue_us: 0,
            load_us: 0,
            gpu_us: 0,
            ttft_us: None,
            total_us: 0,
            outcome: Outcome::Complete,
            warm: None,
            retries: 0,
            evicted_by: None,
            choice: None,
            via: None,
            error: None,
            address: None,
            streamed: false,
        }
    }

    /// It was answered with a status of 400 or more, or a backend broke it off.
    pub fn failed(&self) -> bool {
        self.status >= 400 || self.outcome == Outcome::UpstreamFailed
    }
}

/// Requests and tokens of one minute, for the dashboard's charts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinutePoint {
    /// Start of the minute, Unix milliseconds.
    pub at: u64,
    pub requests: u64,
    /// Of these, answered with a status of 400 or more, or broken off by a backend.
    pub errors: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
}

impl MinutePoint {
    /// Milliseconds of one point.
    pub const LENGTH: u64 = 60_000;

    /// Nothing yet, of the minute that `at` is in.
    pub fn of(at: u64) -> Self {
        Self { at: at - at % Self::LENGTH, ..Self::default() }
    }

    /// Adds one request. The token numbers are a backend's: sums end at the largest number instead of overflowing.
    pub fn add(&mut self, record: &UsageRecord) {
        let add = |sum: &mut u64, value: u64| *sum = sum.saturating_add(value);
        add(&mut self.requests, 1);
        add(&mut self.errors, u64::from(record.failed()));
        add(&mut self.prompt_tokens, record.prompt_tokens.unwrap_or_default());
        add(&mut self.completion_tokens, record.completion_tokens.unwrap_or_default());
    }

    /// Prompt and answer together.
    pub fn tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_number_of_a_backend_overflows_a_sum() {
        let (user, key) = (UserId::new("uuuuuuuuuuuu").unwrap(), KeyId::new("kkkkkkkkkkkk").unwrap());
        let record = UsageRecord {
            prompt_tokens: Some(7),
            completion_tokens: Some(u64::MAX),
            ..UsageRecord::new(1, 61_234, user, key, Endpoint::Chat)
        };
        let mut point = MinutePoint::of(record.at);
        point.add(&record);
        point.add(&UsageRecord { status: 500, ..record });
        let expected =
            MinutePoint { at: 60_000, requests: 2, errors: 1, prompt_tokens: 14, completion_tokens: u64::MAX };
        assert_eq!(point, expected);
        assert_eq!(point.tokens(), u64::MAX);
    }
}
