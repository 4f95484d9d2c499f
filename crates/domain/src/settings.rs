//! The settings an administrator can save, each with its bounds and the source of its present value.

pub mod guide;

use serde::{Deserialize, Serialize};

use crate::{balance::Balance, limit::RateLimit, look::Logo};

/// Largest value of [`SettingsView::max_body_mb`].
pub const MAX_BODY_MB: u32 = 512;
/// Bounds and default of [`SettingsView::body_memory_mb`].
pub const MIN_BODY_MEMORY_MB: u32 = 2;
pub const MAX_BODY_MEMORY_MB: u32 = 1_000_000;
pub const BODY_MEMORY_MB: u32 = 512;

/// Least memory for all bodies together where one may have `max_body_mb`: while a body is being changed there are two.
pub fn least_body_memory_mb(max_body_mb: u32) -> u32 {
    max_body_mb.saturating_mul(2)
}

/// Largest and default value of [`SettingsView::queue_max`].
pub const MAX_QUEUE: u32 = 100_000;
pub const QUEUE: u32 = 1_000;
/// Largest and default value of [`SettingsView::queue_seconds`].
pub const MAX_QUEUE_SECONDS: u32 = 3_600;
pub const QUEUE_SECONDS: u32 = 60;
/// Largest and default value of [`SettingsView::usage_days`].
pub const MAX_USAGE_DAYS: u32 = 3_650;
pub const USAGE_DAYS: u32 = 30;
/// Bounds and default of [`SettingsView::rollup_days`].
pub const MIN_ROLLUP_DAYS: u32 = 30;
pub const MAX_ROLLUP_DAYS: u32 = 36_500;
pub const ROLLUP_DAYS: u32 = 730;

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

/// Where the value of a field comes from, in words, and what a reset of it would bring back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The field, as [`SaveSettings`] calls it; the first where several are one setting.
    pub name: String,
    pub text: String,
    /// What counts once the saved value is forgotten; `None` where none is saved.
    pub reset: Option<String>,
}

/// Forgets the saved value of one setting, so that the environment or the default counts again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResetSetting {
    /// [`Origin::name`].
    pub name: String,
    /// As [`SaveSettings::version`].
    pub version: String,
}

/// Everything on the Settings page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsView {
    /// Limit of keys that have none of their own; `None` is no limit.
    pub default_limit: Sourced<Option<RateLimit>>,
    /// `redis://host:port/db` without its password; empty for none.
    pub redis_url: Sourced<String>,
    pub redis_has_password: bool,
    /// Certificates in PEM, of which one must vouch for Redis over TLS; empty for those that the machine trusts.
    pub redis_ca: Sourced<String>,
    /// Gateways that share the limits; each takes its part of them while Redis is not there.
    pub replicas: Sourced<u32>,
    pub catalogue_interval_s: Sourced<u32>,
    pub connect_timeout_s: Sourced<u32>,
    pub first_byte_timeout_s: Sourced<u32>,
    pub stall_timeout_s: Sourced<u32>,
    /// How a backend is chosen among those that have a model.
    pub balance: Sourced<Balance>,
    /// Requests that may wait for a slot; 0 refuses at once.
    pub queue_max: Sourced<u32>,
    /// Longest that one waits.
    pub queue_seconds: Sourced<u32>,
    /// Days that single requests stay in the log.
    pub usage_days: Sourced<u32>,
    /// Days that sums of usage stay.
    pub rollup_days: Sourced<u32>,
    /// Largest request body in MB (1,000,000 bytes).
    pub max_body_mb: Sourced<u32>,
    /// MB that all request bodies may take together.
    pub body_memory_mb: Sourced<u32>,
    /// Origins the admin pages may be used from; empty compares with the Host header.
    pub public_url: Sourced<String>,
    /// Whether keys reach these classes of endpoints without a permission of their own.
    pub class_inference: Sourced<bool>,
    pub class_catalogue: Sourced<bool>,
    pub class_management: Sourced<bool>,
    /// What the product is called in the navigation, in the browser and on the sign-in page.
    pub product_title: Sourced<String>,
    /// `#rrggbb`; empty or `none` for the product's own colours.
    pub accent: Sourced<String>,
    /// Stands for everything above: changes when any of it does.
    pub version: String,
    /// Where each of them comes from, for people.
    pub origins: Vec<Origin>,
    /// How the accent is shown, in words; empty where there is none.
    pub accent_words: String,
    pub logo: Option<Logo>,
}

