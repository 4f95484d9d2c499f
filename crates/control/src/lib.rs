//! The use cases of administration, free of any transport: pages, command line and start-up call the same methods. The
//! whole configuration is held in memory; a write goes to the store first, then to the gateway's snapshot, then answers.

pub mod command;

mod account;
mod admins;
mod aliases;
mod attempts;
mod attention;
mod audit;
mod auto;
mod backends;
pub mod backup;
mod by;
mod check;
mod clock;
mod devices;
mod doors;
mod expiry;
mod fault;
mod find;
mod flash;
mod halfway;
mod keys;
mod live;
mod lock;
mod login;
mod look;
mod metrics;
mod models;
mod name;
mod open;
mod password;
mod playground;
mod policy;
mod pulls;
mod redis;
mod remarks;
pub mod restore;
mod secrets;
mod session;
mod settings;
mod setup;
mod snapshot;
mod state;
mod tls;
mod tombstones;
mod totp;
mod upgrade;
mod usage;
mod users;

#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use arc_swap::ArcSwap;
use domain::{admin::Role, error::AdminError, id::AdminId, setup::ActorView};
use gateway::Gateway;
use store::Store;
use tokio::sync::Mutex;
#[cfg(test)]
use tokio_util::sync::CancellationToken;

pub use audit::{CSV_HEAD, EXPORT_PATH as AUDIT_EXPORT_PATH, csv_line, json_line, of_function as audit_words};
pub use check::{
    check_accent, check_admin, check_foreign, check_not_redis, check_public_url, check_redis_ca, check_redis_url,
    check_title, same_place,
};
pub use doors::{Doors, NetworkEnvironment, check_cors_origins, check_hsts_days, check_networks};
pub use find::Place as FoundPlace;
pub use look::{Accent, Shade};
pub use metrics::{MetricsFormat, MetricsToken, ProcessFacts};
pub use password::check_password;
pub use secrets::{
    root::{check_named as check_secret, check_secret_key},
    rotate::{Rotation, RotationReport},
};
pub use tls::check_pair;
pub use usage::{ExportFormat, LogExport, LogTail, export_report};

/// What `server` read from environment and files; already validated.
pub struct ControlConfig {
    /// Folder for the key file.
    pub data_dir: PathBuf,
    /// `SECRET_KEY`; `None` makes a random one in the data folder.
    pub secret_key: Option<String>,
    /// `SECRET_KEY_PREVIOUS`, until the database is sealed with `SECRET_KEY`.
    pub secret_key_previous: Option<String>,
    /// `ADMIN_USER` and `ADMIN_PASSWORD`, where both are set.
    pub admin: Option<(String, String)>,
    /// `OLLAMA_SERVERS`.
    pub ollama_servers: Vec<url::Url>,
    /// Where this gateway listens: no backend may be there.
    pub listens: Vec<SocketAddr>,
    /// Values of settings found in the environment, by the field names of `SettingsView`.
    pub environment: EnvironmentSettings,
}

/// Settings as the environment gives them; `None` where it is silent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EnvironmentSettings {
    /// `RATE_LIMIT_REQUESTS` and `RATE_LIMIT_WINDOW_MINUTES`; `Some(None)` is "no limit" said explicitly.
    pub default_limit: Option<Option<domain::limit::RateLimit>>,
    pub redis_url: Option<String>,
    /// `REPLICAS`.
    pub replicas: Option<u32>,
    /// Certificates in PEM that `REDIS_CA` leads to, as [`check_redis_ca`] gives them.
    pub redis_ca: Option<String>,
    /// `BALANCE`, `QUEUE_MAX` and `QUEUE_SECONDS`.
    pub balance: Option<domain::balance::Balance>,
    pub queue_max: Option<u32>,
    pub queue_seconds: Option<u32>,
    /// `USAGE_DAYS` and `ROLLUP_DAYS`.
    pub usage_days: Option<u32>,
    pub rollup_days: Option<u32>,
    pub max_body_mb: Option<u32>,
    pub body_memory_mb: Option<u32>,
    pub public_url: Option<String>,
    /// `PRODUCT_TITLE` and `ACCENT`, as [`check_title`] and [`check_accent`] give them.
    pub product_title: Option<String>,
    pub accent: Option<String>,
    /// What the Network page begins with.
    pub network: NetworkEnvironment,
}

