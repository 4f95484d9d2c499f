//! The audit log: rows that are only ever added, newest first. Rows that tell of a change travel in the change's own
//! transaction; what may be in a row is the business of `control`.

use domain::{
    admin::Role,
    audit::{AuditActor, AuditEntry, AuditOutcome, AuditQuery},
    id::AdminId,
};
use surrealdb::types::{Array, RecordId, RecordIdKey, SurrealValue, Value, Variables};

use crate::{StoreError, engine::Handle};

/// Rows read at a time.
const PAGE: usize = 256;
/// The keys run from the latest to the oldest, so the limit ends the scan.
const READ: &str = "SELECT id, $this AS row FROM audit:[$begin, $id]>..[$end] LIMIT $page";
const APPEND: &str = "INSERT IGNORE INTO audit $rows";

#[derive(SurrealValue)]
pub(crate) struct AuditRecord {
    name: String,
    admin: Option<String>,
    role: Option<String>,
    address: Option<String>,
    action: String,
    outcome: String,
    reason: Option<String>,
    count: u64,
    changes: String,
}

#[derive(SurrealValue)]
struct Found {
    id: RecordId,
    row: AuditRecord,
}

impl From<AuditEntry> for AuditRecord {
    fn from(entry: AuditEntry) -> Self {
        Self {
            name: entry.actor.name,
            admin: entry.actor.id.map(Into::into),
            role: entry.actor.role.map(|role| role.as_str().to_owned()),
            address: entry.actor.address,
            action: entry.action,
            outcome: entry.outcome.as_str().to_owned(),
            reason: entry.reason,
            count: entry.count,
            // A list of plain strings always has a JSON form.
            changes: serde_json::to_string(&entry.changes).unwrap_or_default(),
        }
    }
}

impl Found {
    fn into_entry(self) -> Option<AuditEntry> {
        let (at, id) = place(&self.id)?;
        let row = self.row;
        let outcomes = [AuditOutcome::Done, AuditOutcome::Refused];
        Some(AuditEntry {
            id,
            at,
            actor: AuditActor {
                name: row.name,
                id: row.admin.and_then(|id| AdminId::new(&id).ok()),
                role: row.role.and_then(|role| role.parse::<Role>().ok()),
                address: row.address,
            },
            action: row.action,
            outcome: outcomes.into_iter().find(|outcome| outcome.as_str() == row.outcome)?,
            reason: row.reason,
            count: row.count,
            changes: serde_json::from_str(&row.changes).ok()?,
        })
    }
}

/// First part of a row's key: later rows come first, the order they are read in.
fn order(at: u64) -> i64 {
    i64::try_from(at).map_or(-i64::MAX, |at| -at)
}

/// The record key of a row.
pub(crate) fn key(entry: &AuditEntry) -> Value {
    Value::Array(Array::from(vec![order(entry.at).into_value(), entry.id.clone().into_value()]))
}

fn place(id: &RecordId) -> Option<(u64, String)> {
    let RecordIdKey::Array(parts) = &id.key else { return None };
    let [order, id] = parts.as_slice() else { return None };
    let at = i64::from_value(order.clone()).ok()?.unsigned_abs();
    Some((at, String::from_value(id.clone()).ok()?))
}

pub(crate) async fn append(handle: &Handle, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let rows = entries.into_iter().map(|entry| {
        let key = RecordIdKey::Array(Array::from(vec![order(entry.at).into_value(), entry.id.clone().into_value()]));
        let id = RecordId::new("audit", key).into_value();
        match AuditRecord::from(entry).into_value() {
            Value::Object(mut row) => {
                row.insert("id", id);
                Value::Object(row)
            }
            other => other,
        }
    });
    let mut parameters = Variables::new();
    parameters.insert("rows", rows.collect::<Vec<_>>());
    handle.run(APPEND, parameters).await.map(drop)
}

/// Newest first, at most `query.limit`.
pub(crate) async fn read(handle: &Handle, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
    let mut found = Vec::new();
    let newest = query.to.map_or(i64::MAX as u64, |to| to.saturating_sub(1));
    let (mut at, mut id) = query.after.clone().unwrap_or((newest, String::new()));
    while found.len() < query.limit {
        let mut parameters = Variables::new();
        parameters.insert("begin", order(at));
        parameters.insert("id", id);
        parameters.insert("end", order(query.from.unwrap_or_default()).saturating_add(1));
        parameters.insert("page", PAGE as u64);
        let page: Vec<Found> = handle.all(READ, parameters).await?;
        let full = page.len() == PAGE;
        let entries = page.into_iter().map(Found::into_entry).collect::<Option<Vec<_>>>();
        let entries = entries.ok_or_else(|| StoreError::corrupt("a row of the audit log makes no sense"))?;
        let Some(last) = entries.last() else { break };
        (at, id) = (last.at, last.id.clone());
        found.extend(entries.into_iter().filter(|entry| query.matches(entry)));
        if !full {
            break;
        }
    }
    found.truncate(query.limit);
    Ok(found)
}
