//! Backends as the pages and the command line see them: views, inputs and what a probe of an address found.

use serde::{Deserialize, Serialize};

use crate::id::BackendId;

/// A configured backend with what is known of it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendView {
    pub id: BackendId,
    pub name: String,
    /// Without credentials, no trailing slash.
    pub url: String,
    pub enabled: bool,
    /// A bearer token is stored for it. The token itself is never shown.
    pub has_token: bool,
    /// Unix milliseconds.
    pub created_at: u64,
    pub state: BackendState,
    /// Names as the backend lists them.
    pub models: Vec<String>,
    /// What it says it runs, from `/api/version`.
    pub version: Option<String>,
    /// Requests being answered by it right now, streaming bodies included.
    pub in_flight: u64,
    /// What went wrong last, and when (Unix milliseconds).
    pub last_error: Option<LastError>,
}

/// The last fault seen on a backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    pub at: u64,
    pub message: String,
}

/// What the catalogue's last look at a backend found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendState {
    /// Switched off by an administrator.
    Disabled,
    /// Not looked at yet.
    Unknown,
    /// Answered its last listing.
    Up,
    /// Did not answer its last listing; its last good model list is kept.
    Down,
}

/// Adds a backend.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddBackend {
    pub name: String,
    pub url: String,
    /// Bearer token the backend wants; empty for none.
    #[serde(default)]
    pub token: String,
}

/// Changes a backend. An empty `token` keeps the stored one unless `clear_token` says otherwise.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditBackend {
    pub id: BackendId,
    pub name: String,
    pub url: String,
    #[serde(default)]
    pub token: String,
    #[serde(default)]
    pub clear_token: bool,
}

/// Switches a backend on or off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetBackendEnabled {
    pub id: BackendId,
    pub enabled: bool,
}

/// Names one backend: remove it, test it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackendRef {
    pub id: BackendId,
}

/// Asks what is at an address, before it is added.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeAddress {
    pub url: String,
    #[serde(default)]
    pub token: String,
}

/// What was found at an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// The address as it will be stored.
    pub url: String,
    pub result: ProbeResult,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ProbeResult {
    /// An Ollama or compatible server answers, with these models.
    Ok {
        version: Option<String>,
        models: Vec<String>,
    },
    /// Nothing listens at the port.
    Refused,
    TimedOut,
    /// The name does not resolve.
    Dns,
    /// The TLS certificate was not accepted.
    Tls,
    /// It wants a token, or another than the one given.
    Unauthorized,
    /// Something answers, but it is not an Ollama: what it answered, in a few words.
    NotOllama {
        detail: String,
    },
    /// Anything else, in a few words.
    Failed {
        detail: String,
    },
}

impl ProbeResult {
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok { .. })
    }

    /// One sentence for a person, without full stop.
    pub fn message(&self) -> String {
        match self {
            Self::Ok { version, models } => {
                let version = version
                    .as_deref()
                    .map(|version| format!("Ollama {version}"))
                    .unwrap_or_else(|| "a compatible server".into());
                let plural = if models.len() == 1 { "" } else { "s" };
                format!("{version} answers with {} model{plural}", models.len())
            }
            Self::Refused => "connection refused: nothing listens at this port. Is Ollama running there?".into(),
            Self::TimedOut => "timed out: the machine does not answer. Is the address right and the port open?".into(),
            Self::Dns => "the host name does not resolve (DNS). Is it spelled right?".into(),
            Self::Tls => "the TLS certificate was not accepted".into(),
            Self::Unauthorized => "it answers, but wants a (different) token".into(),
            Self::NotOllama { detail } => format!("something answers, but it is not an Ollama: {detail}"),
            Self::Failed { detail } => detail.clone(),
        }
    }
}
