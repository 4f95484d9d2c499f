//! Signing in, signing out, who is signed in.

use domain::setup::{ActorView, Login};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Private;
use crate::error::AppError;

/// Who is signed in.
#[server(prefix = "/admin/fn", endpoint = "session/current", input = GetUrl)]
pub async fn current_session() -> Result<ActorView, AppError> {
    let (_, actor) = crate::ssr::signed_in()?;
    Ok(actor.view().clone())
}

/// Opens a session and leads to the page that was asked for.
#[server(name = SignIn, prefix = "/admin/fn", endpoint = "session/login")]
pub async fn sign_in(input: Private<Login>) -> Result<(), AppError> {
    let request = crate::ssr::Request::current()?;
    let session = request.control().login(input.0, &request.client()).await?;
    request.open_session(&session.token);
    leptos_axum::redirect(&request.next_page());
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
