//! Live values for the examples.

use domain::dashboard::HelpFacts;
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Text;
use crate::error::AppError;

#[server(name = ReadHelpFacts, prefix = "/admin/fn", endpoint = "help/facts", input = GetUrl, output = Text)]
pub async fn help_facts() -> Result<HelpFacts, AppError> {
    let request = crate::ssr::Request::current()?;
    let actor = request.actor()?;
    let scheme = if request.client().https { "https" } else { "http" };
    Ok(request.control().help_facts(&actor, scheme, &request.host()))
}
