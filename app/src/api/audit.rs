//! The audit log: read a page.

use domain::audit::{AuditPage, ReadAudit};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Text;
use crate::error::AppError;

#[server(name = ReadAuditLog, prefix = "/admin/fn", endpoint = "audit/list", input = GetUrl, output = Text)]
pub async fn read_audit(input: ReadAudit) -> Result<AuditPage, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.audit(&actor, &input).await?)
}
