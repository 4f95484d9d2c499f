//! Where a key and its user stand at this moment, for pages and command line. Made by `gateway`.

use serde::{Deserialize, Serialize};

use crate::limit::RateLimit;

/// A key's standing against everything that limits it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// `None`: no request limit applies.
    pub window: Option<WindowStanding>,
    pub key: PartyStanding,
    /// All keys of the key's user together.
    pub user: PartyStanding,
}

/// The request limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowStanding {
    pub limit: RateLimit,
    /// Requests that still count.
    pub used: u32,
    pub left: u32,
    /// Seconds until the next part of the quota comes back; 0 while nothing counts.
    pub reset_s: u64,
}

/// What a key or a user has used. Counted only while its policy asks for it, so without a limit a number may be 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyStanding {
    /// Requests running now.
    pub concurrent: Meter,
    pub tokens_minute: Meter,
    pub tokens_day: Meter,
    pub tokens_month: Meter,
    pub gpu_seconds_day: Meter,
}

/// Something used, and its limit if it has one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    pub used: u64,
    /// Of running requests: estimates that real numbers replace when they end.
    pub reserved: u64,
    pub limit: Option<u64>,
}

impl Meter {
    /// What is left, `None` without a limit.
    pub fn left(self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.used).saturating_sub(self.reserved))
    }
}
