//! What administrators write down about a user or a key for each other: a short label and a longer note. Nothing is decided
//! by them.

use serde::{Deserialize, Serialize};

use crate::id::{KeyId, UserId};

/// Most characters of a label.
pub const MAX_LABEL: usize = 60;
/// Most characters of a note.
pub const MAX_NOTE: usize = 1_000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    pub label: String,
    /// Of several lines.
    pub note: String,
}

impl Remarks {
    /// Tells these from others: whoever saves says with it what was on the screen.
    pub fn version(&self) -> String {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&(self.label.len() as u64).to_be_bytes());
        hasher.update(self.label.as_bytes());
        hasher.update(self.note.as_bytes());
        format!("{:08x}-{:x}", hasher.finalize(), self.note.len())
    }
}

/// The same on a page, with what tells them from others. Browsers do not compute that: the tables of the checksum weigh more
/// than a form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RemarksView {
    pub label: String,
    pub note: String,
    /// [`Remarks::version`].
    pub version: String,
}

impl From<&Remarks> for RemarksView {
    fn from(remarks: &Remarks) -> Self {
        Self { label: remarks.label.clone(), note: remarks.note.clone(), version: remarks.version() }
    }
}

/// Replaces the remarks of a user or a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetRemarks<Id> {
    pub id: Id,
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub note: String,
    /// [`Remarks::version`] of what was on the screen; with others there meanwhile the save is refused.
    pub seen: String,
}

pub type SetUserRemarks = SetRemarks<UserId>;
pub type SetKeyRemarks = SetRemarks<KeyId>;

/// What faults stand beside. The fault beside `seen` is the version to save over, once it was read what is there now.
pub const REMARK_FIELDS: [&str; 3] = ["label", "note", "seen"];

/// What the command line changes; what is `None` stays, empty text takes it away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RemarksEdit {
    pub label: Option<String>,
    pub note: Option<String>,
}

impl RemarksEdit {
    /// What is typed then, where `before` was.
    pub fn apply(&self, before: &Remarks) -> Remarks {
        Remarks {
            label: self.label.clone().unwrap_or_else(|| before.label.clone()),
            note: self.note.clone().unwrap_or_else(|| before.note.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_remarks_have_another_version() {
        let of = |label: &str, note: &str| Remarks { label: label.into(), note: note.into() }.version();
        assert_eq!(of("a", "b"), of("a", "b"));
        let all = [of("", ""), of("a", "b"), of("ab", ""), of("", "ab"), of("a", "c"), of("b", "a")];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{all:?}");
        }
    }
}
