//! Rolling upgrades: look, begin, answer.

use domain::upgrade::{AnswerUpgrade, StartUpgrade, UpgradeOverview, UpgradeView};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Text;
use crate::error::AppError;

#[server(prefix = "/admin/fn", endpoint = "upgrade/get", input = GetUrl, output = Text)]
pub async fn get_upgrade() -> Result<UpgradeOverview, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.upgrade_overview(&actor))
}

#[server(name = BeginUpgrade, prefix = "/admin/fn", endpoint = "upgrade/start")]
pub async fn start_upgrade(input: StartUpgrade) -> Result<UpgradeView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.start_upgrade(&actor, input).await?)
}

#[server(name = TellUpgrade, prefix = "/admin/fn", endpoint = "upgrade/answer")]
pub async fn answer_upgrade(input: AnswerUpgrade) -> Result<UpgradeView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.answer_upgrade(&actor, input).await?)
}
