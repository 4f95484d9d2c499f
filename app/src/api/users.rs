//! Users: list, read with keys, add, switch, remove.

use domain::{
    policy::SetUserPolicy,
    remarks::SetUserRemarks,
    user::{AddUser, AskUsers, SetUserEnabled, SetUsersEnabled, UserDetail, UserRef, UserView, UsersPage},
};
use leptos::{prelude::*, server_fn::codec::GetUrl};

use super::Text;
use crate::error::AppError;

#[server(prefix = "/admin/fn", endpoint = "users/list", input = GetUrl, output = Text)]
pub async fn list_users(input: AskUsers) -> Result<UsersPage, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.users_page(&actor, &input)?)
}

/// One user with its keys.
#[server(prefix = "/admin/fn", endpoint = "users/get", input = GetUrl, output = Text)]
pub async fn get_user(input: UserRef) -> Result<UserDetail, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.user(&actor, input)?)
}

#[server(name = CreateUser, prefix = "/admin/fn", endpoint = "users/add")]
pub async fn add_user(input: AddUser) -> Result<UserView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.add_user(&actor, input).await?)
}

#[server(name = SwitchUser, prefix = "/admin/fn", endpoint = "users/enabled")]
pub async fn set_user_enabled(input: SetUserEnabled) -> Result<UserView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.set_user_enabled(&actor, input).await?)
}

/// Several at once; answered with what was done, in words.
#[server(name = SwitchUsers, prefix = "/admin/fn", endpoint = "users/switch")]
pub async fn set_users_enabled(input: SetUsersEnabled) -> Result<String, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.set_users_enabled(&actor, input).await?.told)
}

#[server(name = ChangeUserRemarks, prefix = "/admin/fn", endpoint = "users/remarks")]
pub async fn set_user_remarks(input: SetUserRemarks) -> Result<UserView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.set_user_remarks(&actor, input).await?)
}

#[server(name = ChangeUserPolicy, prefix = "/admin/fn", endpoint = "users/policy")]
pub async fn set_user_policy(input: SetUserPolicy) -> Result<UserView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.set_user_policy(&actor, input).await?)
}

/// Leads to the list of users, because the page of a removed user is gone.
#[server(name = RemoveUser, prefix = "/admin/fn", endpoint = "users/remove")]
pub async fn remove_user(input: UserRef) -> Result<(), AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    control.remove_user(&actor, input).await?;
    leptos_axum::redirect("/admin/users");
    Ok(())
}
