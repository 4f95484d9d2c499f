//! Finding places and what is configured, for the command palette.

use domain::find::{Find, Found};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Text;
use crate::error::AppError;

#[server(name = FindAnything, prefix = "/admin/fn", endpoint = "find", input = GetUrl, output = Text)]
pub async fn find(input: Find) -> Result<Vec<Found>, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.find_anything(&actor, &input, &crate::pages::places()))
}
