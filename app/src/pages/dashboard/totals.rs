//! The numbers at the top of the dashboard.

use std::collections::BTreeSet;

use domain::{backend::BackendState, live::LiveStatus, usage::MinutePoint};
use leptos::prelude::*;

use crate::format::{number, plural};

#[component]
pub(super) fn Totals(status: ReadSignal<LiveStatus>) -> impl IntoView {
    let up = move || {
        status.with(|status| {
            let up = status.backends.iter().filter(|backend| backend.state == BackendState::Up).count();
            format!("{up} of {}", status.backends.iter().filter(|backend| backend.enabled).count())
        })
    };
    let models = move || {
        status.with(|status| {
            status
                .backends
                .iter()
                .filter(|backend| backend.enabled)
                .flat_map(|backend| &backend.models)
                .collect::<BTreeSet<_>>()
                .len()
        })
    };
    let waiting = move || match status.with(|status| status.waiting) {
        0 => "requests right now".to_owned(),
        waiting => format!("{} waiting for a slot", number(waiting)),
    };
    let errors = move || plural(hour(status, |minute| minute.errors), "error");
    view! {
        <dl class="grid grid-cols-2 gap-3 md:grid-cols-4">
            <Total title="Backends up" value=up note=move || plural(models() as u64, "model") />
            <Total title="In flight" value=move || number(status.with(|status| status.in_flight)) note=waiting />
            <Total title="Requests" value=move || number(hour(status, |minute| minute.requests)) note=move || format!("last hour, {}", errors()) />
            <Total
                title="Tokens" value=move || number(hour(status, MinutePoint::tokens))
                note=move || format!("last hour, {} of them answers", number(hour(status, |minute| minute.completion_tokens)))
            />
        </dl>
    }
    .into_any()
}

/// The sum over the last hour.
fn hour(status: ReadSignal<LiveStatus>, value: fn(&MinutePoint) -> u64) -> u64 {
    status.with(|status| status.minutes.iter().map(value).fold(0, u64::saturating_add))
}

#[component]
fn Total(
    title: &'static str,
    value: impl Fn() -> String + Send + Sync + 'static,
    note: impl Fn() -> String + Send + Sync + 'static,
) -> impl IntoView {
    view! {
        <div class="rounded-box border border-base-300 bg-base-100 p-4">
            <dt class="text-sm text-muted">{title}</dt>
            <dd class="text-2xl font-semibold tabular-nums">{value}</dd>
            <dd class="text-sm text-muted">{note}</dd>
        </div>
    }
}
