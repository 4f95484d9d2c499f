//! The sending's stand-in on the server, which renders forms and never sends one.

use crate::error::AppError;

pub(super) async fn post(_: &str, _: String) -> Result<String, AppError> {
    Err(AppError::internal("forms are sent by browsers"))
}
