//! Settings: read, save, try the Redis address.

use domain::settings::{RedisState, SaveSettings, SettingsView};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Private;
use crate::error::AppError;

#[server(prefix = "/admin/fn", endpoint = "settings/get", input = GetUrl)]
pub async fn get_settings() -> Result<SettingsView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.settings(&actor))
}

/// Private, because a Redis address may carry a password.
#[server(name = StoreSettings, prefix = "/admin/fn", endpoint = "settings/save")]
pub async fn save_settings(input: Private<SaveSettings>) -> Result<SettingsView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.save_settings(&actor, input.0).await?)
}

/// Pings the configured Redis.
#[server(name = TestRedis, prefix = "/admin/fn", endpoint = "settings/redis")]
pub async fn test_redis() -> Result<RedisState, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.test_redis(&actor).await)
}
