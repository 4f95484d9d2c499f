//! What a page has to know of a visit before it is drawn. On the server it comes from the request; in the browser it is
//! read back from the document, so that both draw the same.

use domain::{
    admin::{FactorSetup, RecoveryCodes, Role},
    key::CreatedKey,
    look::Look,
};
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
    /// What the product is called, and its logo.
    pub look: Look,
    /// Rules of the style sheet that give the accent; nothing for the product's own.
    pub accent: Option<String>,
    /// A key that a plain form has just created; shown by this page and then forgotten.
    pub key: Option<CreatedKey>,
    /// A second factor that is being set up in this session, on the page that shows it.
    pub factor: Option<FactorSetup>,
    /// Recovery codes that a plain form has just made; shown by this page and then forgotten.
    pub codes: Option<RecoveryCodes>,
    /// Of whoever looks; `None` without a session.
    pub role: Option<Role>,
    /// What the plain form that led here was answered.
    pub answer: Option<Answer>,
}

impl Visit {
    /// The page shows a secret once, which then is in its HTML and nowhere else.
    pub fn shows_secret(&self) -> bool {
        self.key.is_some() || self.factor.is_some() || self.codes.is_some()
    }
}

/// The role of whoever looks, as long as one document lives.
#[derive(Clone, Copy)]
struct Own(RwSignal<Option<Role>>);

/// Makes the role known to all pages. Belongs at the root of the app.
pub fn provide() {
    #[cfg(feature = "ssr")]
    let role = use_context::<Visit>().and_then(|visit| visit.role);
    #[cfg(not(feature = "ssr"))]
    let role = document()
        .document_element()
        .and_then(|root| root.get_attribute("data-role"))
        .and_then(|role| role.parse().ok());
    provide_context(Own(RwSignal::new(role)));
}

/// The role of whoever looks. It stays the same while a session lives, and pages are drawn when it is known.
pub fn role() -> Option<Role> {
    use_context::<Own>().and_then(|Own(role)| role.get_untracked())
}

/// Whether the role is known, to be tracked by what waits for it.
pub fn knows_role() -> Signal<bool> {
    let own = use_context::<Own>();
    Signal::derive(move || own.is_some_and(|Own(role)| role.get().is_some()))
}

/// Somebody signed in, or out, without another document.
pub fn set_role(role: Option<Role>) {
    if let Some(Own(own)) = use_context::<Own>() {
        own.set(role);
    }
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

/// A second factor that is being set up, on a page that is drawn anew. Always `None` in the browser, as above.
pub fn factor_to_show() -> Option<FactorSetup> {
    use_context::<Visit>().and_then(|visit| visit.factor)
}

/// The recovery codes that a plain form has just made. Always `None` in the browser, as above.
pub fn codes_to_show() -> Option<RecoveryCodes> {
    use_context::<Visit>().and_then(|visit| visit.codes)
}
