//! What one key or one user may do beyond its request limit, every part optional. Reading it from forms, writing it for
//! people and matching model names live here; counting and enforcing belong to `gateway`.

mod form;
mod input;
mod pattern;
mod standing;
mod summary;
mod time;

use serde::{Deserialize, Serialize};

pub use self::{
    form::{PolicyEdit, SetKeyPolicy, SetPolicy, SetUserPolicy},
    input::{PolicyInput, expiry},
    pattern::{InvalidPattern, ModelPattern, normal_name},
    standing::{Meter, PartyStanding, Standing, WindowStanding},
    time::{day_begins, day_of, format_utc, month_begins, month_of, parse_utc},
};
use crate::network::Networks;

/// A key and its user each have one, and both apply: of two ceilings the smaller, of two allow lists what both admit.
/// Only `management` and `topology` are granted by either. The default restricts nothing and grants nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Requests running at once, streaming bodies included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// Prompt and answer tokens in every 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Tokens in a calendar day of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<u64>,
    /// Tokens in a calendar month of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_month: Option<u64>,
    /// Seconds that backends worked (loading, prompt and answer) in a calendar day of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_seconds_per_day: Option<u64>,
    /// Unix milliseconds from which on the key is refused like an unknown one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// The models it may use and see; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelPattern>,
    /// It may pull, push, create, copy and delete models.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub management: bool,
    /// It may see which backend answers, and why that one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub topology: bool,
    /// Largest context a request may ask for. What a request does not ask for is the backend's own choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_ctx: Option<u32>,
    /// Most tokens of one answer, also of requests that name no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_predict: Option<u32>,
    /// Longest a request may ask for its model to stay loaded, in seconds. A request that asks for nothing gets the
    /// backend's own time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_alive_s: Option<u32>,
    /// Addresses it may be used from; empty: all.
    #[serde(with = "networks", skip_serializing_if = "Networks::is_empty")]
    pub networks: Networks,
}

/// A policy as pages show it: what it says, a line a part, and what its form holds. Browsers get the texts alone, because
/// code that reads and writes policies weighs more than a page may.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyView {
    pub lines: Vec<String>,
    pub input: PolicyInput,
}

impl From<&Policy> for PolicyView {
    fn from(policy: &Policy) -> Self {
        Self { lines: policy.summary(), input: policy.into() }
    }
}

impl Policy {
    /// It restricts nothing and grants nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// It counts tokens or GPU time, so that what was used before a restart matters.
    pub fn has_budget(&self) -> bool {
        self.tokens_per_minute.is_some()
            || self.tokens_per_day.is_some()
            || self.tokens_per_month.is_some()
            || self.gpu_seconds_per_day.is_some()
    }
}

/// Which classes of endpoints keys may reach without a permission of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Classes {
    /// Generating, chatting, embedding, transcribing, and showing a model.
    pub inference: bool,
    /// Lists of models, loaded models and versions.
    pub catalogue: bool,
    /// Pulling, pushing, creating, copying and deleting models. A key's or user's own permission adds it.
    pub management: bool,
}

impl Default for Classes {
    fn default() -> Self {
        Self { inference: true, catalogue: true, management: false }
    }
}

/// Networks are stored as the text people see.
mod networks {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::network::Networks;

    pub(super) fn serialize<S: Serializer>(networks: &Networks, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(networks)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Networks, D::Error> {
        Networks::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_stored_as_nothing_and_read_from_nothing() {
        assert_eq!(serde_json::to_string(&Policy::default()).unwrap(), "{}");
        assert!(serde_json::from_str::<Policy>("{}").unwrap().is_default());
    }

    #[test]
    fn what_is_stored_is_read_back_and_unknown_fields_are_refused() {
        let policy = Policy {
            concurrent: Some(4),
            tokens_per_day: Some(100_000),
            expires_at: Some(1_800_000_000_000),
            models: vec!["llama3.2".parse().unwrap(), "qwen*".parse().unwrap()],
            management: true,
            keep_alive_s: Some(0),
            networks: Networks::parse("10.0.0.0/8 ::1").unwrap(),
            ..Policy::default()
        };
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
        assert!(text.contains(r#""models":["llama3.2:latest","qwen*"],"management":true"#), "{text}");
        for bad in [r#"{"token_per_day":1}"#, r#"{"networks":"10.0.0.300"}"#, r#"{"models":["a b"]}"#] {
            assert!(serde_json::from_str::<Policy>(bad).is_err(), "{bad}");
        }
    }
}
