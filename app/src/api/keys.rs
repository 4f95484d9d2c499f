//! Keys of a user: create, rotate, change limit, policy and remarks, disable, enable, revoke.

use domain::{
    key::{CreateKey, CreatedKey, KeyView, RotateKey, SetKeyLimit, SetKeyStatus},
    policy::SetKeyPolicy,
    remarks::SetKeyRemarks,
};
use leptos::prelude::*;

use crate::error::AppError;

/// The key's text is in this answer and nowhere else. A plain form is led to the user's page, which shows it once.
#[server(name = CreateUserKey, prefix = "/admin/fn", endpoint = "keys/create")]
pub async fn create_key(input: CreateKey) -> Result<CreatedKey, AppError> {
    let request = crate::ssr::Request::current()?;
    let actor = request.actor()?;
    let page = format!("/admin/users/{}", input.user_id);
    let key = request.control().create_key(&actor, input).await?;
    if request.is_form() {
        request.show_key_on(&page, &actor, &key);
    }
    Ok(key)
}

/// As with creating one.
#[server(name = RotateUserKey, prefix = "/admin/fn", endpoint = "keys/rotate")]
pub async fn rotate_key(input: RotateKey) -> Result<CreatedKey, AppError> {
    let request = crate::ssr::Request::current()?;
    let actor = request.actor()?;
    let key = request.control().rotate_key(&actor, input).await?;
    if request.is_form() {
        request.show_key_on(&format!("/admin/users/{}", key.view.user_id), &actor, &key);
    }
    Ok(key)
}

#[server(name = ChangeKeyRemarks, prefix = "/admin/fn", endpoint = "keys/remarks")]
pub async fn set_key_remarks(input: SetKeyRemarks) -> Result<KeyView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.set_key_remarks(&actor, input).await?)
}

#[server(name = ChangeKeyLimit, prefix = "/admin/fn", endpoint = "keys/limit")]
pub async fn set_key_limit(input: SetKeyLimit) -> Result<KeyView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.set_key_limit(&actor, input).await?)
}

#[server(name = ChangeKeyPolicy, prefix = "/admin/fn", endpoint = "keys/policy")]
pub async fn set_key_policy(input: SetKeyPolicy) -> Result<KeyView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.set_key_policy(&actor, input).await?)
}

#[server(name = ChangeKeyStatus, prefix = "/admin/fn", endpoint = "keys/status")]
pub async fn set_key_status(input: SetKeyStatus) -> Result<KeyView, AppError> {
    let (control, actor) = crate::ssr::signed_in()?;
    Ok(control.set_key_status(&actor, input).await?)
}
