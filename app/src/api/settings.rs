//! Settings: read, save, forget one, Redis: try the address, and how it is.

use domain::{
    look::SaveLogo,
    settings::{RedisState, RedisStatus, ResetSetting, SaveSettings, SettingsView},
};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::{Private, Text};
use crate::error::AppError;

#[server(prefix = "/admin/fn", endpoint = "settings/get", input = GetUrl, output = Text)]
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

/// Back to the environment or the default.
#[server(name = ForgetSetting, prefix = "/admin/fn", endpoint = "settings/reset")]
pub async fn reset_setting(input: ResetSetting) -> Result<SettingsView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.reset_setting(&actor, input).await?)
}

/// Owners upload an image, and pages show it from the next load on.
#[server(name = StoreLogo, prefix = "/admin/fn", endpoint = "settings/logo")]
pub async fn save_logo(input: SaveLogo) -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.save_logo(&actor, input).await?)
}

#[server(name = DropLogo, prefix = "/admin/fn", endpoint = "settings/logo-remove")]
pub async fn remove_logo() -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.remove_logo(&actor).await?)
}

/// Tries the Redis that the same form names, with a connection of its own. Saves nothing.
#[server(name = TestRedis, prefix = "/admin/fn", endpoint = "settings/redis")]
pub async fn test_redis(input: Private<SaveSettings>) -> Result<RedisState, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.test_redis(&actor, input.0).await?)
}

/// How it is with Redis now, for the frame of all pages.
#[server(name = ReadRedisStatus, prefix = "/admin/fn", endpoint = "settings/redis-status", input = GetUrl, output = Text)]
pub async fn redis_status() -> Result<RedisStatus, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.redis_status(&actor))
}
