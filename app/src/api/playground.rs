//! The Playground page: what there is to ask. Models themselves are asked at `/admin/playground/…`, which is no server function,
//! because answers stream.

use domain::playground::PlaygroundFacts;
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Text;
use crate::error::AppError;

#[server(name = ReadPlayground, prefix = "/admin/fn", endpoint = "playground/facts", input = GetUrl, output = Text)]
pub async fn playground_facts() -> Result<PlaygroundFacts, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.playground(&actor))
}
