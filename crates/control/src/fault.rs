//! How faults of the layers below become answers: the log gets the detail, the person a fixed sentence.

use std::fmt::Display;

use domain::error::AdminError;
use store::StoreError;

/// A fault of ours. `what` and `error` go to the log only.
pub(crate) fn internal(what: &str, error: &dyn Display) -> AdminError {
    tracing::error!(%error, "{what}");
    AdminError::Internal { message: "something went wrong; the log has the detail".into() }
}

/// The answer to every write while the store cannot be written.
pub(crate) fn read_only(why: &str) -> AdminError {
    AdminError::ReadOnly { message: format!("nothing can be saved now: {why}") }
}

pub(crate) fn of_store(error: &StoreError) -> AdminError {
    match error {
        StoreError::Full { .. } => {
            tracing::error!(%error, "a write failed");
            read_only("the disk is full or cannot be written")
        }
        // On its way to the server it may have been saved all the same; then it shows up by itself.
        StoreError::Unreachable { .. } => {
            tracing::error!(%error, "a write failed");
            read_only("the database does not answer; try again when it does")
        }
        StoreError::Newer { .. } => {
            tracing::error!(%error, "a write failed");
            read_only("a newer gateway has changed the database: start this one with the same version")
        }
        _ => internal("a write failed", error),
    }
}

pub(crate) fn conflict(message: impl Into<String>) -> AdminError {
    AdminError::Conflict { message: message.into() }
}

pub(crate) fn not_found(what: &str) -> AdminError {
    AdminError::NotFound { what: what.into() }
}
