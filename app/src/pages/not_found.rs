//! Page for addresses that are none of ours. The server puts the status 404 on it.

use leptos::prelude::*;

use crate::components::page::PlainFrame;

#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! {
        <PlainFrame title="Page not found">
            <p>"There is no page at this address."</p>
            <p><a class="link" href="/admin">"Go to the dashboard"</a></p>
        </PlainFrame>
    }
}