/// Saves the page. Every field as typed; empty means: back to environment or default. All is validated before anything
/// is saved; faults name the field as it is called here. No Debug: there may be a password in it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SaveSettings {
    /// `requests` and `minutes` of the default limit; both or neither; `0` requests means no limit at all.
    pub requests: String,
    pub minutes: String,
    /// A whole address. Empty, or the one in force: the fields below count.
    pub redis_url: String,
    /// Empty, with `redis_url` empty too, is no Redis.
    pub redis_host: String,
    /// Empty is 6379.
    pub redis_port: String,
    pub redis_user: String,
    /// Empty keeps the stored one as long as host, port and user stay.
    pub redis_password: String,
    /// Number of the database; empty is 0.
    pub redis_database: String,
    /// `on` for TLS, as a checkbox sends it.
    pub redis_tls: String,
    /// `on` to forget the stored password.
    pub redis_forget_password: String,
    /// Certificates in PEM; `none` where one from the environment should not count.
    pub redis_ca: String,
    pub replicas: String,
    pub catalogue_interval_s: String,
    pub connect_timeout_s: String,
    pub first_byte_timeout_s: String,
    pub stall_timeout_s: String,
    /// The name of a strategy.
    pub balance: String,
    pub queue_max: String,
    pub queue_seconds: String,
    pub usage_days: String,
    pub rollup_days: String,
    pub max_body_mb: String,
    pub body_memory_mb: String,
    pub public_url: String,
    /// `yes` or `no`; empty is the default.
    pub class_inference: String,
    pub class_catalogue: String,
    pub class_management: String,
    pub product_title: String,
    pub accent: String,
    /// `SettingsView::version` of what the form showed; a save over settings that changed in between is refused. Empty
    /// saves over whatever is there.
    pub version: String,
}

impl SaveSettings {
    /// Every field that people fill in, in the page's order.
    pub const FIELDS: [&str; 29] = [
        "requests",
        "minutes",
        "balance",
        "queue_max",
        "queue_seconds",
        "redis_host",
        "redis_port",
        "redis_user",
        "redis_password",
        "redis_database",
        "redis_tls",
        "redis_forget_password",
        "redis_url",
        "redis_ca",
        "replicas",
        "catalogue_interval_s",
        "connect_timeout_s",
        "first_byte_timeout_s",
        "stall_timeout_s",
        "class_inference",
        "class_catalogue",
        "class_management",
        "max_body_mb",
        "body_memory_mb",
        "usage_days",
        "rollup_days",
        "public_url",
        "product_title",
        "accent",
    ];
    /// Those that never go back to a page as they were typed.
    pub const UNKEPT: [&str; 2] = ["redis_password", "redis_forget_password"];
}

/// What a test of the Redis address found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", try_from = "ReadRedis")]
pub enum RedisState {
    NotConfigured,
    Reachable { version: String },
    Unreachable { detail: String },
}

/// How it is with Redis now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", try_from = "ReadRedis")]
pub enum RedisStatus {
    #[default]
    NotConfigured,
    Connecting,
    /// Limits and lock-outs are counted there.
    InUse {
        version: String,
        latency_ms: u64,
    },
    /// This gateway counts alone, since a time in Unix milliseconds.
    Failed {
        detail: String,
        since: u64,
    },
}

/// Either as it is read: the members of all kinds, for the reason that [`crate::error`] has.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ReadRedis {
    kind: String,
    version: String,
    detail: String,
    latency_ms: u64,
    since: u64,
}

impl TryFrom<ReadRedis> for RedisState {
    type Error = &'static str;

