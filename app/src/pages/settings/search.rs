//! The search that narrows the settings: as one types where there are scripts, by the address where there are none.

use domain::settings::guide::{MAX_QUERY, SETTINGS};
use leptos::{ev::SubmitEvent, prelude::*};
use leptos_router::{components::A, hooks::use_query_map};

use super::logo;

const HERE: &str = "/admin/settings";
const NAME: &str = "q";

/// What is searched for, beginning with what the address says.
pub(super) fn query() -> RwSignal<String> {
    let typed = use_query_map().with_untracked(|query| query.get(NAME)).unwrap_or_default();
    RwSignal::new(typed.chars().take(MAX_QUERY).collect())
}

#[component]
pub(super) fn Search(query: RwSignal<String>) -> impl IntoView {
    let found = move || {
        let found = query.with(|query| {
            SETTINGS.iter().filter(|setting| setting.matches(query)).count() + usize::from(logo::is_found(query))
        });
        let narrowed = query.with(|query| !query.trim().is_empty());
        narrowed.then(|| format!("{found} of {} settings", SETTINGS.len() + 1))
    };
    view! {
        <form method="get" action=HERE role="search" class="mb-6 flex flex-wrap items-center gap-3" on:submit=|event: SubmitEvent| event.prevent_default()>
            <input
                type="search" name=NAME class="input w-full max-w-md" aria-label="Search the settings" placeholder="Search the settings"
                maxlength=MAX_QUERY.to_string() autocomplete="off" autocapitalize="none" spellcheck="false"
                value=query.get_untracked() prop:value=query on:input=move |event| query.set(event_target_value(&event))
            />
            <button type="submit" class="btn hidden noscript:inline-flex">"Search"</button>
            <p role="status" class="text-sm text-muted">{found}</p>
        </form>
    }
    .into_any()
}

/// In place of the settings where none is found.
#[component]
pub(super) fn Nothing(query: RwSignal<String>) -> impl IntoView {
    let nothing =
        move || query.with(|query| !SETTINGS.iter().any(|setting| setting.matches(query)) && !logo::is_found(query));
    view! {
        <p class="rounded-box border border-dashed border-base-300 p-8 text-center text-muted" class:hidden=move || !nothing()>
            "No setting is called so or speaks of it. "
            <A href=HERE attr:class="link" on:click=move |_| query.set(String::new())>"Show all settings"</A>
        </p>
    }
    .into_any()
}
