//! States as short words with a coloured dot; the word alone says it too.

use domain::{backend::BackendState, key::KeyStatus};
use leptos::prelude::*;

#[component]
pub fn BackendBadge(#[prop(into)] state: Signal<BackendState>) -> impl IntoView {
    let look = move || match state.get() {
        BackendState::Up => ("Up", "status status-success"),
        BackendState::Draining => ("Draining", "status status-info"),
        BackendState::Down => ("Down", "status status-error"),
        BackendState::Disabled => ("Disabled", "status status-neutral"),
        BackendState::Unknown => ("Unknown", "status status-warning"),
    };
    view! { <Badge look=Signal::derive(look) /> }
}

#[component]
pub fn KeyBadge(#[prop(into)] status: Signal<KeyStatus>) -> impl IntoView {
    let look = move || match status.get() {
        KeyStatus::Active => ("Active", "status status-success"),
        KeyStatus::Disabled => ("Disabled", "status status-neutral"),
        KeyStatus::Revoked => ("Revoked", "status status-error"),
    };
    view! { <Badge look=Signal::derive(look) /> }
}

#[component]
pub fn EnabledBadge(#[prop(into)] enabled: Signal<bool>) -> impl IntoView {
    let look = move || {
        if enabled.get() { ("Enabled", "status status-success") } else { ("Disabled", "status status-neutral") }
    };
    view! { <Badge look=Signal::derive(look) /> }
}

/// `look` is the word and the classes of the dot.
#[component]
pub fn Badge(#[prop(into)] look: Signal<(&'static str, &'static str)>) -> impl IntoView {
    view! {
        <span class="badge badge-ghost whitespace-nowrap">
            <span class=move || look.get().1 aria-hidden="true"></span>
            {move || look.get().0}
        </span>
    }
    .into_any()
}
