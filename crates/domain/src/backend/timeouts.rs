//! How long one backend is waited for, where that differs from the settings: as it is typed and as it is stored.

use serde::{Deserialize, Serialize};

use super::{BackendView, number};
use crate::error::FieldError;

/// Longest wait for a connection, in seconds.
pub const MAX_CONNECT_TIMEOUT_S: u32 = 60;
/// Longest wait for a first byte, and between two of them, in seconds.
pub const MAX_TIMEOUT_S: u32 = 86_400;

/// What takes a time-out of its own away on the command line, beside nothing at all.
const DEFAULT: &str = "default";

/// A backend's own time-outs in seconds; what is `None` is the setting's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeouts {
    /// For a connection, 1 to [`MAX_CONNECT_TIMEOUT_S`].
    pub connect_timeout_s: Option<u32>,
    /// For the first byte of an answer, 1 to [`MAX_TIMEOUT_S`].
    pub first_byte_timeout_s: Option<u32>,
    /// Between two pieces of an answer, 1 to [`MAX_TIMEOUT_S`].
    pub stall_timeout_s: Option<u32>,
}

impl Timeouts {
    /// Field names of the forms, in the page's order; the settings' are called the same.
    pub const FIELDS: [&str; 3] = ["connect_timeout_s", "first_byte_timeout_s", "stall_timeout_s"];

    /// Reads the fields of [`super::AddBackend`] and [`super::EditBackend`], in the order of [`Self::FIELDS`]; what is
    /// empty is the setting's. The error holds one fault for each field that has one.
    pub fn from_fields(fields: [&str; 3]) -> Result<Self, Vec<FieldError>> {
        let mut faults = Vec::new();
        let mut read = |index: usize, max| {
            let text = fields[index].trim();
            let text = if text.eq_ignore_ascii_case(DEFAULT) { "" } else { text };
            number(&mut faults, Self::FIELDS[index], text, 1..=max, " (seconds), or empty for the setting's")
        };
        let timeouts = Self {
            connect_timeout_s: read(0, MAX_CONNECT_TIMEOUT_S),
            first_byte_timeout_s: read(1, MAX_TIMEOUT_S),
            stall_timeout_s: read(2, MAX_TIMEOUT_S),
        };
        if faults.is_empty() { Ok(timeouts) } else { Err(faults) }
    }

    /// In the order of [`Self::FIELDS`].
    pub fn values(&self) -> [Option<u32>; 3] {
        [self.connect_timeout_s, self.first_byte_timeout_s, self.stall_timeout_s]
    }

    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Some of them as the command line gives them; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsEdit {
    /// Seconds, or `default`.
    pub connect_timeout_s: Option<String>,
    pub first_byte_timeout_s: Option<String>,
    pub stall_timeout_s: Option<String>,
}

impl TimeoutsEdit {
    /// The fields as a form sends them, in the order of [`Timeouts::FIELDS`], where `before` was.
    pub fn apply(self, before: Timeouts) -> [String; 3] {
        let shown = before.values().map(|value| value.map_or_else(String::new, |seconds| seconds.to_string()));
        let [connect, first_byte, stall] = shown;
        [
            self.connect_timeout_s.unwrap_or(connect),
            self.first_byte_timeout_s.unwrap_or(first_byte),
            self.stall_timeout_s.unwrap_or(stall),
        ]
    }
}

impl From<&BackendView> for Timeouts {
    fn from(backend: &BackendView) -> Self {
        backend.timeouts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: [&str; 3]) -> Result<Timeouts, Vec<String>> {
        Timeouts::from_fields(fields).map_err(|faults| faults.into_iter().map(|fault| fault.message).collect())
    }

    #[test]
    fn nothing_typed_is_the_settings_and_bounds_are_named() {
        assert_eq!(read(["", " ", "Default "]), Ok(Timeouts::default()));
        let set = read(["60", " 86400", "1"]).unwrap();
        assert_eq!(set.values(), [Some(60), Some(86_400), Some(1)]);
        for bad in [["0", "0", "0"], ["61", "86401", "86401"], ["1.5", "-1", "soon"]] {
            let faults = read(bad).unwrap_err();
            assert_eq!(faults.len(), 3, "{faults:?}");
            for (fault, bounds) in faults.iter().zip(["from 1 to 60 ", "from 1 to 86400 ", "from 1 to 86400 "]) {
                assert!(fault.contains(bounds), "{fault}");
            }
        }
    }

    #[test]
    fn an_edit_changes_what_it_names() {
        let before = read(["5", "7", ""]).unwrap();
        let after = |edit: TimeoutsEdit| {
            let fields = edit.apply(before);
            Timeouts::from_fields(fields.each_ref().map(String::as_str)).unwrap()
        };
        assert_eq!(after(TimeoutsEdit::default()), before);
        let edit = TimeoutsEdit {
            first_byte_timeout_s: Some("default".into()),
            stall_timeout_s: Some("9".into()),
            ..TimeoutsEdit::default()
        };
        assert_eq!(after(edit).values(), [Some(5), None, Some(9)]);
    }
}
