//! A short note that something was done.

use leptos::prelude::*;

/// Shows `text` while it is there, announced by screen readers.
#[component]
pub fn Toast(#[prop(into)] text: Signal<Option<String>>) -> impl IntoView {
    view! {
        <div class="toast toast-end z-50" role="status" aria-live="polite">
            {move || text.get().map(|text| view! { <div class="alert alert-success"><span>{text}</span></div> })}
        </div>
    }
}
