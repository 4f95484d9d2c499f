//! The own account: password, sessions, second factor.

use domain::admin::{AccountView, ChangePassword, FactorSetup, GiveCode, RecoveryCodes, SessionRef};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::{Private, Text};
use crate::error::AppError;

#[server(name = ReadAccount, prefix = "/admin/fn", endpoint = "account/get", input = GetUrl, output = Text)]
pub async fn get_account() -> Result<AccountView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.account(&actor)?)
}

/// Ends the other sessions; this browser stays a known device.
#[server(name = ChangeOwnPassword, prefix = "/admin/fn", endpoint = "account/password")]
pub async fn change_password(input: Private<ChangePassword>) -> Result<(), AppError> {
    let request = crate::ssr::Request::current()?;
    let device = request.control().change_password(&request.actor()?, input.0).await?;
    request.know_device(&device);
    Ok(())
}

#[server(name = EndOwnSession, prefix = "/admin/fn", endpoint = "account/session-end")]
pub async fn end_own_session(input: SessionRef) -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.end_own_session(&actor, input).await?)
}

#[server(name = EndOtherSessions, prefix = "/admin/fn", endpoint = "account/sessions-end")]
pub async fn end_other_sessions() -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.end_other_sessions(&actor).await?)
}

/// A plain form's page shows the same, until the first code was given or ten minutes are over.
#[server(name = StartFactor, prefix = "/admin/fn", endpoint = "account/factor-start")]
pub async fn start_factor() -> Result<FactorSetup, AppError> {
    let host = crate::ssr::Request::current()?.host();
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.start_second_factor(&actor, &host)?)
}

#[server(name = CancelFactor, prefix = "/admin/fn", endpoint = "account/factor-cancel")]
pub async fn cancel_factor() -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    control.cancel_second_factor(&actor);
    Ok(())
}

/// The recovery codes are in this answer and nowhere else. A plain form is led to a page that shows them once.
#[server(name = ConfirmFactor, prefix = "/admin/fn", endpoint = "account/factor-confirm")]
pub async fn confirm_factor(input: Private<GiveCode>) -> Result<RecoveryCodes, AppError> {
    let request = crate::ssr::Request::current()?;
    let actor = request.actor()?;
    let codes = request.control().confirm_second_factor(&actor, input.0).await?;
    if request.is_form() {
        request.show_codes_on("/admin/account", &actor, &codes);
    }
    Ok(codes)
}

#[server(name = StopFactor, prefix = "/admin/fn", endpoint = "account/factor-off")]
pub async fn stop_factor() -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.stop_second_factor(&actor).await?)
}
