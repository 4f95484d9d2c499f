//! What is asked of the store, and which rows fit.

use super::{AuditChange, AuditEntry, AuditOutcome};

/// `at` and `id` of a row.
pub type Place = (u64, String);

/// What to read of the log: newest first. Everything that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Where the page before ended.
    pub after: Option<Place>,
    /// Rows returned at most.
    pub limit: usize,
    /// Rows looked through at most.
    pub look: usize,
}

/// Everything, as much as one reads at once.
impl Default for AuditQuery {
    fn default() -> Self {
        let (limit, look) = (50, usize::MAX);
        Self { from: None, to: None, actor: None, outcome: None, text: None, after: None, limit, look }
    }
}

/// Rows that were found, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditRows {
    pub entries: Vec<AuditEntry>,
    /// The last row that was looked at; `None` where no older one is left.
    pub next: Option<Place>,
}

impl AuditQuery {
    /// The same with actor and text in lower case, as [`matches`](Self::matches) takes them.
    pub fn folded(mut self) -> Self {
        self.actor = self.actor.map(|name| name.to_lowercase());
        self.text = self.text.map(|part| part.to_lowercase());
        self
    }

    /// Whether a row is one of those asked for, its place aside. Of a query that is [`folded`](Self::folded).
    pub fn matches(&self, entry: &AuditEntry) -> bool {
        self.outcome.is_none_or(|outcome| entry.outcome == outcome)
            && self.from.is_none_or(|from| entry.at >= from)
            && self.to.is_none_or(|to| entry.at < to)
            && self.actor.as_ref().is_none_or(|name| entry.actor.name.to_lowercase() == *name)
            && self.text.as_ref().is_none_or(|part| holds(entry, part))
    }
}

fn holds(entry: &AuditEntry, part: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(part);
    let in_change = |change: &AuditChange| {
        [&change.kind, &change.name, &change.id].into_iter().any(|text| has(text))
            || change.fields.iter().any(|field| {
                has(&field.field) || [&field.before, &field.after].into_iter().flatten().any(|text| has(text))
            })
    };
    has(&entry.action)
        || [&entry.reason, &entry.actor.address].into_iter().flatten().any(|text| has(text))
        || entry.changes.iter().any(in_change)
}
