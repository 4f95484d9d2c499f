//! The rules for values of the environment, so that `check` and `serve` judge them as the use cases will. Messages
//! repeat no secret.

use domain::error::FieldError;

use crate::{name, password::check_password, redis::RedisAddress, settings::origins};

/// The trimmed name of an administrator, or all that is wrong with name and password, each under the field's name.
pub(crate) fn account(
    name_field: &str,
    name: &str,
    password_field: &str,
    password: &str,
) -> Result<String, Vec<FieldError>> {
    let checked = name::check(name_field, name);
    let mut faults: Vec<_> = checked.as_ref().err().cloned().into_iter().collect();
    if let Err(message) = check_password(password) {
        faults.push(FieldError::new(password_field, message));
    } else if name::same(name.trim(), password) {
        faults.push(FieldError::new(password_field, "must not be the name"));
    }
    match checked {
        Ok(name) if faults.is_empty() => Ok(name),
        _ => Err(faults),
    }
}

/// `ADMIN_USER` and `ADMIN_PASSWORD`: every fault under the name of its variable.
pub fn check_admin(user: &str, password: &str) -> Result<(), Vec<FieldError>> {
    account("ADMIN_USER", user, "ADMIN_PASSWORD", password).map(drop)
}

/// `REDIS_URL`.
pub fn check_redis_url(text: &str) -> Result<(), String> {
    RedisAddress::parse(text).map(drop)
}

/// `PUBLIC_URL`, in the spelling that browsers send.
pub fn check_public_url(text: &str) -> Result<String, String> {
    origins::parse(text)
}
