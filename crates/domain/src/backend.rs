//! Backends as the pages and the command line see them: views, inputs and what a probe of an address found.

mod share;
mod timeouts;
mod version;

use serde::{Deserialize, Serialize};

pub use self::{
    share::{Share, ShareEdit},
    timeouts::{MAX_CONNECT_TIMEOUT_S, MAX_TIMEOUT_S, Timeouts, TimeoutsEdit},
    version::ollama_warning,
};
use crate::{error::FieldError, id::BackendId};

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
    /// Most requests at once, as set; `None` is learned from the backend.
    #[serde(default)]
    pub parallel: Option<u32>,
    /// Its share of the work, 1 to [`MAX_WEIGHT`].
    #[serde(default = "one")]
    pub weight: u32,
    /// Backends of a higher priority are used first, 0 to [`MAX_PRIORITY`].
    #[serde(default)]
    pub priority: u32,
    /// It finishes what it has and gets nothing new.
    #[serde(default)]
    pub draining: bool,
    /// Its own time-outs.
    #[serde(default, skip_serializing_if = "Timeouts::is_default")]
    pub timeouts: Timeouts,
    /// Most requests at once that are in force, set or learned; `None` while nothing is known.
    #[serde(default)]
    pub limit: Option<u32>,
    /// What is left out now, and why; nothing where all is well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breakers: Vec<BreakerView>,
    /// When the certificate ends that it showed last, in Unix milliseconds; `None` where it is not spoken to over TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_end: Option<u64>,
    /// That is so soon that somebody should renew it: from then on the backend is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub certificate_ends_soon: bool,
    /// The first [`MAX_WARM`] of the models in its memory, largest first; the live status alone has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warm: Vec<WarmModel>,
    /// How many there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warm_all: u64,
    /// How it did lately; the live status alone has it.
    #[serde(default, skip_serializing_if = "Pace::is_nothing")]
    pub pace: Pace,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Pace {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Most models of a backend that the live status names.
pub const MAX_WARM: usize = 4;

/// A model in a backend's memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmModel {
    /// As the backend names it.
    pub name: String,
    /// How much of which memory, and how long it stays: `2.0 GB in VRAM, 4 min left`.
    pub text: String,
}

/// What a backend's requests were like, of those that ended lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Completion tokens of those of the last minute.
    pub tokens: u64,
    /// Milliseconds to the first body byte of streamed answers, on average over the last five minutes; `None` without one.
    pub ttft_ms: Option<u64>,
}

impl BackendView {
    /// How far a drain is, in words; nothing where it is not drained.
    pub fn drained(&self) -> Option<String> {
        let told = match self.in_flight {
            0 => "Drained".to_owned(),
            1 => "Draining, 1 request left".to_owned(),
            left => format!("Draining, {left} requests left"),
        };
        self.draining.then_some(told)
    }

    /// An enabled backend of which nothing more is known.
    pub fn new(id: BackendId, name: String, url: String) -> Self {
        Self {
            id,
            name,
            url,
            enabled: true,
            has_token: false,
            created_at: 0,
            state: BackendState::Unknown,
            models: Vec::new(),
            version: None,
            in_flight: 0,
            last_error: None,
            parallel: None,
            weight: one(),
            priority: 0,
            draining: false,
            timeouts: Timeouts::default(),
            limit: None,
            breakers: Vec::new(),
            certificate_end: None,
            certificate_ends_soon: false,
            warm: Vec::new(),
            warm_all: 0,
            pace: Pace::default(),
        }
    }

    /// What to do about its certificate; nothing while that is well.
    pub fn certificate_warning(&self) -> Option<String> {
        let end = crate::policy::format_utc(self.certificate_end.filter(|_| self.certificate_ends_soon)?);
        Some(format!("Its certificate ends at {} UTC, and it is refused from then on: renew it", end.replace('T', " ")))
    }
}

/// Largest [`BackendView::parallel`].
pub const MAX_PARALLEL: u32 = 1_000;
/// Largest [`BackendView::weight`].
pub const MAX_WEIGHT: u32 = 100;
/// Largest [`BackendView::priority`].
pub const MAX_PRIORITY: u32 = 100;

fn one() -> u32 {
    1
}

/// Reads a whole number within `bounds` from a field; nothing where it is empty, and where it is wrong, which `faults` is
/// told of. `or` ends the sentence.
fn number(
    faults: &mut Vec<FieldError>,
    field: &str,
    text: &str,
    bounds: std::ops::RangeInclusive<u32>,
    or: &str,
) -> Option<u32> {
    match text.trim().parse::<u32>() {
        _ if text.trim().is_empty() => None,
        Ok(value) if bounds.contains(&value) => Some(value),
        _ => {
            let (min, max) = bounds.into_inner();
            faults.push(FieldError::new(field, format!("must be a whole number from {min} to {max}{or}")));
            None
        }
    }
}

