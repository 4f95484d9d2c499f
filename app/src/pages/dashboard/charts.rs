//! Requests and tokens of the last hour.

use domain::live::LiveStatus;
use leptos::prelude::*;

use crate::components::chart::{HourChart, Series, Tone, palette::use_palette};

const REQUESTS: &[Series] = &[
    Series { label: "Answered", tone: Tone::Primary, value: |minute| minute.requests.saturating_sub(minute.errors) },
    Series { label: "Failed", tone: Tone::Error, value: |minute| minute.errors },
];

const TOKENS: &[Series] = &[
    Series { label: "Prompt tokens", tone: Tone::Secondary, value: |minute| minute.prompt_tokens },
    Series { label: "Completion tokens", tone: Tone::Primary, value: |minute| minute.completion_tokens },
];

#[component]
pub(super) fn Charts(status: ReadSignal<LiveStatus>) -> impl IntoView {
    let minutes = Memo::new(move |_| status.with(|status| status.minutes.clone()));
    let palette = use_palette();
    view! {
        <div class="grid gap-3 lg:grid-cols-2">
            <HourChart title="Requests" series=REQUESTS minutes palette />
            <HourChart title="Tokens" series=TOKENS minutes palette />
        </div>
    }
    .into_any()
}
