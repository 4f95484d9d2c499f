//! What the last plain form was answered: for browsers without JavaScript, and for forms that are sent before the page is
//! alive. The server keeps it for the one page that follows (`ssr::answers`) and never puts it into an address, where a
//! link could forge it. To hydration it goes as an attribute of the document, so that both sides draw the same.

use std::collections::BTreeMap;

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::hooks::use_location;
use serde::{Deserialize, Serialize};

use crate::{components::action::Answered, error::AppError};

/// The answer to one plain form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Path of the server function.
    pub function: String,
    /// Path of the page that shows it.
    pub page: String,
    /// The value as JSON, of functions whose value a page shows; or why the form was refused.
    pub outcome: Result<String, AppError>,
    /// What was typed, but for secrets, by the fields' names.
    pub typed: BTreeMap<String, String>,
}

#[derive(Clone, Copy)]
struct Kept(StoredValue<Option<Answer>>);

/// Makes the answer known to all pages. Belongs at the root of the app.
pub fn provide() {
    #[cfg(feature = "ssr")]
    let answer = use_context::<crate::visit::Visit>().and_then(|visit| visit.answer);
    #[cfg(not(feature = "ssr"))]
    let answer = document()
        .document_element()
        .and_then(|root| root.get_attribute("data-answer"))
        .and_then(|text| crate::decode::decode(&text).ok());
    provide_context(Kept(StoredValue::new(answer)));
}

/// Forgets the answer once its page is left. Belongs inside the router, once.
#[component]
pub fn ForgetAnswer() -> impl IntoView {
    let pathname = use_location().pathname;
    let kept = use_context::<Kept>();
    Effect::new(move |before: Option<String>| {
        let path = pathname.get();
        if let (Some(before), Some(Kept(kept))) = (before, kept)
            && before != path
        {
            kept.set_value(None);
        }
        path
    });
}

fn here() -> Option<Answer> {
    let Kept(kept) = use_context::<Kept>()?;
    let answer = kept.try_get_value().flatten()?;
    (answer.page == use_location().pathname.get_untracked()).then_some(answer)
}

/// The answer to the form of `function` whose fields held `own`: on a page with one such form a row the row's id.
fn to(function: &str, own: &[(&str, &str)]) -> Option<Answer> {
    here().filter(|answer| {
        let held = |(field, value): &(&str, &str)| answer.typed.get(*field).is_some_and(|typed| typed == value);
        answer.function == function && own.iter().all(held)
    })
}

/// What an action of `function` begins with, the form's fields having held `own`.
pub fn first(function: &str, own: &[(&str, &str)]) -> Answered {
    match to(function, own)?.outcome {
        Ok(value) => Some(Ok(value.into())),
        // What the page showed is not so any more: the page says it, not a row that may be gone.
        Err(error) if error.is_stale() => None,
        Err(error) => Some(Err(error)),
    }
}

/// Why a plain form of this page met something that is not as the page showed it.
pub fn stale() -> Option<AppError> {
    here()?.outcome.err().filter(AppError::is_stale)
}

/// What a refused plain form of `S` held in `field`; empty on every other page.
pub fn typed<S: ServerFn>(field: &str) -> String {
    typed_in::<S>(&[], field, "")
}

/// The same of the form whose fields held `own`, with `default` on every other page.
pub fn typed_in<S: ServerFn>(own: &[(&str, &str)], field: &str, default: &str) -> String {
    typed_at(S::PATH, own, field, default)
}

/// The same of the form of `function`, a path.
pub fn typed_at(function: &str, own: &[(&str, &str)], field: &str, default: &str) -> String {
    let refused = to(function, own).filter(|answer| answer.outcome.is_err());
    refused.and_then(|mut answer| answer.typed.remove(field)).unwrap_or_else(|| default.to_owned())
}

/// Whether a checkbox of a refused plain form of `S` was ticked, with `default` on every other page: one that is not ticked is
/// not sent.
pub fn ticked<S: ServerFn>(field: &str, default: bool) -> bool {
    let refused = to(S::PATH, &[]).filter(|answer| answer.outcome.is_err());
    refused.map_or(default, |answer| answer.typed.contains_key(field))
}

/// What comes back of a form that `S` refused, or that was sent to `T`, which only looks: then whatever that found.
fn sent<S: ServerFn, T: ServerFn>() -> Option<Answer> {
    to(T::PATH, &[]).or_else(|| to(S::PATH, &[]).filter(|answer| answer.outcome.is_err()))
}

/// What such a form held in `field`, with `default` on every other page.
pub fn typed_or_tried<S: ServerFn, T: ServerFn>(field: &str, default: &str) -> String {
    sent::<S, T>().and_then(|mut answer| answer.typed.remove(field)).unwrap_or_else(|| default.to_owned())
}

/// Whether such a form's checkbox was ticked, with `default` on every other page.
pub fn ticked_or_tried<S: ServerFn, T: ServerFn>(field: &str, default: bool) -> bool {
    sent::<S, T>().map_or(default, |answer| answer.typed.contains_key(field))
}
