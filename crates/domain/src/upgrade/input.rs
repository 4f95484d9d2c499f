//! What is asked for: beginning a rolling upgrade, and answering one that is under way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{UpgradePhase, UpgradeStep, UpgradeView, Version};
use crate::{error::FieldError, id::BackendId};

const BOX: &str = "b_";

/// Begins a rolling upgrade.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartUpgrade {
    /// Boxes of the backends that take part, as [`StartUpgrade::box_of`] names them; one that is not ticked is not sent.
    #[serde(default)]
    pub backends: BTreeMap<String, bool>,
    /// The version they should run afterwards; empty accepts any that is not older than before.
    #[serde(default)]
    pub version: String,
    /// Also where a model is on one backend only, so that calls for it find none meanwhile.
    #[serde(default)]
    pub force: bool,
}

impl StartUpgrade {
    /// What faults stand beside.
    pub const FIELDS: [&str; 3] = ["backends", "version", "force"];

    /// How the names of all boxes begin in a form, within `input[…]`.
    pub const BOXES: &str = "backends][";

    /// The name of a backend's box. In forms a name that begins with a digit, as ids may, would be a place in a list.
    pub fn box_of(id: &BackendId) -> String {
        format!("{BOX}{id}")
    }

    /// The id in a box's name, as it came.
    pub fn id_of(name: &str) -> &str {
        name.strip_prefix(BOX).unwrap_or(name)
    }

    /// Ids of the backends that are ticked, as they came.
    pub fn ticked(&self) -> impl Iterator<Item = &str> {
        let ticked = self.backends.iter().filter(|(_, ticked)| **ticked);
        ticked.map(|(name, _)| Self::id_of(name))
    }

    /// The wished version as it is compared, without a `v` in front.
    pub fn wanted(&self) -> Result<Option<String>, FieldError> {
        let text = self.version.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        match Version::parse(text) {
            Some(_) if text.len() <= 40 => Ok(Some(text.to_owned())),
            _ => Err(FieldError::new("version", "write it as Ollama tells it, for example 0.17.1")),
        }
    }
}

/// Answers a rolling upgrade that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerUpgrade {
    /// The run that was looked at; empty for whichever there is.
    #[serde(default)]
    pub run: String,
    /// Whose turn it was then; empty for whosever it is.
    #[serde(default)]
    pub backend: String,
    /// The count of changes that was shown; 0 without a run for whatever it is. What has changed since may give "go on" another meaning, so
    /// that it is refused then.
    #[serde(default)]
    pub change: u64,
    pub answer: UpgradeAnswer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpgradeAnswer {
    /// Go on: the backend is upgraded, or the pause is over, or what was warned of is accepted.
    Continue,
    /// Look again, or let the command run again.
    Retry,
    /// Take it back although something is missing.
    Rejoin,
    Pause,
    /// End the run and take the present backend back.
    StopRejoin,
    /// End the run and leave the present backend drained.
    StopDrained,
}

impl UpgradeAnswer {
    /// As it is written in forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Retry => "retry",
            Self::Rejoin => "rejoin",
            Self::Pause => "pause",
            Self::StopRejoin => "stop_rejoin",
            Self::StopDrained => "stop_drained",
        }
    }
}

/// What the page of rolling upgrades shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeOverview {
    /// The one that is under way, or the last one.
    pub run: Option<UpgradeView>,
    /// The backends that may take part, by name.
    pub places: Vec<UpgradePlace>,
}

/// A backend that may take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradePlace {
    pub id: BackendId,
    pub name: String,
    pub version: Option<String>,
    /// Its models that no other backend has: calls for them find no backend while it is away.
    pub alone: Vec<String>,
}

impl UpgradeStep {
    /// A backend whose turn is still to come.
    pub fn new(backend: BackendId, name: String, url: String, now: u64) -> Self {
        Self {
            backend,
            name,
            url,
            phase: UpgradePhase::Waiting,
            since: now,
            was_draining: false,
            before: None,
            after: None,
            cold: Vec::new(),
            overdue: false,
            seen_down: false,
            commanded: false,
            accepted: false,
            waits: None,
            problem: None,
            notes: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wished_version_is_one_that_ollama_would_tell() {
        let wanted = |version: &str| StartUpgrade { version: version.into(), ..Default::default() }.wanted();
        assert_eq!(wanted("  "), Ok(None));
        assert_eq!(wanted(" v0.17.1 "), Ok(Some("0.17.1".into())));
        assert_eq!(wanted("0.18.0-rc2"), Ok(Some("0.18.0-rc2".into())));
        for bad in ["latest", "0.17.x", "-1", "<b>1</b>", "1.2.3 4", &"1".repeat(50)] {
            assert_eq!(wanted(bad).unwrap_err().field, "version", "{bad}");
        }
    }

    #[test]
    fn answers_are_written_as_they_are_read() {
        use UpgradeAnswer::*;
        for answer in [Continue, Retry, Rejoin, Pause, StopRejoin, StopDrained] {
            assert_eq!(serde_json::to_value(answer).unwrap(), answer.as_str());
        }
    }
}
