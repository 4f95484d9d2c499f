//! The log of requests: read a page, and one request in full. New rows come over the event stream `/admin/requests/live`.

use domain::usage::{
    asked::{AskLog, AskRequest, LogView},
    log::LogEntry,
};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Text;
use crate::error::AppError;

#[server(name = ReadRequestLog, prefix = "/admin/fn", endpoint = "requests/list", input = GetUrl, output = Text)]
pub async fn read_log(input: AskLog) -> Result<LogView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.read_log(&actor, &input).await?)
}

#[server(name = ReadRequest, prefix = "/admin/fn", endpoint = "requests/get", input = GetUrl, output = Text)]
pub async fn read_request(input: AskRequest) -> Result<LogEntry, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.request(&actor, &input.id, input.at).await?)
}
