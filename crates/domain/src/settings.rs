//! The settings an administrator can save, each with its bounds and the source of its present value.

use serde::{Deserialize, Serialize};

use crate::limit::RateLimit;

/// Largest value of [`SettingsView::max_body_mb`]. The gateway's memory for all bodies together holds one of this size.
pub const MAX_BODY_MB: u32 = 512;

/// Where a value comes from; later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Default,
    Environment,
    Saved,
}

/// A value in force, its source, and whether a saved value hides one from the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sourced<T> {
    pub value: T,
    pub source: Source,
    pub overrides_environment: bool,
}

/// Everything on the Settings page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsView {
    /// Limit of keys that have none of their own; `None` is no limit.
    pub default_limit: Sourced<Option<RateLimit>>,
    /// `redis://host:port/db` without its password; empty for none.
    pub redis_url: Sourced<String>,
    pub redis_has_password: bool,
    pub catalogue_interval_s: Sourced<u32>,
    pub connect_timeout_s: Sourced<u32>,
    pub first_byte_timeout_s: Sourced<u32>,
    pub stall_timeout_s: Sourced<u32>,
    /// Largest request body in MB (1,000,000 bytes).
    pub max_body_mb: Sourced<u32>,
    /// Origins the admin pages may be used from; empty compares with the Host header.
    pub public_url: Sourced<String>,
    /// Stands for everything above: changes when any of it does.
    pub version: String,
}

/// Saves the page. Every field as typed; empty means: back to environment or default. All is validated before anything
/// is saved; faults name the field as it is called here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SaveSettings {
    /// `requests` and `minutes` of the default limit; both or neither; `0` requests means no limit at all.
    pub requests: String,
    pub minutes: String,
    pub redis_url: String,
    pub catalogue_interval_s: String,
    pub connect_timeout_s: String,
    pub first_byte_timeout_s: String,
    pub stall_timeout_s: String,
    pub max_body_mb: String,
    pub public_url: String,
    /// `SettingsView::version` of what the form showed; a save over settings that changed in between is refused. Empty
    /// saves over whatever is there.
    pub version: String,
}

/// What a test of the Redis address found. Redis is not used for limits yet; the page says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RedisState {
    NotConfigured,
    Reachable { version: String },
    Unreachable { detail: String },
}
