//! What was done in the admin app and on the command line, and what was refused, as the Audit page shows it. Nothing here
//! may hold a secret: values that are secret are told as set or not set.

mod filter;
mod query;

use serde::{Deserialize, Serialize};

pub(crate) use self::filter::moment;
pub use self::{
    filter::{AGE_HINT, MAX_TEXT, ReadAudit},
    query::{AuditQuery, AuditRows, Place},
};
use crate::{admin::Role, id::AdminId};

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    Done,
    Refused,
}

impl AuditOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AuditActor {
    /// The account's name at that time; `command line`, `gateway` for what it does by itself, `not signed in`, or
    /// `unknown account` in place of what was typed and is none.
    pub name: String,
    /// `None` for whoever is not signed in, also where the name is an account's that somebody tried to sign in to.
    pub id: Option<AdminId>,
    pub role: Option<Role>,
    /// Canonical IP address, of strangers over IPv6 their network; `None` for the command line and the gateway itself.
    pub address: Option<String>,
}

/// One thing that an action changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditChange {
    /// `administrator`, `session`, `backend`, `user`, `key`, `setting`, `model`.
    pub kind: String,
    /// Its id, or the name of a setting; of a model its backend's.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The members that differ, with their values before and after: `None` where there was or is none. Secrets appear
    /// as `(set)`.
    pub fields: Vec<AuditField>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditField {
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// One row of the audit log. Rows are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Random; with `at` it names the row.
    pub id: String,
    /// Unix milliseconds.
    pub at: u64,
    pub actor: AuditActor,
    /// In words, for example `user added`.
    pub action: String,
    pub outcome: AuditOutcome,
    /// Why it was refused.
    pub reason: Option<String>,
    /// How often within its minute, for refusals that repeat; else 1.
    pub count: u64,
    /// Empty for refusals.
    pub changes: Vec<AuditChange>,
}

/// A page of the log, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// [`ReadAudit::after`] of the page of older rows; `None`: there are none.
    pub next: Option<String>,
    /// Unix milliseconds down to which was looked, where the search was ended before the page was full.
    pub looked_back_to: Option<u64>,
}

impl AuditPage {
    /// The rows that were found; `full` is how many would have filled the page.
    pub fn new(rows: AuditRows, full: usize) -> Self {
        let ended_early = rows.entries.len() < full;
        let looked_back_to = rows.next.as_ref().filter(|_| ended_early).map(|(at, _)| *at);
        Self { next: rows.next.as_ref().map(filter::place_text), looked_back_to, entries: rows.entries }
    }
}
