//! What was used: the page of usage.

use domain::usage::page::{AskUsage, UsagePage};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Text;
use crate::error::AppError;

#[server(name = ReadUsage, prefix = "/admin/fn", endpoint = "usage/page", input = GetUrl, output = Text)]
pub async fn read_usage(input: AskUsage) -> Result<UsagePage, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.usage_page(&actor, &input).await?)
}
