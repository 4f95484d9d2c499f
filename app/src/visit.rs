//! What a page has to know of a visit before it is drawn. On the server it comes from the request; in the browser it is
//! read back from the document, so that both draw the same.

use domain::key::CreatedKey;
use leptos::prelude::*;

use crate::{answer::Answer, error::AppError};

/// Colours of the pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system prefers.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub const COOKIE: &'static str = "op_theme";

    pub fn from_cookie(value: Option<&str>) -> Self {
        match value {
            Some("light") => Self::Light,
            Some("dark") => Self::Dark,
            _ => Self::System,
        }
    }

    /// Value of the document's `data-theme`; `None` leaves the choice to the system.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Light => Some("light"),
            Self::Dark => Some("dark"),
        }
    }
}

/// Given as context on the server only.
#[derive(Clone, Default)]
pub struct Visit {
    /// The page travels over a network without TLS.
    pub unencrypted: bool,
    pub theme: Theme,
    /// A key that a plain form has just created; shown by this page and then forgotten.
    pub key: Option<CreatedKey>,
    /// What the plain form that led here was answered.
    pub answer: Option<Answer>,
}

/// The page travels over a network without TLS.
pub fn is_unencrypted() -> bool {
    match use_context::<Visit>() {
        Some(visit) => visit.unencrypted,
        None => document().document_element().is_some_and(|element| element.has_attribute("data-unencrypted")),
    }
}

/// Puts the HTTP status of `error` on the page that is being drawn. Does nothing in the browser, where no answer is due.
pub fn answer_with(error: &AppError) {
    #[cfg(feature = "ssr")]
    if let (Some(response), Ok(status)) =
        (use_context::<leptos_axum::ResponseOptions>(), axum::http::StatusCode::from_u16(error.0.status()))
    {
        response.set_status(status);
    }
    #[cfg(not(feature = "ssr"))]
    let _ = error;
}

/// The key that a plain form has just created. Always `None` in the browser, where keys come as answers of actions.
pub fn key_to_show() -> Option<CreatedKey> {
    use_context::<Visit>().and_then(|visit| visit.key)
}
