//! A labelled text of several lines, and a labelled choice, with hint and fault as [`super::field::Field`] has them.

use leptos::prelude::*;

use super::field::input_name;
use crate::format::sentence;

/// `id` must be unique on the page.
#[component]
pub fn Area(
    label: &'static str,
    name: &'static str,
    #[prop(into)] id: String,
    #[prop(into)] value: String,
    #[prop(into)] hint: String,
    #[prop(into)] fault: Signal<Option<String>>,
    /// Lines it shows without scrolling.
    #[prop(default = 3)]
    rows: usize,
) -> impl IntoView {
    let note = format!("{id}-note");
    let value = content(value);
    view! {
        <div class="flex flex-col gap-1">
            <label class="text-sm font-medium" for=id.clone()>{label}</label>
            <textarea
                class="textarea w-full font-mono text-sm"
                class:textarea-error=move || fault.get().is_some()
                id=id
                name=input_name(name)
                rows=rows.to_string()
                autocapitalize="none"
                autocomplete="off"
                spellcheck="false"
                aria-invalid=move || fault.get().is_some().then_some("true")
                aria-describedby=note.clone()
            >
                {value}
            </textarea>
            <Note id=note hint fault />
        </div>
    }
    .into_any()
}

/// What stands between the tags of a `textarea`. Leptos writes that into the document as it is, like a script's, so that a
/// text could end the element and go on as markup.
fn content(value: String) -> String {
    if cfg!(feature = "ssr") { value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;") } else { value }
}

/// One of `options`, each a value and its words.
#[component]
pub fn Choice(
    #[prop(into)] label: String,
    name: &'static str,
    #[prop(into)] id: String,
    #[prop(into)] value: String,
    options: &'static [(&'static str, &'static str)],
    #[prop(into)] hint: String,
    #[prop(into)] fault: Signal<Option<String>>,
) -> impl IntoView {
    let note = format!("{id}-note");
    let options = options
        .iter()
        .map(|(option, words)| view! { <option value=*option selected=*option == value>{*words}</option> })
        .collect_view();
    view! {
        <div class="flex flex-col gap-1">
            <label class="text-sm font-medium" for=id.clone()>{label}</label>
            <select
                class="select w-full"
                class:select-error=move || fault.get().is_some()
                id=id
                name=input_name(name)
                aria-invalid=move || fault.get().is_some().then_some("true")
                aria-describedby=note.clone()
            >
                {options}
            </select>
            <Note id=note hint fault />
        </div>
    }
    .into_any()
}

#[component]
fn Note(id: String, #[prop(into)] hint: String, fault: Signal<Option<String>>) -> impl IntoView {
    view! {
        <p id=id class="text-sm break-words" class:text-error=move || fault.get().is_some() class:text-muted=move || fault.get().is_none()>
            {move || sentence(&fault.get().unwrap_or_else(|| hint.clone()))}
        </p>
    }
}
