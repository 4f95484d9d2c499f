//! What the server is told from outside: defaults, then `.env`, then the environment. Everything is validated before
//! anything is opened, and all faults are reported together. Settings saved in the admin pages are `control`'s.

mod doors;
mod env_file;
mod parse;
mod raw;
mod strings;

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use control::{ControlConfig, EnvironmentSettings, MetricsToken};
use ipnet::IpNet;
use url::Url;

use crate::tls::files::TlsFiles;

pub use raw::{Listed, OVERRIDDEN, RawConfig};
pub use strings::{Layered, Strings};

/// One fault of the configuration: the name of the variable, and what to do. Never the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct Fault {
    pub name: String,
    pub message: String,
}

impl Fault {
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into() }
    }
}

/// Every fault that was found, at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// The validated configuration. No Debug: it holds secrets.
pub struct Config {
    /// The one port; 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the admin pages listen, if they have a listener of their own.
    pub admin_listen: Option<SocketAddr>,
    /// Absolute.
    pub data_dir: PathBuf,
    /// A SurrealDB address.
    pub database: String,
    pub secret_key: Option<String>,
    /// The one before it, until everything is sealed anew.
    pub secret_key_previous: Option<String>,
    pub admin: Option<(String, String)>,
    pub ollama_servers: Vec<Url>,
    pub environment: EnvironmentSettings,
    pub trusted_proxies: Vec<IpNet>,
    /// `TLS_CERT` and `TLS_KEY`.
    pub tls: Option<TlsFiles>,
    /// Connections at once; `None` for as many as open files allow.
    pub max_connections: Option<u32>,
    /// Of those, from one address.
    pub max_connections_per_ip: u32,
    /// Above this new inference is refused.
    pub max_memory_mb: Option<u32>,
    pub metrics_token: Option<MetricsToken>,
    pub log: LogConfig,
    /// How long running requests may take to end once the server was asked to stop.
    pub drain: Duration,
}

/// How much is logged, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Directives of tracing-subscriber's `EnvFilter`.
    pub filter: String,
    pub json: bool,
}

impl Config {
    /// Reads `.env` in the working directory and the process's environment.
    pub fn load() -> Result<Self, Faults> {
        RawConfig::read(&Layered::load()).try_into()
    }

    /// Every address it listens at, as far as that is known before a port is taken.
    pub fn listens(&self) -> Vec<SocketAddr> {
        [self.listen].into_iter().chain(self.admin_listen).collect()
    }

    /// Where the command line finds a running server.
    pub fn socket(&self) -> PathBuf {
        self.data_dir.join("control.sock")
    }

    /// The part of it that `control` takes.
    pub fn control(&self) -> ControlConfig {
        ControlConfig {
            data_dir: self.data_dir.clone(),
            secret_key: self.secret_key.clone(),
            secret_key_previous: self.secret_key_previous.clone(),
            admin: self.admin.clone(),
            ollama_servers: self.ollama_servers.clone(),
            listens: self.listens(),
            environment: self.environment.clone(),
        }
    }
}
