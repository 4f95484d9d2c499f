//! Who is nearest to a limit, with what is used of it.

use domain::live::{LimitInUse, LiveStatus};
use leptos::prelude::*;

use crate::{components::rows::Rows, format::visible};

/// Nothing while nothing is used of any limit.
#[component]
pub(super) fn LimitsInUse(status: ReadSignal<LiveStatus>) -> impl IntoView {
    let limits = Memo::new(move |_| status.with(|status| status.limits.clone()));
    view! {
        <section aria-labelledby="limits" class:hidden=move || limits.with(Vec::is_empty)>
            <h2 id="limits" class="mb-3 text-lg font-semibold">"Limits in use"</h2>
            <ul role="list" class="card card-border grid gap-x-8 gap-y-3 border-base-300 bg-base-100 p-4 lg:grid-cols-2">
                <Rows items=limits key=|limit: &LimitInUse| limit.id.clone() row=move |limit| view! { <Row limit /> } />
            </ul>
        </section>
    }
    .into_any()
}

#[component]
fn Row(limit: Signal<LimitInUse>) -> impl IntoView {
    let who = move || limit.with(|limit| visible(&limit.who));
    let text = move || limit.with(|limit| limit.text.clone());
    let class = move || {
        limit.with(|limit| match limit.percent {
            100.. => "progress progress-error h-1.5",
            80.. => "progress progress-warning h-1.5",
            _ => "progress h-1.5",
        })
    };
    view! {
        <li class="flex min-w-0 flex-col gap-1 text-sm">
            <p class="flex flex-wrap justify-between gap-x-4">
                <a class="link link-hover min-w-0 font-medium break-words" href=move || limit.with(|limit| limit.link.clone())>{who}</a>
                <span class="text-muted tabular-nums">{text}</span>
            </p>
            // The words beside it say the same.
            <progress class=class value=move || limit.with(|limit| limit.percent.to_string()) max="100" aria-hidden="true"></progress>
        </li>
    }
    .into_any()
}