/// A circuit breaker that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerView {
    /// `None` is the backend as a whole.
    pub model: Option<String>,
    pub state: BreakerState,
    /// When it is tried again, Unix milliseconds.
    pub until: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Nothing is sent to it.
    Open,
    /// One request tries whether it works again.
    HalfOpen,
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
    /// The same, but it gets nothing new; see [`BackendView::draining`].
    Draining,
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
    /// As [`Share`] reads them; empty is the default.
    #[serde(default)]
    pub parallel: String,
    #[serde(default)]
    pub weight: String,
    #[serde(default)]
    pub priority: String,
    /// As [`Timeouts`] reads them; empty is the setting's.
    #[serde(default)]
    pub connect_timeout_s: String,
    #[serde(default)]
    pub first_byte_timeout_s: String,
    #[serde(default)]
    pub stall_timeout_s: String,
}

impl AddBackend {
    /// Every field that people fill in, in the page's order.
    pub const FIELDS: [&str; 9] = {
        let [connect, first_byte, stall] = Timeouts::FIELDS;
        ["name", "url", "token", "parallel", "weight", "priority", connect, first_byte, stall]
    };

    /// With its share of the work as it is by default, and the time-outs of the settings.
    pub fn new(name: String, url: String, token: String) -> Self {
        Self {
            name,
            url,
            token,
            parallel: String::new(),
            weight: String::new(),
            priority: String::new(),
            connect_timeout_s: String::new(),
            first_byte_timeout_s: String::new(),
            stall_timeout_s: String::new(),
        }
    }

    /// In the order of [`Timeouts::FIELDS`].
    pub fn timeouts(&self) -> [&str; 3] {
        [&self.connect_timeout_s, &self.first_byte_timeout_s, &self.stall_timeout_s]
    }
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
    /// As [`Share`] reads them; empty is the default.
    #[serde(default)]
    pub parallel: String,
    #[serde(default)]
    pub weight: String,
    #[serde(default)]
    pub priority: String,
    /// As [`Timeouts`] reads them; empty is the setting's.
    #[serde(default)]
    pub connect_timeout_s: String,
    #[serde(default)]
    pub first_byte_timeout_s: String,
    #[serde(default)]
    pub stall_timeout_s: String,
}

impl EditBackend {
    /// An edit that changes nothing.
    pub fn of(backend: &BackendView) -> Self {
        let [parallel, weight, priority] = ShareEdit::default().apply(backend.into());
        let [connect_timeout_s, first_byte_timeout_s, stall_timeout_s] = TimeoutsEdit::default().apply(backend.into());
        Self {
            id: backend.id.clone(),
            name: backend.name.clone(),
            url: backend.url.clone(),
            token: String::new(),
            clear_token: false,
            parallel,
            weight,
            priority,
            connect_timeout_s,
            first_byte_timeout_s,
            stall_timeout_s,
        }
    }

    /// In the order of [`Timeouts::FIELDS`].
    pub fn timeouts(&self) -> [&str; 3] {
        [&self.connect_timeout_s, &self.first_byte_timeout_s, &self.stall_timeout_s]
    }
}

/// Switches a backend on or off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetBackendEnabled {
    pub id: BackendId,
    pub enabled: bool,
}

/// Drains a backend, or takes it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetBackendDraining {
    pub id: BackendId,
    pub draining: bool,
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
#[serde(tag = "kind", rename_all = "snake_case", try_from = "ReadProbe")]
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

/// The same as it is read: the members of all kinds, for the reason that [`crate::error`] has.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ReadProbe {
    kind: String,
    version: Option<String>,
    models: Vec<String>,
    detail: String,
}

impl TryFrom<ReadProbe> for ProbeResult {
    type Error = &'static str;

    fn try_from(ReadProbe { kind, version, models, detail }: ReadProbe) -> Result<Self, Self::Error> {
        Ok(match kind.as_str() {
            "ok" => Self::Ok { version, models },
            "refused" => Self::Refused,
            "timed_out" => Self::TimedOut,
            "dns" => Self::Dns,
            "tls" => Self::Tls,
            "unauthorized" => Self::Unauthorized,
            "not_ollama" => Self::NotOllama { detail },
            "failed" => Self::Failed { detail },
            _ => return Err("no result of a look at an address"),
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_of_a_look_is_read_as_it_was_written() {
        let detail = || "it said \"no\"".to_owned();
        let all = [
            ProbeResult::Ok { version: Some("0.30.1".into()), models: vec!["a:latest".into(), "b:latest".into()] },
            ProbeResult::Ok { version: None, models: vec![] },
            ProbeResult::Refused,
            ProbeResult::TimedOut,
            ProbeResult::Dns,
            ProbeResult::Tls,
            ProbeResult::Unauthorized,
            ProbeResult::NotOllama { detail: detail() },
            ProbeResult::Failed { detail: detail() },
        ];
        for result in all {
            let written = serde_json::to_string(&result).unwrap();
            assert_eq!(serde_json::from_str::<ProbeResult>(&written).unwrap(), result, "{written}");
        }
        assert!(serde_json::from_str::<ProbeResult>(r#"{"kind":"odd"}"#).is_err());
    }
}