    fn try_from(ReadRedis { kind, version, detail, .. }: ReadRedis) -> Result<Self, Self::Error> {
        Ok(match kind.as_str() {
            "not_configured" => Self::NotConfigured,
            "reachable" => Self::Reachable { version },
            "unreachable" => Self::Unreachable { detail },
            _ => return Err("no state of Redis"),
        })
    }
}

impl TryFrom<ReadRedis> for RedisStatus {
    type Error = &'static str;

    fn try_from(ReadRedis { kind, version, detail, latency_ms, since }: ReadRedis) -> Result<Self, Self::Error> {
        Ok(match kind.as_str() {
            "not_configured" => Self::NotConfigured,
            "connecting" => Self::Connecting,
            "in_use" => Self::InUse { version, latency_ms },
            "failed" => Self::Failed { detail, since },
            _ => return Err("no status of Redis"),
        })
    }
}

/// Most gateways that may share the limits.
pub const MAX_REPLICAS: u32 = 1_000;

/// What is needed of Redis, as a user of its own that can do nothing else. `PASSWORD` stands for a password.
pub const REDIS_USER: &str = "ACL SETUSER fortress on >PASSWORD resetkeys ~op:* resetchannels -@all +ping +info +time \
+select +script|load +evalsha +eval +hgetall +hset +hdel +del +pexpire +zadd +zcard +zrange +zrem +zremrangebyscore";

/// What to say about a Redis of this version, `None` where nothing is known against it.
pub fn redis_warning(version: &str) -> Option<&'static str> {
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let (major, minor) = (numbers.next()?, numbers.next()?);
    let version = (major, minor, numbers.next().unwrap_or_default());
    let mended = match (major, minor) {
        (..=5, _) | (6, ..=2) => (6, 2, 20),
        (6, _) | (7, ..=2) => (7, 2, 11),
        (7, _) => (7, 4, 6),
        (8, ..=1) => (8, 0, 4),
        _ => (8, 2, 2),
    };
    if version < mended {
        Some(
            "this version of Redis lets whoever may run scripts take over its machine (CVE-2025-49844): update it, unless \
             your distribution has mended it under the old number",
        )
    } else if version < (8, 6, 3) {
        Some("Redis before 8.6.3 has known security faults (CVE-2026-23479 among them): update it when you can")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_says_is_read_as_it_was_written() {
        fn reads<T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(all: &[T]) {
            for one in all {
                let written = serde_json::to_string(one).unwrap();
                assert_eq!(serde_json::from_str::<T>(&written).unwrap(), *one, "{written}");
            }
            assert!(serde_json::from_str::<T>(r#"{"kind":"odd"}"#).is_err());
        }
        let (version, detail) = (|| "8.6.3".to_owned(), || "refused".to_owned());
        reads(&[
            RedisState::NotConfigured,
            RedisState::Reachable { version: version() },
            RedisState::Unreachable { detail: detail() },
        ]);
        reads(&[
            RedisStatus::NotConfigured,
            RedisStatus::Connecting,
            RedisStatus::InUse { version: version(), latency_ms: 3 },
            RedisStatus::Failed { detail: detail(), since: 7 },
        ]);
    }

    #[test]
    fn the_list_of_fields_is_whole() {
        crate::tests::assert_fields(&SaveSettings::default(), &[&SaveSettings::FIELDS, &["version"]]);
    }

    #[test]
    fn versions_with_known_faults_are_warned_of() {
        for (version, word) in [
            ("5.0.14", Some("CVE-2025-49844")),
            ("7.0.15", Some("CVE-2025-49844")),
            ("7.2.10", Some("CVE-2025-49844")),
            ("7.2.11", Some("8.6.3")),
            ("7.4.5", Some("CVE-2025-49844")),
            ("8.0.4", Some("8.6.3")),
            ("8.2.1", Some("CVE-2025-49844")),
            ("8.6.2", Some("8.6.3")),
            ("8.6.3", None),
            ("9.0.0", None),
            ("of unknown version", None),
        ] {
            let warning = redis_warning(version);
            assert_eq!(warning.is_some(), word.is_some(), "{version}");
            assert!(word.is_none_or(|word| warning.unwrap().contains(word)), "{version}: {warning:?}");
        }
    }
}
