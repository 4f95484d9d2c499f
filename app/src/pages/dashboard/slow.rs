//! Requests that were kept waiting lately, each with its reason.

use domain::{live::LiveStatus, usage::SlowRequest};
use leptos::prelude::*;

use crate::{
    components::rows::Rows,
    format::{date_time, visible},
};

/// Nothing while there are none.
#[component]
pub(super) fn SlowRequests(status: ReadSignal<LiveStatus>) -> impl IntoView {
    let slow = Memo::new(move |_| status.with(|status| status.slow.clone()));
    let key = |slow: &SlowRequest| slow.request_id.clone();
    view! {
        <section aria-labelledby="slow" class:hidden=move || slow.with(Vec::is_empty)>
            <h2 id="slow" class="mb-3 text-lg font-semibold">"Slow requests"</h2>
            <ul role="list" class="card card-border divide-y divide-base-300 border-base-300 bg-base-100">
                <Rows items=slow key row=move |slow| view! { <Slow slow /> } />
            </ul>
        </section>
    }
    .into_any()
}

#[component]
fn Slow(slow: Signal<SlowRequest>) -> impl IntoView {
    let why = move || slow.with(|slow| format!("{}.", visible(&slow.why)));
    let of = move || {
        slow.with(|slow| {
            let key =
                slow.key.as_deref().map_or_else(|| "a deleted key".to_owned(), |name| format!("key {}", visible(name)));
            let model = slow.model.as_deref().map(|model| format!(", {}", visible(model))).unwrap_or_default();
            format!("{key}{model}, ")
        })
    };
    let id = move || slow.with(|slow| format!("request {}", slow.request_id));
    let href = move || slow.with(|slow| format!("/admin/requests/{}?at={}", slow.request_id, slow.at));
    view! {
        <li class="flex flex-col gap-1 px-4 py-3">
            <p class="font-medium break-words">{why}</p>
            <p class="text-sm text-muted break-words"><time>{move || date_time(slow.with(|slow| slow.at))}</time> " · " {of} <a class="link" href=href>{id}</a></p>
        </li>
    }
}
