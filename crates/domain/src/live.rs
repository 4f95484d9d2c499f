//! The live status that the dashboard's event stream carries, at most once a second.

use serde::{Deserialize, Serialize};

use crate::{
    backend::BackendView,
    key::KeyStanding,
    settings::RedisStatus,
    upgrade::UpgradeView,
    usage::{MinutePoint, SlowRequest},
};

/// The fleet now. Sent whole: a hundred backends are some tens of kilobytes. As this type only the dashboard reads it, without
/// what only other pages show; those read their part by types of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveStatus {
    /// Counts up with every change; lets a page drop a late frame.
    pub sequence: u64,
    /// Unix milliseconds.
    pub at: u64,
    pub backends: Vec<BackendView>,
    /// Requests in flight over all backends.
    pub in_flight: u64,
    /// Requests waiting for a slot.
    #[serde(default)]
    pub waiting: u64,
    /// The last 60 minutes, oldest first, the running minute last.
    pub minutes: Vec<MinutePoint>,
    /// Usage records dropped because the writer could not keep up, since the start.
    pub usage_dropped: u64,
    /// Set while the store cannot be written, for example on a full disk.
    pub read_only: Option<String>,
    #[serde(default)]
    pub redis: RedisStatus,
    /// The rolling upgrade that is under way or has just ended, without its events.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<UpgradeView>,
    /// Requests that were kept waiting lately, the latest first; a few, and forgotten with the process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slow: Vec<SlowRequest>,
    /// What needs somebody's attention, what is urgent first; nothing where all is well.
    #[serde(default)]
    pub attention: Vec<Attention>,
    /// The limits of which most is used, the fullest first; a few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitInUse>,
    /// On the stream of one user's page: where its keys stand. Everything about the fleet is left out there.
    #[serde(skip_deserializing, skip_serializing_if = "Vec::is_empty")]
    pub standings: Vec<KeyStanding>,
}

/// Something that somebody should look at now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// Stays the same as long as it is about the same thing.
    pub key: String,
    /// Something fails or is refused already.
    pub urgent: bool,
    /// A sentence, with what others wrote in it.
    pub text: String,
    /// Path of the page where it is mended.
    pub link: String,
    /// The words of the link.
    pub action: String,
}

/// What a key, or a user with all its keys, has used of the fullest of its limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitInUse {
    /// Of the key or the user.
    pub id: String,
    /// `Key laptop of ada`.
    pub who: String,
    /// `18 of 20 requests in every 5 minutes`.
    pub text: String,
    /// 0 to 100.
    pub percent: u64,
    /// Path of the page that shows all of them.
    pub link: String,
}
