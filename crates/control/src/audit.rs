//! The audit log: what it says of a change (`changes`, `members`), what was refused (`refusals`), the words for both
//! (`actions`), reading it and writing it out. Nothing here lets a secret in, and nothing changes a row.

pub(crate) mod actions;
mod changes;
mod export;
mod members;
mod read;
mod refusals;

use domain::audit::{AuditChange, AuditEntry, AuditOutcome};
use domain::error::AdminError;
use store::row::Op;

pub use self::{
    actions::of_function,
    export::{CSV_HEAD, csv_line, json_line},
};
pub(crate) use self::{
    export::{cell, time},
    refusals::Pending,
};
use crate::{by::By, clock::Now, secrets::random, state::State};

/// What the log calls those who are no account: no account may be called so.
pub(crate) const ACTORS: [&str; 5] = [COMMAND_LINE, GATEWAY, refusals::STRANGER, refusals::UNKNOWN, refusals::OTHERS];
pub(crate) const COMMAND_LINE: &str = "command line";
/// What the gateway does by itself.
pub(crate) const GATEWAY: &str = "gateway";

/// Where the log is written out.
pub const EXPORT_PATH: &str = "/admin/audit/export";
/// The words for writing it out.
pub(crate) const EXPORTED: &str = "audit log exported";
/// The same of the log of requests.
pub(crate) const LOG_EXPORT_PATH: &str = "/admin/requests/export";
pub(crate) const LOG_EXPORTED: &str = "request log exported";

/// The row for a change that is about to be made; `None` for housekeeping.
pub(crate) fn row(by: &By, state: &State, ops: &[Op]) -> Result<Option<Op>, AdminError> {
    Ok(done(by, changes::changes(state, ops))?.map(Op::Audit))
}

/// What was done, now, once; `None` for housekeeping.
pub(crate) fn done(by: &By, changes: Vec<AuditChange>) -> Result<Option<AuditEntry>, AdminError> {
    let Some(actor) = by.actor.clone() else { return Ok(None) };
    Ok(Some(AuditEntry {
        id: random::id::<domain::id::AdminId>()?.into(),
        at: Now::read().wall,
        actor,
        action: by.what.to_owned(),
        outcome: AuditOutcome::Done,
        reason: None,
        count: 1,
        changes,
    }))
}
