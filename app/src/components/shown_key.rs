//! A new key, shown once.

use leptos::prelude::*;

use super::copy_button::CopyButton;

/// A key that is shown this once.
#[component]
pub fn ShownKey(key: String) -> impl IntoView {
    view! {
        <div class="flex flex-col gap-2 rounded-box border border-success p-4">
            <p class="text-sm">"Copy it now and keep it safe: it is shown this once and cannot be shown again."</p>
            <div class="flex flex-wrap items-center gap-2">
                <code class="grow break-all rounded bg-base-300 px-3 py-2" data-testid="new-key">{key.clone()}</code>
                <CopyButton text=key class="btn"/>
            </div>
        </div>
    }
}
