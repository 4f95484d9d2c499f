//! What was done in the admin app and on the command line, and what was refused, as the Audit page shows it. Nothing here
//! may hold a secret: values that are secret are told as set or not set.

use serde::{Deserialize, Serialize};

use crate::{admin::Role, id::AdminId};

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// What to read of the log: newest first. Everything that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AuditQuery {
    /// Unix milliseconds, included.
    pub from: Option<u64>,
    /// Unix milliseconds, not included.
    pub to: Option<u64>,
    /// Name of the actor, in any case.
    pub actor: Option<String>,
    pub outcome: Option<AuditOutcome>,
    /// Part of action, reason, address, or of what was changed, in any case.
    pub text: Option<String>,
    /// `at` and `id` of the last row of the page before.
    pub after: Option<(u64, String)>,
    /// Rows at most.
    pub limit: usize,
}

impl AuditQuery {
    /// Whether a row is one of those asked for, its place aside.
    pub fn matches(&self, entry: &AuditEntry) -> bool {
        let has = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        let in_change = |change: &AuditChange, part: &str| {
            has(&change.kind, part)
                || has(&change.name, part)
                || has(&change.id, part)
                || change.fields.iter().any(|field| {
                    has(&field.field, part)
                        || [&field.before, &field.after].into_iter().flatten().any(|text| has(text, part))
                })
        };
        self.actor.as_ref().is_none_or(|name| entry.actor.name.to_lowercase() == name.to_lowercase())
            && self.outcome.is_none_or(|outcome| entry.outcome == outcome)
            && self.from.is_none_or(|from| entry.at >= from)
            && self.to.is_none_or(|to| entry.at < to)
            && self.text.as_ref().is_none_or(|part| {
                has(&entry.action, part)
                    || [&entry.reason, &entry.actor.address].into_iter().flatten().any(|text| has(text, part))
                    || entry.changes.iter().any(|change| in_change(change, part))
            })
    }
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditActor {
    /// The account's name at that time; `command line`, `gateway` for what it does by itself, or what a stranger typed.
    pub name: String,
    /// `None` for whoever has no account.
    pub id: Option<AdminId>,
    pub role: Option<Role>,
    /// Canonical IP address; `None` for the command line and the gateway itself.
    pub address: Option<String>,
}

/// One thing that an action changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditChange {
    /// `admin`, `session`, `backend`, `user`, `key`, `setting`.
    pub kind: String,
    /// Its id, or the name of a setting.
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
