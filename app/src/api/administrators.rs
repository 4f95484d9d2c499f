//! Administrators and everybody's sessions, for owners; names and roles for all.

use domain::admin::{AddAdmin, AdminRef, AdminView, SessionRef, SetAdminEnabled, SetAdminPassword, SetAdminRole};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::{Private, Text};
use crate::error::AppError;

#[server(prefix = "/admin/fn", endpoint = "administrators/list", input = GetUrl, output = Text)]
pub async fn list_administrators() -> Result<Vec<AdminView>, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.administrators(&actor))
}

#[server(name = CreateAdministrator, prefix = "/admin/fn", endpoint = "administrators/add")]
pub async fn add_administrator(input: Private<AddAdmin>) -> Result<AdminView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.add_administrator(&actor, input.0).await?)
}

#[server(name = ChangeAdminRole, prefix = "/admin/fn", endpoint = "administrators/role")]
pub async fn set_administrator_role(input: SetAdminRole) -> Result<AdminView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.set_administrator_role(&actor, input).await?)
}

#[server(name = SwitchAdministrator, prefix = "/admin/fn", endpoint = "administrators/enabled")]
pub async fn set_administrator_enabled(input: SetAdminEnabled) -> Result<AdminView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.set_administrator_enabled(&actor, input).await?)
}

#[server(name = ResetAdminPassword, prefix = "/admin/fn", endpoint = "administrators/password")]
pub async fn set_administrator_password(input: Private<SetAdminPassword>) -> Result<AdminView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.set_administrator_password(&actor, input.0).await?)
}

#[server(name = ResetSecondFactor, prefix = "/admin/fn", endpoint = "administrators/factor-off")]
pub async fn reset_second_factor(input: AdminRef) -> Result<AdminView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.reset_second_factor(&actor, input).await?)
}

#[server(name = RemoveAdministrator, prefix = "/admin/fn", endpoint = "administrators/remove")]
pub async fn remove_administrator(input: AdminRef) -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.remove_administrator(&actor, input).await?)
}

#[server(name = EndAnySession, prefix = "/admin/fn", endpoint = "administrators/session-end")]
pub async fn end_any_session(input: SessionRef) -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.end_session_of_any(&actor, input).await?)
}

/// All of an administrator, but for the one that asks.
#[server(name = EndAllSessions, prefix = "/admin/fn", endpoint = "administrators/sessions-end")]
pub async fn end_all_sessions(input: AdminRef) -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.end_sessions(&actor, input).await?)
}
