//! A list as a text area, with where it comes from and its faults; and the frame around some of them.

use domain::settings::{Source, Sourced};
use leptos::prelude::*;

use crate::{
    answer::typed_in,
    api::network::StoreNetwork,
    components::{fault::field_fault, field::input_name},
    format::sentence,
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
    save: ServerAction<StoreNetwork>,
    label: &'static str,
    name: &'static str,
    value: Sourced<String>,
    hint: &'static str,
) -> impl IntoView {
    let note = format!("{name}-note");
    let hint = format!("{hint}{}", origin(&value));
    let fault = field_fault(save, name);
    let text = typed_in::<StoreNetwork>(&[], name, &value.value);
    view! {
        <div class="flex flex-col gap-1">
            <label class="text-sm font-medium" for=name>{label}</label>
            <textarea
                class="textarea w-full font-mono text-sm"
                class:textarea-error=move || fault.get().is_some()
                id=name
                name=input_name(name)
                rows=ROWS.to_string()
                autocapitalize="none"
                autocomplete="off"
                spellcheck="false"
                aria-invalid=move || fault.get().is_some().then_some("true")
                aria-describedby=note.clone()
            >
                {text}
            </textarea>
            <p id=note class="text-sm break-words" class:text-error=move || fault.get().is_some() class:text-muted=move || fault.get().is_none()>
                {move || sentence(&fault.get().unwrap_or_else(|| hint.clone()))}
            </p>
        </div>
    }
    .into_any()
}

#[component]
pub(super) fn Section(
    title: &'static str,
    #[prop(optional, into)] note: Option<String>,
    children: Children,
) -> impl IntoView {
    view! {
        <fieldset class="card card-border border-base-300 bg-base-100 p-6">
            <legend class="sr-only">{title}</legend>
            <p class="mb-3 font-semibold" aria-hidden="true">{title}</p>
            {note.map(|note| view! { <p class="mb-3 max-w-prose text-sm">{note}</p> })}
            <div class="grid gap-4 md:grid-cols-2">{children()}</div>
        </fieldset>
    }
    .into_any()
}
