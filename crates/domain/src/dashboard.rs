//! What Help and the examples need to know of this very gateway.

use serde::{Deserialize, Serialize};

use crate::{balance::Balance, limit::RateLimit};

/// Live values for the examples on the Help page and the set-up's last step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelpFacts {
    /// Address clients should use: the first public URL, else the Host the page was asked under.
    pub address: String,
    /// A model the fleet has.
    pub model: Option<String>,
    pub default_limit: Option<RateLimit>,
    pub catalogue_interval_s: u32,
    pub backends: u64,
    /// The strategy in force, and the queue's bounds.
    pub balance: Balance,
    pub queue_max: u32,
    pub queue_seconds: u32,
    pub version: String,
}
