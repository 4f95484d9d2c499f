//! The fields of the settings, each with the source of its value.

use domain::{
    limit::RateLimit,
    settings::{Source, Sourced},
};
use leptos::prelude::*;

use super::typed;
use crate::{
    api::settings::StoreSettings,
    components::{action::FormAction, fault::field_fault, field::Field},
};

/// Where a value comes from, as a sentence.
pub(super) fn origin<T>(value: &Sourced<T>) -> &'static str {
    match (value.source, value.overrides_environment) {
        (Source::Default, _) => "This is the default.",
        (Source::Environment, _) => "Set by the environment.",
        (Source::Saved, false) => "Saved here; empty it to go back to the default.",
        (Source::Saved, true) => "Saved here, overrides the environment; empty it to go back.",
    }
}

#[component]
pub(super) fn NumberSetting(
    save: FormAction<StoreSettings>,
    label: &'static str,
    name: &'static str,
    value: Sourced<u32>,
    hint: &'static str,
) -> impl IntoView {
    let hint = format!("{hint} {}", origin(&value));
    view! { <Field label name value={typed(name, &value.value.to_string())} inputmode="numeric" hint fault=field_fault(save, name) /> }
}

#[component]
pub(super) fn TextSetting(
    save: FormAction<StoreSettings>,
    label: &'static str,
    name: &'static str,
    value: Sourced<String>,
    hint: &'static str,
    placeholder: &'static str,
) -> impl IntoView {
    let hint = format!("{hint} {}", origin(&value));
    view! { <Field label name value={typed(name, &value.value)} inputmode="url" hint placeholder fault=field_fault(save, name) /> }
}

/// Two fields that are filled both or neither; `0` requests is no limit, said explicitly.
#[component]
pub(super) fn DefaultLimit(save: FormAction<StoreSettings>, limit: Sourced<Option<RateLimit>>) -> impl IntoView {
    let hint = format!("For keys without a limit of their own. 0: no limit. {}", origin(&limit));
    let (requests, minutes) = match (limit.value, limit.source) {
        (Some(limit), _) => (limit.requests.to_string(), limit.minutes.to_string()),
        (None, Source::Saved) => ("0".to_owned(), String::new()),
        (None, _) => (String::new(), String::new()),
    };
    view! {
        <Field label="Requests" name="requests" value={typed("requests", &requests)} inputmode="numeric" hint fault=field_fault(save, "requests") />
        <Field
            label="Window (Minutes)" name="minutes" value={typed("minutes", &minutes)} inputmode="numeric"
            hint="At most that many requests are admitted in every interval of this length." fault=field_fault(save, "minutes")
        />
    }
}
