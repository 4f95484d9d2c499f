//! What needs somebody's attention, as the server says it, with the way to where it is mended.

use domain::live::{Attention, LiveStatus};
use leptos::prelude::*;

use crate::{components::rows::Rows, format::visible};

/// One calm line where there is nothing.
#[component]
pub(super) fn NeedsAttention(status: ReadSignal<LiveStatus>) -> impl IntoView {
    let items = Memo::new(move |_| status.with(|status| status.attention.clone()));
    let is_calm = move || items.with(Vec::is_empty);
    view! {
        <section aria-labelledby="attention" data-testid="attention">
            <h2 id="attention" class="mb-3 text-lg font-semibold" class:sr-only=is_calm>"Needs attention"</h2>
            // What comes is read out; what changes from second to second, and what goes, is not.
            <ul
                role="list" aria-live="polite" aria-relevant="additions"
                class="card card-border divide-y divide-base-300 border-base-300 bg-base-100" class:hidden=is_calm
            >
                <Rows items key=|item: &Attention| item.key.clone() row=move |item| view! { <Item item /> } />
            </ul>
            <p class="text-sm text-muted" class:hidden=move || !is_calm()>
                <span class="status status-success me-2" aria-hidden="true"></span>
                "Nothing needs your attention."
            </p>
        </section>
    }
    .into_any()
}

#[component]
fn Item(item: Signal<Attention>) -> impl IntoView {
    let dot = move || item.with(|item| if item.urgent { "status status-error" } else { "status status-warning" });
    let text = move || item.with(|item| visible(&item.text));
    let (link, action) = (move || item.with(|item| item.link.clone()), move || item.with(|item| item.action.clone()));
    view! {
        <li class="flex flex-wrap items-baseline gap-x-3 gap-y-1 px-4 py-3">
            <span class=dot aria-hidden="true"></span>
            <p class="min-w-0 grow basis-64 break-words">{text}</p>
            <a class="link text-sm" href=link>{action}</a>
        </li>
    }
    .into_any()
}
