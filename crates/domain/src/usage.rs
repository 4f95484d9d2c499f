//! The usage record: the one thing written for every request that carried a valid key.

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
        [Self::Complete, Self::ClientGone, Self::UpstreamFailed, Self::Refused, Self::ShutDown].get(usize::from(code)).copied()
    }
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
    /// Microseconds from the head read to the first body byte passed on; `None` if none ever was.
    pub ttft_us: Option<u64>,
    /// Microseconds from the head read to the end.
    pub total_us: u64,
    pub outcome: Outcome,
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
