//! Models on their way to backends as pages and command line see them: what was asked for, how far it is, and on how many
//! backends a model is to be kept. What happens when is `control::pulls`'s business.

mod input;

use serde::{Deserialize, Serialize};

pub use self::input::{KeepCopies, PullRef, StartPull};
use crate::id::{BackendId, PullId};

/// One model on its way to one backend, or how that ended. All times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullView {
    pub id: PullId,
    /// As it was asked for.
    pub model: String,
    pub backend: BackendId,
    pub backend_name: String,
    /// Who asked for it.
    pub by: String,
    pub state: PullState,
    pub asked_at: u64,
    pub ended_at: Option<u64>,
    /// What it waits for, what the backend says that it does, or why it failed; a sentence without full stop.
    pub said: String,
    /// Bytes of what the backend has named so far, and how many of them it has.
    pub total: u64,
    pub completed: u64,
    /// Bytes a second of late; `None` while nothing comes.
    pub speed: Option<u64>,
    /// Seconds that the rest takes at that speed.
    pub left_s: Option<u64>,
    /// Amounts, speed and time left in words.
    pub amount: String,
    /// While it runs, in the order in which the backend named them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<PullLayer>,
    /// Further ones that are not told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_layers: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl PullView {
    /// How much of it is there, of 100; `None` while nothing is known.
    pub fn percent(&self) -> Option<u64> {
        percent(self.completed, self.total)
    }
}

/// One layer of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullLayer {
    pub digest: String,
    pub total: u64,
    pub completed: u64,
    /// Both in words.
    pub amount: String,
}

impl PullLayer {
    pub fn percent(&self) -> u64 {
        percent(self.completed, self.total).unwrap_or(0)
    }
}

fn percent(completed: u64, total: u64) -> Option<u64> {
    let share = u128::from(completed.min(total)) * 100 / u128::from(total.max(1));
    (total > 0).then(|| u64::try_from(share).unwrap_or(100))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    Queued,
    Running,
    /// Everything has come; the backend checks it, or the gateway reads the backend's list.
    Verifying,
    /// The model is there, and calls for it find it.
    Done,
    Failed,
    Cancelled,
}

impl PullState {
    /// Nothing more happens to it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Running => "Running",
            Self::Verifying => "Verifying",
            Self::Done => "Done",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// A model that is to be on so many backends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WishView {
    pub model: String,
    pub copies: u32,
    /// Names of the backends that may have it; empty for all.
    pub only: Vec<String>,
    /// Their ids, those of removed ones included.
    pub backends: Vec<BackendId>,
    /// Names of those that have it.
    pub on: Vec<String>,
    /// Names of those it is on its way to.
    pub coming: Vec<String>,
    /// Why it is on fewer than wished, and what comes next; a sentence without full stop.
    pub short: Option<String>,
}

/// A backend that a model may be pulled to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullPlace {
    pub id: BackendId,
    pub name: String,
    /// Why nothing can be pulled to it.
    pub unfit: Option<String>,
}

/// What the page of downloads shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullOverview {
    /// The process that tells, and how often it has told: what was told later is newer, whichever way it came.
    pub source: String,
    pub turn: u64,
    /// Those that run, those that wait in their order, and those that ended, newest first.
    pub pulls: Vec<PullView>,
    /// By name.
    pub wishes: Vec<WishView>,
    /// By name.
    pub places: Vec<PullPlace>,
}

impl PullOverview {
    /// Whether this says anything that `other` did not.
    pub fn says_more_than(&self, other: &Self) -> bool {
        (&self.pulls, &self.wishes, &self.places) != (&other.pulls, &other.wishes, &other.places)
    }

    /// Whether this was told later than `other`.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.source != other.source || self.turn > other.turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_process_tells_is_always_newer() {
        let told = |source: &str, turn| PullOverview { source: source.into(), turn, ..PullOverview::default() };
        assert!(told("a", 2).is_newer_than(&told("a", 1)) && !told("a", 1).is_newer_than(&told("a", 1)));
        assert!(told("b", 0).is_newer_than(&told("a", 9)));
        assert!(!told("a", 2).says_more_than(&told("a", 1)), "how often was told is no news");
    }

    #[test]
    fn a_share_is_never_more_than_all_and_unknown_without_a_total() {
        assert_eq!((percent(0, 0), percent(5, 0)), (None, None));
        assert_eq!((percent(1, 3), percent(3, 3), percent(9, 3)), (Some(33), Some(100), Some(100)));
        assert_eq!(percent(u64::MAX, u64::MAX), Some(100));
    }
}
