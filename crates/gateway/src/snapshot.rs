//! The immutable view of configuration that a request is served from. Built by `control`, swapped whole.

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::{
    backend::Timeouts,
    balance::Balance,
    id::{BackendId, KeyId, UserId},
    key::KeyStatus,
    limit::RateLimit,
    network::{AddressRules, Networks},
    policy::Classes,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::Url;

pub use crate::{alias::Aliases, policy::Rules};

/// Keys, users, backends and settings at one revision.
pub struct Snapshot {
    /// Counts up with every committed change.
    pub revision: u64,
    pub keys: HashMap<KeyId, Arc<KeyEntry>>,
    /// In the order they were added; disabled ones included.
    pub backends: Vec<Arc<BackendEntry>>,
    pub settings: Settings,
    /// Key of the HMAC-SHA-256 over whole API keys.
    pub pepper: Pepper,
}

/// The server pepper. No Debug, no Serialize.
#[derive(Clone)]
pub struct Pepper(pub [u8; 32]);

impl Pepper {
    /// What is stored of an API key: HMAC-SHA-256 over its whole text.
    pub fn hash(&self, key: &str) -> [u8; 32] {
        // An HMAC takes keys of any length, and this one is 32 bytes: there is no other arm.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 32] };
        mac.update(key.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// What authentication and admission know of a key.
pub struct KeyEntry {
    pub id: KeyId,
    pub user: UserId,
    /// HMAC-SHA-256(pepper, whole key); `None` once revoked.
    pub hash: Option<[u8; 32]>,
    pub status: KeyStatus,
    /// The owner is enabled.
    pub user_enabled: bool,
    /// The key's own limit, before the default.
    pub limit: Option<RateLimit>,
    /// Its own policy and its user's, made ready.
    pub rules: Rules,
}

/// A backend as the data plane needs it.
pub struct BackendEntry {
    pub id: BackendId,
    pub name: String,
    /// `http` or `https`, perhaps with a path prefix, no credentials.
    pub url: Url,
    pub enabled: bool,
    /// Bearer token to send. No Debug, no Serialize on the type.
    pub token: Option<BackendToken>,
    /// Unix milliseconds.
    pub created_at: u64,
    /// Most requests at once; `None` is learned.
    pub parallel: Option<u32>,
    /// Its share of the work, at least 1.
    pub weight: u32,
    /// Higher ones are used first.
    pub priority: u32,
    /// It gets nothing new.
    pub draining: bool,
    pub timeouts: Timeouts,
}

/// A backend's own credential, sent to that backend only.
#[derive(Clone, PartialEq, Eq)]
pub struct BackendToken(pub String);

/// The settings the data plane obeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Limit of keys without one of their own; `None` is no limit.
    pub default_limit: Option<RateLimit>,
    /// What keys may reach without a permission of their own.
    pub classes: Classes,
    pub catalogue_interval: Duration,
    pub connect_timeout: Duration,
    pub first_byte_timeout: Duration,
    pub stall_timeout: Duration,
    /// Where backends may be; empty is everywhere.
    pub backend_networks: Networks,
    /// Bytes of a request body that is parsed.
    pub max_body: usize,
    /// Bytes that all such bodies may take together; at least `max_body` counts.
    pub body_memory: usize,
    /// Who may call the API. The listener asks before every request; streams that run are ended by it.
    pub doors: AddressRules,
    /// Gateways that share the limits, at least 1.
    pub replicas: u32,
    /// How a backend is chosen.
    pub balance: Balance,
    /// Requests that may wait for a slot; 0 refuses at once.
    pub queue_max: usize,
    /// Longest that one waits.
    pub queue_timeout: Duration,
    /// Other names for models.
    pub aliases: Arc<Aliases>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_limit: None,
            classes: Classes::default(),
            catalogue_interval: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(3),
            first_byte_timeout: Duration::from_secs(600),
            stall_timeout: Duration::from_secs(300),
            backend_networks: Networks::default(),
            max_body: 64_000_000,
            body_memory: 512_000_000,
            doors: AddressRules::default(),
            replicas: 1,
            balance: Balance::default(),
            queue_max: 1_000,
            queue_timeout: Duration::from_secs(60),
            aliases: Arc::default(),
        }
    }
}
