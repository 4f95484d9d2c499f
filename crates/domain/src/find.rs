//! Finding a page, a setting, a section of the help, a user, a backend, a model or an alias by a part of its name.

use serde::{Deserialize, Serialize};

/// Longest text that is searched for, in characters; what is longer finds nothing.
pub const MAX_TEXT: usize = 100;
/// Most that is found of one kind, and of all kinds together.
pub const MOST_OF_KIND: usize = 6;
pub const MOST: usize = 24;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Find {
    /// Every word of it must be in what is found. Empty finds the pages.
    pub text: String,
}

/// One that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// For people: `Page`, `User`, …
    pub kind: String,
    pub title: String,
    /// What tells it from others of the title, or says what it is.
    pub detail: String,
    pub href: String,
}
