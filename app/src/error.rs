//! The error every server function answers with: [`AdminError`] in the form Leptos asks for. The HTTP status is put on by
//! `ssr::gate`, which sees the encoded error; nothing here knows HTTP.

use bytes::Bytes;
use domain::error::AdminError;
use leptos::server_fn::{
    Decodes,
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};
use serde::{Deserialize, Serialize};

use crate::{api::JsonText, decode::Fault, session};

/// What a server function answers instead of its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error(transparent)]
#[serde(transparent)]
pub struct AppError(#[from] pub AdminError);

impl AppError {
    /// The fault beside `field`, if there is one.
    pub fn field(&self, field: &str) -> Option<&str> {
        self.0.field(field)
    }

    /// What to show above a form whose own fields are `fields`: everything that is not shown beside one of them.
    pub fn beside_no_field(&self, fields: &[&str]) -> Option<String> {
        let AdminError::Invalid { fields: faults } = &self.0 else { return Some(self.to_string()) };
        let rest: Vec<&str> = faults
            .iter()
            .filter(|fault| !fields.contains(&fault.field.as_str()))
            .map(|fault| fault.message.as_str())
            .collect();
        (!rest.is_empty()).then(|| rest.join("; "))
    }

    /// The page shows something that is not so any more: it was removed or changed elsewhere.
    pub fn is_stale(&self) -> bool {
        matches!(self.0, AdminError::NotFound { .. } | AdminError::Conflict { .. })
    }

    /// The same may work in a moment: the gateway did not answer, or could not.
    pub fn may_pass(&self) -> bool {
        matches!(self.0, AdminError::Internal { .. } | AdminError::Busy)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self(AdminError::Internal { message: message.into() })
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(detail) | ServerFnErrorErr::MissingArg(detail) => {
                Self(AdminError::invalid("input", format!("the form was not understood: {detail}")))
            }
            ServerFnErrorErr::Request(_) => Self::internal("the gateway does not answer; is it still running?"),
            ServerFnErrorErr::Deserialization(_) => {
                Self::internal("the answer was not understood; reload the page, the gateway may have been updated")
            }
            other => Self::internal(other.to_string()),
        }
    }

    /// Every error that reaches the browser comes by here, so this is where an ended session is noticed.
    fn de(data: Bytes) -> Self {
        let error: Self = JsonText::decode(data).unwrap_or_else(|fault: Fault| {
            Self::from_server_fn_error(ServerFnErrorErr::Deserialization(fault.to_string()))
        });
        if error.0 == AdminError::Unauthenticated {
            session::note_end();
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use domain::error::FieldError;

    use super::*;

    #[test]
    fn an_error_survives_its_way_to_the_browser() {
        let error = AppError(AdminError::invalid("name", "is taken"));
        assert_eq!(AppError::de(error.ser()), error);
    }

    #[test]
    fn a_fault_shows_beside_its_field_or_above_the_form_never_nowhere() {
        let error = AppError(AdminError::Invalid {
            fields: vec![FieldError::new("name", "is taken"), FieldError::new("other", "is odd")],
        });
        assert_eq!(error.field("name"), Some("is taken"));
        assert_eq!(error.beside_no_field(&["name"]).as_deref(), Some("is odd"));
        assert_eq!(
            AppError(AdminError::Busy).beside_no_field(&["name"]).as_deref(),
            Some("busy, try again in a moment")
        );
    }
}
