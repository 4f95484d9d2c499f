//! A list as a text area, with where it comes from and its faults.

use domain::settings::{Source, Sourced};
use leptos::prelude::*;

use crate::{
    answer::typed_in,
    api::network::StoreNetwork,
    components::{action::FormAction, area::Area, fault::field_fault, field::Field},
};

/// Lines a list shows without scrolling.
const ROWS: usize = 4;

fn origin(value: &Sourced<String>) -> &'static str {
    match (value.source, value.overrides_environment) {
        (Source::Default, _) => "",
        (Source::Environment, _) => " Set by the environment.",
        (Source::Saved, false) => " Saved here.",
        (Source::Saved, true) => " Saved here, overrides the environment; empty it to go back.",
    }
}

#[component]
pub(super) fn ListSetting(
    save: FormAction<StoreNetwork>,
    label: &'static str,
    name: &'static str,
    value: Sourced<String>,
    hint: &'static str,
) -> impl IntoView {
    let hint = format!("{hint}{}", origin(&value));
    let text = typed_in::<StoreNetwork>(&[], name, &value.value);
    view! { <Area label name id=name value=text hint fault=field_fault(save, name) rows=ROWS /> }
}

/// One line, a number.
#[component]
pub(super) fn NumberSetting(
    save: FormAction<StoreNetwork>,
    label: &'static str,
    name: &'static str,
    value: Sourced<String>,
    hint: &'static str,
) -> impl IntoView {
    let hint = format!("{hint}{}", origin(&value));
    let text = typed_in::<StoreNetwork>(&[], name, &value.value);
    view! { <Field label name value=text inputmode="numeric" hint fault=field_fault(save, name) /> }
}
