//! Downloads of models: look, begin, cancel, try again, forget, keep. How far they are comes over the event stream
//! `/admin/pulls/live`.

use domain::pull::{KeepCopies, PullOverview, PullRef, PullView, StartPull, WishView};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Text;
use crate::error::AppError;

#[server(prefix = "/admin/fn", endpoint = "pulls/list", input = GetUrl, output = Text)]
pub async fn list_pulls() -> Result<PullOverview, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.pull_overview(&actor))
}

#[server(name = BeginPull, prefix = "/admin/fn", endpoint = "pulls/start")]
pub async fn start_pull(input: StartPull) -> Result<Vec<PullView>, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.start_pull(&actor, input).await?)
}

#[server(name = CancelPull, prefix = "/admin/fn", endpoint = "pulls/cancel")]
pub async fn cancel_pull(input: PullRef) -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.cancel_pull(&actor, input).await?)
}

#[server(name = RetryPull, prefix = "/admin/fn", endpoint = "pulls/retry")]
pub async fn retry_pull(input: PullRef) -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.retry_pull(&actor, input).await?)
}

#[server(name = ClearPulls, prefix = "/admin/fn", endpoint = "pulls/clear")]
pub async fn clear_pulls() -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.clear_ended_pulls(&actor)?)
}

#[server(name = WishModel, prefix = "/admin/fn", endpoint = "pulls/keep")]
pub async fn keep_copies(input: KeepCopies) -> Result<Vec<WishView>, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.keep_copies(&actor, input).await?)
}
