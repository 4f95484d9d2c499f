//! Signing in, signing out, who is signed in, giving the password again.

use domain::{
    admin::{ConfirmPassword, GiveCode},
    setup::{ActorView, Login},
};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::{Private, Text};
use crate::error::AppError;

/// Who is signed in.
#[server(prefix = "/admin/fn", endpoint = "session/current", input = GetUrl, output = Text)]
pub async fn current_session() -> Result<ActorView, AppError> {
    let (_, actor) = crate::ssr::signed_in()?;
    Ok(actor.view().clone())
}

/// Opens a session and leads to the page that was asked for; or, where the account has a second factor, to the page that
/// asks for its code.
#[server(name = SignIn, prefix = "/admin/fn", endpoint = "session/login")]
pub async fn sign_in(input: Private<Login>) -> Result<(), AppError> {
    let request = crate::ssr::Request::current()?;
    let device = request.device();
    match request.control().sign_in(input.0, &request.client(), device.as_deref()).await? {
        control::SignedIn::In(session) => {
            request.open_session(&session);
            leptos_axum::redirect(&request.next_page());
        }
        control::SignedIn::NeedsCode { ticket } => {
            request.keep_ticket(&ticket);
            leptos_axum::redirect(&crate::session::code_path(&request.next_page()));
        }
    }
    Ok(())
}

/// The second step of signing in.
#[server(name = SignInCode, prefix = "/admin/fn", endpoint = "session/code")]
pub async fn sign_in_code(input: Private<GiveCode>) -> Result<(), AppError> {
    let request = crate::ssr::Request::current()?;
    let ticket = request.ticket();
    let session = request.control().sign_in_code(ticket.as_deref(), input.0, &request.client()).await?;
    request.open_session(&session);
    request.close_ticket();
    leptos_axum::redirect(&request.next_page());
    Ok(())
}

/// Takes the own password again, for dangerous changes. A plain form is led back to where it was asked for.
#[server(name = GivePassword, prefix = "/admin/fn", endpoint = "session/confirm")]
pub async fn give_password(input: Private<ConfirmPassword>) -> Result<(), AppError> {
    let request = crate::ssr::Request::current()?;
    request.control().confirm_password(&request.actor()?, input.0).await?;
    if request.is_form() {
        leptos_axum::redirect(&request.next_page());
    }
    Ok(())
}

/// Ends the session on the server and in the browser.
#[server(name = SignOut, prefix = "/admin/fn", endpoint = "session/logout")]
pub async fn sign_out() -> Result<(), AppError> {
    let request = crate::ssr::Request::current()?;
    request.control().logout(&request.actor()?).await?;
    request.close_session();
    leptos_axum::redirect("/admin/login");
    Ok(())
}
