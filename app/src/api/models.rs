//! Models of the fleet: read a page of them, and have backends load, let go of, copy or delete one.

use domain::models::{
    AskModels, ModelsPage,
    act::{Acted, CopyModel, DeleteModel, KeepModel},
};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Text;
use crate::error::AppError;

#[server(name = ReadModels, prefix = "/admin/fn", endpoint = "models/page", input = GetUrl, output = Text)]
pub async fn read_models(input: AskModels) -> Result<ModelsPage, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.models_page(&actor, &input))
}

#[server(name = SendKeep, prefix = "/admin/fn", endpoint = "models/keep")]
pub async fn keep_model(input: KeepModel) -> Result<Acted, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.keep_model(&actor, input).await?)
}

#[server(name = SendCopy, prefix = "/admin/fn", endpoint = "models/copy")]
pub async fn copy_model(input: CopyModel) -> Result<Acted, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.copy_model(&actor, input).await?)
}

#[server(name = SendDelete, prefix = "/admin/fn", endpoint = "models/delete")]
pub async fn delete_model(input: DeleteModel) -> Result<Acted, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.delete_model(&actor, input).await?)
}
