//! The first run: which step is due, and what each step does.

#[cfg(feature = "ssr")]
use domain::error::AdminError;
use domain::{
    backend::ProbeAddress,
    setup::{CreateFirstAdmin, CreateFirstKey, FoundBackends, SetupResult, SetupStep},
};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::{Private, Text};
use crate::error::AppError;

/// The step that was sent is not due any more.
#[cfg(feature = "ssr")]
fn went_on() -> AppError {
    let message = "the set-up went on in another window or tab, so nothing was changed here";
    AppError(AdminError::Conflict { message: message.into() })
}

/// The step that is due for this visitor. Needs no session.
#[server(prefix = "/admin/fn", endpoint = "setup/state", input = GetUrl, output = Text)]
pub async fn setup_state() -> Result<SetupStep, AppError> {
    let request = crate::ssr::Request::current()?;
    Ok(request.control().setup_step(request.setup_session().as_ref(), request.actor().ok().as_ref()))
}

/// Step 1. Needs the cookie that the set-up link gave, and signs the new administrator in.
#[server(name = CreateAdmin, prefix = "/admin/fn", endpoint = "setup/admin")]
pub async fn create_first_admin(input: Private<CreateFirstAdmin>) -> Result<(), AppError> {
    let request = crate::ssr::Request::current()?;
    let control = request.control();
    let setup = match request.setup_session() {
        Some(setup) => setup,
        None if control.setup_step(None, None) == SetupStep::Done => return Err(went_on()),
        None => return Err(crate::ssr::needs_setup_link()),
    };
    let origin = request.header("origin");
    let session = control.create_first_admin(&setup, input.0, &request.client(), origin.as_deref()).await;
    let session = session.map_err(|error| match error {
        // Sent twice at the same moment.
        AdminError::Conflict { .. } => went_on(),
        error => error.into(),
    })?;
    request.open_session(&session);
    request.close_setup();
    Ok(())
}

/// What answers on this machine and at the configured addresses.
#[server(prefix = "/admin/fn", endpoint = "setup/found", input = GetUrl, output = Text)]
pub async fn find_backends() -> Result<FoundBackends, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.find_backends(&actor).await?)
}

/// Step 2: adds the backend at an address, if one answers there; else says what is wrong with the address. One that the
/// environment named already is kept, with the token if one is given.
#[server(name = UseBackend, prefix = "/admin/fn", endpoint = "setup/backend")]
pub async fn use_backend(input: Private<ProbeAddress>) -> Result<(), AppError> {
    use domain::backend::{AddBackend, EditBackend};

    let (control, actor) = crate::ssr::signed_in()?;
    if control.setup_step(None, Some(&actor)) != SetupStep::Backend {
        return Err(went_on());
    }
    let input = input.0;
    let report = control.probe_address(&actor, input.clone()).await?;
    if !report.result.is_ok() {
        return Err(AdminError::invalid("url", report.result.message()).into());
    }
    let known = control.backends(&actor).into_iter().find(|backend| control::same_place(&backend.url, &report.url));
    match known {
        None => {
            let name = crate::format::backend_name(&report.url);
            control.add_backend(&actor, AddBackend::new(name, report.url, input.token)).await?;
        }
        Some(known) => {
            if !input.token.is_empty() {
                let edit = EditBackend { token: input.token, ..EditBackend::of(&known) };
                control.edit_backend(&actor, edit).await?;
            }
            control.keep_backends(&actor)?;
        }
    }
    Ok(())
}

/// Step 3: the first user and its key.
#[server(name = CreateSetupKey, prefix = "/admin/fn", endpoint = "setup/key")]
pub async fn create_first_key(input: CreateFirstKey) -> Result<SetupResult, AppError> {
    let request = crate::ssr::Request::current()?;
    let actor = request.actor()?;
    if request.control().setup_step(None, Some(&actor)) == SetupStep::Done {
        return Err(went_on());
    }
    let result = request.control().create_first_key(&actor, input).await?;
    if request.is_form() {
        request.show_key_on("/admin/setup", &actor, &result.key);
    }
    Ok(result)
}
