//! The audit log: rows that are only ever added, newest first. Rows that tell of a change travel in the change's own
//! transaction; what may be in a row is the business of `control`.

use domain::{
    admin::Role,
    audit::{AuditActor, AuditEntry, AuditOutcome, AuditQuery, AuditRows},
    id::AdminId,
};
use surrealdb::types::{Array, RecordId, RecordIdKey, SurrealValue, Value, Variables};

use crate::{StoreError, engine::Handle};

/// Rows read at a time.
const PAGE: usize = 256;
/// A page ends with the row that passes this, however many were asked for: what reads it holds it in memory.
const MOST_BYTES: usize = 1 << 20;
/// The keys run from the latest to the oldest, so the limit ends the scan.
const READ: &str = "SELECT * FROM audit:[$begin, $id]>..[$end] LIMIT $page";
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
    /// Bytes of its texts, about.
    fn size(&self) -> usize {
        let texts = [&self.admin, &self.role, &self.address, &self.reason].into_iter().flatten().map(String::len);
        self.name.len() + self.action.len() + self.changes.len() + texts.sum::<usize>() + 64
    }

    fn into_entry(self) -> Option<AuditEntry> {
        let (at, id) = place(&self.id)?;
        let row = self;
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

/// Newest first, at most `query.limit` of at most `query.look` rows, and no more than [`MOST_BYTES`] of them.
pub(crate) async fn read(handle: &Handle, query: &AuditQuery) -> Result<AuditRows, StoreError> {
    let mut found = AuditRows::default();
    let newest = query.to.map_or(i64::MAX as u64, |to| to.saturating_sub(1));
    let (mut at, mut id) = query.after.clone().filter(|(at, _)| *at <= newest).unwrap_or((newest, String::new()));
    let (mut looked, mut bytes) = (0, 0);
    loop {
        let mut parameters = Variables::new();
        parameters.insert("begin", order(at));
        parameters.insert("id", id);
        parameters.insert("end", order(query.from.unwrap_or_default()).saturating_add(1));
        parameters.insert("page", PAGE as u64);
        let page: Vec<Found> = handle.all(READ, parameters).await?;
        let (count, full) = (page.len(), page.len() == PAGE);
        let mut last = None;
        for (number, row) in page.into_iter().enumerate() {
            let size = row.size();
            let entry = row.into_entry().ok_or_else(|| StoreError::corrupt("a row of the audit log makes no sense"))?;
            let place = (entry.at, entry.id.clone());
            looked += 1;
            if query.matches(&entry) {
                bytes += size;
                found.entries.push(entry);
            }
            if found.entries.len() >= query.limit || looked >= query.look || bytes >= MOST_BYTES {
                let more = full || number + 1 < count;
                found.next = more.then_some(place);
                return Ok(found);
            }
            last = Some(place);
        }
        match last {
            Some(place) if full => (at, id) = place,
            _ => return Ok(found),
        }
    }
}
