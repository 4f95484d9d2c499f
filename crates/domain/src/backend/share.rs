//! How much of the work a backend gets: its bound, weight and priority, as they are typed and as they are stored.

use serde::{Deserialize, Serialize};

use super::{BackendView, MAX_PARALLEL, MAX_PRIORITY, MAX_WEIGHT, number};
use crate::error::FieldError;

/// What learns the bound from the backend, beside nothing at all.
const LEARNED: &str = "auto";

/// A backend's bound, weight and priority, in their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// As [`BackendView::parallel`].
    pub parallel: Option<u32>,
    pub weight: u32,
    pub priority: u32,
}

impl Default for Share {
    fn default() -> Self {
        Self { parallel: None, weight: 1, priority: 0 }
    }
}

impl Share {
    /// Reads the fields of [`super::AddBackend`] and [`super::EditBackend`]; what is empty is the default. The error holds
    /// one fault for each field that has one.
    pub fn from_fields(parallel: &str, weight: &str, priority: &str) -> Result<Self, Vec<FieldError>> {
        let (default, mut faults) = (Self::default(), Vec::new());
        let mut read = |field, text, bounds, or| number(&mut faults, field, text, bounds, or);
        let parallel = if parallel.trim().eq_ignore_ascii_case(LEARNED) { "" } else { parallel };
        let share = Self {
            parallel: read("parallel", parallel, 1..=MAX_PARALLEL, ", or empty to learn it from the backend"),
            weight: read("weight", weight, 1..=MAX_WEIGHT, "").unwrap_or(default.weight),
            priority: read("priority", priority, 0..=MAX_PRIORITY, "").unwrap_or(default.priority),
        };
        if faults.is_empty() { Ok(share) } else { Err(faults) }
    }

    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&BackendView> for Share {
    fn from(backend: &BackendView) -> Self {
        Self { parallel: backend.parallel, weight: backend.weight, priority: backend.priority }
    }
}

/// Some of it as the command line gives it; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShareEdit {
    /// A number, or `auto`.
    pub parallel: Option<String>,
    pub weight: Option<String>,
    pub priority: Option<String>,
}

impl ShareEdit {
    /// The fields as a form sends them (parallel, weight, priority), where `before` was.
    pub fn apply(self, before: Share) -> [String; 3] {
        let parallel = || before.parallel.map_or_else(String::new, |parallel| parallel.to_string());
        [
            self.parallel.unwrap_or_else(parallel),
            self.weight.unwrap_or_else(|| before.weight.to_string()),
            self.priority.unwrap_or_else(|| before.priority.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read([parallel, weight, priority]: [&str; 3]) -> Result<Share, Vec<String>> {
        Share::from_fields(parallel, weight, priority)
            .map_err(|faults| faults.into_iter().map(|fault| fault.message).collect())
    }

    #[test]
    fn nothing_typed_is_the_default_and_bounds_are_named() {
        assert_eq!(read(["", " ", ""]), Ok(Share::default()));
        assert_eq!(read([" Auto ", "1", "0"]), Ok(Share::default()));
        assert_eq!(read(["1000", "100", "100"]), Ok(Share { parallel: Some(1_000), weight: 100, priority: 100 }));
        for bad in [["0", "0", "101"], ["1001", "101", "-1"], ["two", "1.5", "high"]] {
            let faults = read(bad).unwrap_err();
            assert_eq!(faults.len(), 3, "{faults:?}");
            for (fault, bounds) in faults.iter().zip(["from 1 to 1000, or empty", "from 1 to 100", "from 0 to 100"]) {
                assert!(fault.contains(bounds), "{fault}");
            }
        }
    }

    #[test]
    fn an_edit_changes_what_it_names() {
        let before = Share { parallel: Some(4), weight: 3, priority: 7 };
        let read = |edit: ShareEdit| {
            let [parallel, weight, priority] = edit.apply(before);
            Share::from_fields(&parallel, &weight, &priority).unwrap()
        };
        assert_eq!(read(ShareEdit::default()), before);
        let edit = ShareEdit { parallel: Some("auto".into()), priority: Some("0".into()), weight: None };
        assert_eq!(read(edit), Share { parallel: None, weight: 3, priority: 0 });
    }
}
