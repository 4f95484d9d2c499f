//! Backends: list, one by itself, add, edit, switch, remove, test.

use domain::{
    backend::{
        AddBackend, BackendRef, BackendView, EditBackend, ProbeAddress, ProbeReport, SetBackendDraining,
        SetBackendEnabled,
    },
    models::{AskBackend, AskHistory, BackendPage, History},
};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::{Private, Text};
use crate::error::AppError;

#[server(prefix = "/admin/fn", endpoint = "backends/list", input = GetUrl, output = Text)]
pub async fn list_backends() -> Result<Vec<BackendView>, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.backends(&actor))
}

/// One backend with its models.
#[server(name = ReadBackend, prefix = "/admin/fn", endpoint = "backends/get", input = GetUrl, output = Text)]
pub async fn get_backend(input: AskBackend) -> Result<BackendPage, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.backend_page(&actor, &input).await?)
}

/// What one backend did.
#[server(name = ReadHistory, prefix = "/admin/fn", endpoint = "backends/history", input = GetUrl, output = Text)]
pub async fn get_history(input: AskHistory) -> Result<History, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.backend_history(&actor, &input).await?)
}

#[server(name = CreateBackend, prefix = "/admin/fn", endpoint = "backends/add")]
pub async fn add_backend(input: Private<AddBackend>) -> Result<BackendView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.add_backend(&actor, input.0).await?)
}

#[server(name = ChangeBackend, prefix = "/admin/fn", endpoint = "backends/edit")]
pub async fn edit_backend(input: Private<EditBackend>) -> Result<BackendView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.edit_backend(&actor, input.0).await?)
}

#[server(name = SwitchBackend, prefix = "/admin/fn", endpoint = "backends/enabled")]
pub async fn set_backend_enabled(input: SetBackendEnabled) -> Result<BackendView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.set_backend_enabled(&actor, input).await?)
}

#[server(name = DrainBackend, prefix = "/admin/fn", endpoint = "backends/draining")]
pub async fn set_backend_draining(input: SetBackendDraining) -> Result<BackendView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.set_backend_draining(&actor, input).await?)
}

#[server(name = RemoveBackend, prefix = "/admin/fn", endpoint = "backends/remove")]
pub async fn remove_backend(input: BackendRef) -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.remove_backend(&actor, input).await?)
}

/// Looks at a stored backend now.
#[server(name = TestBackend, prefix = "/admin/fn", endpoint = "backends/test")]
pub async fn test_backend(input: BackendRef) -> Result<ProbeReport, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.test_backend(&actor, input).await?)
}

/// Looks at an address that is not stored yet.
#[server(name = ProbeBackend, prefix = "/admin/fn", endpoint = "backends/probe")]
pub async fn probe_address(input: Private<ProbeAddress>) -> Result<ProbeReport, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.probe_address(&actor, input.0).await?)
}
