//! The fields of the settings that are one line, and the two of the default limit.

use domain::{
    limit::RateLimit,
    settings::{Source, Sourced},
};
use leptos::prelude::*;

use super::{
    setting::{Place, Shown, Unit, guide},
    typed,
};
use crate::components::field::Field;

/// A setting of one line, which is a field of its own.
#[component]
pub(super) fn Line(
    shown: Shown,
    name: &'static str,
    #[prop(into)] value: String,
    #[prop(default = "numeric")] inputmode: &'static str,
    #[prop(optional)] placeholder: &'static str,
    /// What is true of it just now.
    #[prop(optional, into)]
    now: String,
) -> impl IntoView {
    view! {
        <Unit name><Place shown name>
            <Field
                label=guide(name).label name value={typed(name, &value)} inputmode placeholder
                hint={shown.hint(name, &now)} fault={shown.fault(name)}
            />
        </Place></Unit>
    }
    .into_any()
}

/// Two fields that are filled both or neither; `0` requests is no limit, said explicitly.
#[component]
pub(super) fn DefaultLimit(shown: Shown, limit: Sourced<Option<RateLimit>>) -> impl IntoView {
    let (requests, minutes) = match (limit.value, limit.source) {
        (Some(limit), _) => (limit.requests.to_string(), limit.minutes.to_string()),
        (None, Source::Saved) => ("0".to_owned(), String::new()),
        (None, _) => (String::new(), String::new()),
    };
    let field = move |name: &'static str, value: &str| {
        let value = typed(name, value);
        view! {
            <Place shown name>
                <Field
                    label=guide(name).label name value inputmode="numeric" hint={shown.hint(name, "")}
                    fault={shown.fault(name)}
                />
            </Place>
        }
    };
    let (requests, minutes) = (field("requests", &requests), field("minutes", &minutes));
    view! { <Unit name="requests">{requests}{minutes}</Unit> }.into_any()
}
