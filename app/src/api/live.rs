//! The live status as the dashboard's first paint shows it; later ones come over the event stream `/admin/live`.

use domain::live::LiveStatus;
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Text;
use crate::error::AppError;

#[server(prefix = "/admin/fn", endpoint = "live/now", input = GetUrl, output = Text)]
pub async fn get_live() -> Result<LiveStatus, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    let status = control.live(&actor).borrow().as_ref().clone();
    Ok(status)
}
