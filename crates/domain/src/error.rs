//! What an admin action answers when it cannot be done, in a form that pages, command line and `--json` share.

use serde::{Deserialize, Serialize};

/// A fault that belongs beside one field of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Why an admin action was refused or failed. Messages are for people, lower case, without a full stop; internal
/// detail is in the log under `request_id`, never here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case", try_from = "Read")]
pub enum AdminError {
    /// No session, or it ended: sign in again.
    #[error("sign in to go on")]
    Unauthenticated,
    /// Name or password wrong, the account unknown, or too many failures: one answer for all of them.
    #[error("{message}")]
    LoginRefused { message: String },
    #[error("{message}")]
    Forbidden { message: String },
    /// A dangerous change, and the password was last given too long ago: give it again, then repeat the change.
    #[error("give your password again to go on")]
    NeedsPassword,
    /// The input has faults, each beside a field.
    #[error("{}", join(fields))]
    Invalid { fields: Vec<FieldError> },
    #[error("{what} not found")]
    NotFound { what: String },
    /// The action does not fit the present state, for example enabling a revoked key.
    #[error("{message}")]
    Conflict { message: String },
    /// The disk is full or the store is otherwise read-only.
    #[error("{message}")]
    ReadOnly { message: String },
    /// Too busy to hash another password right now.
    #[error("busy, try again in a moment")]
    Busy,
    /// A fault of ours; the log has the detail.
    #[error("{message}")]
    Internal { message: String },
}

impl AdminError {
    /// One fault beside one field.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid { fields: vec![FieldError::new(field, message)] }
    }

    /// The fault beside `field`, if there is one.
    pub fn field(&self, field: &str) -> Option<&str> {
        match self {
            Self::Invalid { fields } => {
                fields.iter().find(|fault| fault.field == field).map(|fault| fault.message.as_str())
            }
            _ => None,
        }
    }

    /// HTTP status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unauthenticated | Self::LoginRefused { .. } => 401,
            Self::Forbidden { .. } | Self::NeedsPassword => 403,
            Self::Invalid { .. } => 400,
            Self::NotFound { .. } => 404,
            Self::Conflict { .. } => 409,
            Self::ReadOnly { .. } => 507,
            Self::Busy => 503,
            Self::Internal { .. } => 500,
        }
    }
}

/// An error as it is read: the members of all kinds. serde's own reading of a tagged enum keeps everything until it knows the
/// kind, and the code for that would be a part of every page.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Read {
    kind: String,
    message: String,
    what: String,
    fields: Vec<FieldError>,
}

impl TryFrom<Read> for AdminError {
    type Error = &'static str;

    fn try_from(Read { kind, message, what, fields }: Read) -> Result<Self, Self::Error> {
        Ok(match kind.as_str() {
            "unauthenticated" => Self::Unauthenticated,
            "login_refused" => Self::LoginRefused { message },
            "forbidden" => Self::Forbidden { message },
            "needs_password" => Self::NeedsPassword,
            "invalid" => Self::Invalid { fields },
            "not_found" => Self::NotFound { what },
            "conflict" => Self::Conflict { message },
            "read_only" => Self::ReadOnly { message },
            "busy" => Self::Busy,
            "internal" => Self::Internal { message },
            _ => return Err("no kind of error"),
        })
    }
}

fn join(fields: &[FieldError]) -> String {
    fields.iter().map(|fault| format!("{}: {}", fault.field, fault.message)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_was_written() {
        let text = || "a \"fault\"".to_owned();
        let all = [
            AdminError::Unauthenticated,
            AdminError::LoginRefused { message: text() },
            AdminError::Forbidden { message: text() },
            AdminError::NeedsPassword,
            AdminError::Invalid { fields: vec![FieldError::new("name", "is taken"), FieldError::new("url", "is odd")] },
            AdminError::NotFound { what: text() },
            AdminError::Conflict { message: text() },
            AdminError::ReadOnly { message: text() },
            AdminError::Busy,
            AdminError::Internal { message: text() },
        ];
        for error in all {
            let written = serde_json::to_string(&error).unwrap();
            assert_eq!(serde_json::from_str::<AdminError>(&written).unwrap(), error, "{written}");
        }
        assert!(serde_json::from_str::<AdminError>(r#"{"kind":"odd","message":"x"}"#).is_err());
        assert!(serde_json::from_str::<AdminError>("{}").is_err());
    }
}
