//! Reading the log, a page at a time, with a bound on the work of every page.

use domain::{
    audit::{AuditPage, ReadAudit},
    error::AdminError,
};

use super::EXPORTED;
use crate::{Actor, Control, clock::Now, fault};

/// Rows of a page in the browser.
const PAGE: usize = 50;
/// Rows at a time for whoever reads it all.
const CHUNK: usize = 500;
/// Rows that are looked through for one page: a search that finds nothing costs no more.
const LOOK: usize = 4_000;

impl Control {
    /// A page of the log, newest first. Every role may read it. Faults name their fields.
    pub async fn audit(&self, _actor: &Actor, input: &ReadAudit) -> Result<AuditPage, AdminError> {
        self.read_audit(input, PAGE).await
    }

    /// A larger page, for writing the log out; fewer than `limit` rows do not mean that there are no more. The first page
    /// of an export is noted in the log.
    pub async fn export_audit(&self, actor: &Actor, input: &ReadAudit) -> Result<AuditPage, AdminError> {
        let page = self.read_audit(input, CHUNK).await?;
        if input.after.trim().is_empty() {
            self.note_done(actor, EXPORTED);
        }
        Ok(page)
    }

    pub(crate) async fn read_audit(&self, input: &ReadAudit, limit: usize) -> Result<AuditPage, AdminError> {
        let now = Now::read();
        let mut query = input.query(now.wall).map_err(|fields| AdminError::Invalid { fields })?;
        (query.limit, query.look) = (limit.clamp(1, CHUNK), LOOK);
        // What was refused a moment ago is there too.
        self.write_refusals(now, false).await;
        let rows = self.0.store.audit(&query).await;
        let rows = rows.map_err(|error| fault::internal("the audit log cannot be read", &error))?;
        Ok(AuditPage::new(rows, query.limit))
    }
}