/// The Redis address carries a password, so only its presence is told.
impl std::fmt::Debug for EnvironmentSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("EnvironmentSettings")
            .field("default_limit", &self.default_limit)
            .field("redis_url", &self.redis_url.as_ref().map(|_| "(hidden)"))
            .field("replicas", &self.replicas)
            .field("balance", &self.balance)
            .field("queue_max", &self.queue_max)
            .field("queue_seconds", &self.queue_seconds)
            .field("usage_days", &self.usage_days)
            .field("rollup_days", &self.rollup_days)
            .field("max_body_mb", &self.max_body_mb)
            .field("body_memory_mb", &self.body_memory_mb)
            .field("public_url", &self.public_url)
            .field("product_title", &self.product_title)
            .field("accent", &self.accent)
            .field("network", &self.network)
            .finish()
    }
}

/// Where a request of the admin app comes from.
#[derive(Debug, Clone)]
pub struct Client {
    pub address: IpAddr,
    pub user_agent: String,
    /// The browser's side of the connection is TLS (told by a trusted proxy, until the gateway ends TLS itself).
    pub https: bool,
}

/// An authenticated administrator; only `Control` makes one, so a use case that takes it cannot be reached without
/// signing in.
#[derive(Debug, Clone)]
pub struct Actor {
    view: ActorView,
    token_hash: [u8; 32],
    /// Where the request came from; `None` on the command line.
    address: Option<IpAddr>,
}

impl Actor {
    pub fn view(&self) -> &ActorView {
        &self.view
    }

    /// Identifies the session, for the flash.
    pub fn session(&self) -> [u8; 32] {
        self.token_hash
    }

    /// Whoever may open the socket or the data folder; it has no session and no account.
    fn command_line() -> Result<Self, AdminError> {
        let id = AdminId::new("commandline0").map_err(|error| fault::internal("an id was malformed", &error))?;
        let view = ActorView { id, name: audit::COMMAND_LINE.into(), role: Role::Owner };
        Ok(Self { view, token_hash: [0; 32], address: None })
    }
}

/// A session that was just opened. `token` goes into the cookie and nowhere else.
pub struct NewSession {
    pub token: String,
    /// The value of the cookie that makes the device known.
    pub device: String,
    pub actor: Actor,
}

/// What name and password lead to.
pub enum SignedIn {
    In(NewSession),
    /// The account has a second factor. `ticket` goes into a cookie and nowhere else, and is no session.
    NeedsCode {
        ticket: String,
    },
}

/// Right to create the first administrator, got by the set-up link.
#[derive(Debug, Clone)]
pub struct SetupSession(());

/// The control plane of one process; cheap to clone.
#[derive(Clone)]
pub struct Control(Arc<Inner>);

struct Inner {
    store: Store,
    gateway: Gateway,
    secrets: secrets::ring::Keyring,
    tombstones: Arc<tombstones::Tombstones>,
    environment: EnvironmentSettings,
    /// `OLLAMA_SERVERS`, for the set-up page.
    ollama_servers: Vec<url::Url>,
    /// Where this gateway listens.
    listens: Vec<SocketAddr>,
    state: ArcSwap<state::State>,
    /// Held from computing a write to putting it in force: one write at a time.
    write: Arc<Mutex<()>>,
    /// A write failed in a way that leaves open whether it was made.
    doubtful: AtomicBool,
    sessions: session::Sessions,
    attempts: attempts::Attempts,
    hasher: password::Hasher,
    setup: setup::SetupPasses,
    /// Rows of the audit log that are not written yet.
    pending: audit::Pending,
    flash: flash::Flash<domain::key::CreatedKey>,
    codes: flash::Flash<domain::admin::RecoveryCodes>,
    tickets: halfway::Tickets,
    factor_setups: account::FactorSetups,
    doors: doors::InForce,
    pairs: tls::Pairs,
    usage: usage::Usage,
    reminded: expiry::Reminded,
    sums: std::sync::Mutex<metrics::Sums>,
    feed: live::Feed,
    upgrades: upgrade::Upgrades,
    pulls: pulls::Pulls,
}

/// Why the control plane cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// A bad or changed `SECRET_KEY`, an unreadable key file. The message names the setting, never the value.
    #[error("{0}")]
    Secret(String),
    #[error("{0}")]
    Other(String),
}
