//! The form that says which users to show. It is a GET form: the address it leads to is the page with them.

use domain::{
    key::without_secret,
    user::{AskUsers, MAX_SEARCH, SHOWS, SORTS},
};
use leptos::prelude::*;
use leptos_router::components::Form;

use super::{Found, HERE};
use crate::format::sentence;

/// Fields whose faults stand beside them.
pub(super) const FIELDS: [&str; 3] = ["search", "show", "sort"];

const HINT: &str = "In names, labels and notes of users and their keys, or op_ and how a key goes on";

#[component]
pub(super) fn FilterForm(asked: Memo<AskUsers>, found: Found) -> impl IntoView {
    let fault = move |name: &'static str| found.get()?.err()?.field(name).map(sentence);
    let search = Signal::derive(move || asked.with(|asked| asked.search.clone()));
    view! {
        <Form method="GET" action=HERE>
            <div role="search" class="grid items-start gap-x-4 gap-y-2 sm:grid-cols-2 lg:grid-cols-[2fr_1fr_1fr_auto]">
                <div class="flex min-w-0 flex-col gap-1">
                    <label class="text-sm font-medium" for="filter-search">"Search"</label>
                    // The attribute is for the first page, the property follows the address.
                    <input
                        class="input w-full" class:input-error=move || fault("search").is_some() id="filter-search" name="search" type="search"
                        maxlength=MAX_SEARCH.to_string() value=search.get_untracked() prop:value=search
                        autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="filter-search-note"
                        // A whole key is cut as soon as it is pasted: what is searched for goes into the address.
                        on:input=move |event| {
                            let typed = event_target_value(&event);
                            let public = without_secret(&typed);
                            if public.len() < typed.trim_start().len() {
                                event_target::<web_sys::HtmlInputElement>(&event).set_value(public);
                            }
                        }
                    />
                    <p id="filter-search-note" class="text-sm" class:text-error=move || fault("search").is_some() class:text-muted=move || fault("search").is_none()>
                        {move || fault("search").unwrap_or_else(|| sentence(HINT))}
                    </p>
                </div>
                {choice("Show", "show", &SHOWS, Signal::derive(move || asked.with(|asked| asked.show.clone())), Signal::derive(move || fault("show")))}
                {choice("Order", "sort", &SORTS, Signal::derive(move || asked.with(|asked| asked.sort.clone())), Signal::derive(move || fault("sort")))}
                <button type="submit" class="btn btn-primary sm:mt-6">"Search"</button>
            </div>
        </Form>
    }
    .into_any()
}

fn choice(
    label: &'static str,
    name: &'static str,
    options: &'static [(&'static str, &'static str)],
    value: Signal<String>,
    fault: Signal<Option<String>>,
) -> AnyView {
    let id = format!("filter-{name}");
    let options = options.iter().map(move |(option, words)| {
        view! { <option value=*option selected=move || value.get() == *option>{*words}</option> }
    });
    view! {
        <div class="flex min-w-0 flex-col gap-1">
            <label class="text-sm font-medium" for=id.clone()>{label}</label>
            <select id=id name=name class="select w-full" prop:value=value>{options.collect_view()}</select>
            <p class="text-sm text-error">{move || fault.get()}</p>
        </div>
    }
    .into_any()
}
