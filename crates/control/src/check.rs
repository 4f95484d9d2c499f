//! The rules for values of the environment, so that `check` and `serve` judge them as the use cases will. Messages
//! repeat no secret.

use std::net::SocketAddr;

use domain::error::FieldError;
use url::Url;

use crate::{audit, backends::place, look, name, password::check_password, redis, settings::origins};

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

/// The same for an account that is to be made, whose name must not be taken for an actor of the audit log or for another
/// account.
pub(crate) fn new_account(
    name_field: &str,
    name: &str,
    password_field: &str,
    password: &str,
) -> Result<String, Vec<FieldError>> {
    let mistakable = name::check_unmistakable(name_field, name, &audit::ACTORS).err();
    match (account(name_field, name, password_field, password), mistakable) {
        (Ok(_), Some(fault)) => Err(vec![fault]),
        (Err(faults), Some(fault)) if faults.iter().all(|known| known.field != fault.field) => {
            Err([vec![fault], faults].concat())
        }
        (account, _) => account,
    }
}

/// `ADMIN_USER` and `ADMIN_PASSWORD`: every fault under the name of its variable.
pub fn check_admin(user: &str, password: &str) -> Result<(), Vec<FieldError>> {
    new_account("ADMIN_USER", user, "ADMIN_PASSWORD", password).map(drop)
}

/// `REDIS_URL`.
pub fn check_redis_url(text: &str) -> Result<(), String> {
    redis::RedisAddress::parse(text).map(drop)
}

/// What is in the file of `REDIS_CA`: certificates in PEM, in one spelling.
pub fn check_redis_ca(text: &str) -> Result<String, String> {
    redis::authority(text)
}

/// An address of `OLLAMA_SERVERS` for a gateway that listens at `listens` and is known as `public_url` says: it must not
/// be the gateway's own.
pub fn check_foreign(url: &Url, listens: &[SocketAddr], public_url: Option<&str>) -> Result<(), &'static str> {
    place::check_foreign(url, listens, public_url.into_iter().flat_map(|list| list.split(',')))
}

/// An address of `OLLAMA_SERVERS` for a gateway whose `REDIS_URL` is `redis`: it must not be that server's.
pub fn check_not_redis(url: &Url, redis: &str) -> Result<(), &'static str> {
    place::check_not_redis(url, redis)
}

/// Two addresses of backends that lead to the same server, however they are written.
pub fn same_place(left: &str, right: &str) -> bool {
    match (Url::parse(left), Url::parse(right)) {
        (Ok(left), Ok(right)) => place::same(&left, &right),
        _ => left == right,
    }
}

/// `PRODUCT_TITLE`, as it is shown.
pub fn check_title(text: &str) -> Result<String, String> {
    look::check_title(text)
}

/// `ACCENT`: a colour, or `none`.
pub fn check_accent(text: &str) -> Result<String, String> {
    look::check_accent(text)
}

/// `PUBLIC_URL`, in the spelling that browsers send.
pub fn check_public_url(text: &str) -> Result<String, String> {
    origins::parse(text)
}
