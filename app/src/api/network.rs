//! The Network page: who may come in.

use domain::{
    network::{NetworkView, SaveNetwork},
    tls::{MakePair, SavePair, TlsView},
};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::{Private, Text};
use crate::error::AppError;

#[server(name = ReadNetwork, prefix = "/admin/fn", endpoint = "network/get", input = GetUrl, output = Text)]
pub async fn get_network() -> Result<NetworkView, AppError> {
    let client = crate::ssr::Request::current()?.client();
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.network(&actor, &client))
}

#[server(name = StoreNetwork, prefix = "/admin/fn", endpoint = "network/save")]
pub async fn save_network(input: SaveNetwork) -> Result<NetworkView, AppError> {
    let client = crate::ssr::Request::current()?.client();
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.save_network(&actor, &client, input).await?)
}

#[server(name = ReadTls, prefix = "/admin/fn", endpoint = "network/tls", input = GetUrl, output = Text)]
pub async fn get_tls() -> Result<TlsView, AppError> {
    let host = crate::ssr::Request::current()?.host();
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.tls(&actor, &host))
}

#[server(name = StorePair, prefix = "/admin/fn", endpoint = "network/tls-save")]
pub async fn save_pair(input: Private<SavePair>) -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.save_pair(&actor, input.0).await?)
}

#[server(name = CreatePair, prefix = "/admin/fn", endpoint = "network/tls-make")]
pub async fn make_pair(input: MakePair) -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.make_pair(&actor, input).await?)
}

#[server(name = DropPair, prefix = "/admin/fn", endpoint = "network/tls-remove")]
pub async fn remove_pair() -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.remove_pair(&actor).await?)
}
