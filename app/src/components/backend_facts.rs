//! What is known of a backend, as the dashboard and the list of backends show it. Names come from backends: text only.

use domain::backend::BackendView;
use leptos::prelude::*;

use super::timestamp::Timestamp;
use crate::format::{plural, sentence, visible};

/// How many models it has; their names open in place.
#[component]
pub fn ModelNames(backend: Signal<BackendView>) -> impl IntoView {
    let names = Memo::new(move |_| backend.with(|backend| backend.models.clone()));
    view! {
        <details class="text-sm">
            <summary class="cursor-pointer">{move || plural(names.with(Vec::len) as u64, "model")}</summary>
            <ul class="mt-1 max-h-40 list-inside list-disc overflow-auto break-all">
                {move || names.get().into_iter().map(|name| view! { <li>{visible(&name)}</li> }).collect_view()}
            </ul>
        </details>
    }
    .into_any()
}

/// What went wrong last, and when.
#[component]
pub fn LastFault(backend: Signal<BackendView>) -> impl IntoView {
    let last = Memo::new(move |_| backend.with(|backend| backend.last_error.clone()));
    move || {
        last.get().map(|error| {
            view! {
                <p class="text-sm break-words text-muted">
                    "Last error, " <Timestamp at=error.at /> ": " {visible(&sentence(&error.message))}
                </p>
            }
        })
    }
}
