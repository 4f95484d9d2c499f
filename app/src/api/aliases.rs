//! Aliases: list, add, change, remove; and the model `auto`.

use domain::{
    alias::{AliasRef, AliasView, SaveAlias},
    auto::{AutoView, SaveAuto},
};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Text;
use crate::error::AppError;

#[server(prefix = "/admin/fn", endpoint = "aliases/list", input = GetUrl, output = Text)]
pub async fn list_aliases() -> Result<Vec<AliasView>, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.aliases(&actor))
}

#[server(name = CreateAlias, prefix = "/admin/fn", endpoint = "aliases/add")]
pub async fn add_alias(input: SaveAlias) -> Result<AliasView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.add_alias(&actor, input).await?)
}

#[server(name = ChangeAlias, prefix = "/admin/fn", endpoint = "aliases/edit")]
pub async fn edit_alias(input: SaveAlias) -> Result<AliasView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.edit_alias(&actor, input).await?)
}

#[server(name = RemoveAlias, prefix = "/admin/fn", endpoint = "aliases/remove")]
pub async fn remove_alias(input: AliasRef) -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.remove_alias(&actor, input).await?)
}

#[server(prefix = "/admin/fn", endpoint = "aliases/auto", input = GetUrl, output = Text)]
pub async fn get_auto() -> Result<AutoView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.auto(&actor))
}

#[server(name = ChangeAuto, prefix = "/admin/fn", endpoint = "aliases/auto-save")]
pub async fn save_auto(input: SaveAuto) -> Result<AutoView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.save_auto(&actor, input).await?)
}
