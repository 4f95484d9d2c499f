//! What stands above every page when something about the connection matters.

use leptos::prelude::*;

use crate::visit;

/// Says that what is typed here can be read on the way, off this machine and without TLS.
#[component]
pub fn PlainTextBanner() -> impl IntoView {
    visit::is_unencrypted().then(|| {
        view! {
            <p role="note" class="bg-warning px-4 py-2 text-center text-sm text-warning-content">
                "This page travels unencrypted: others on the network can read what you type. Put TLS in front before you go beyond a network you trust."
            </p>
        }
    })
}
