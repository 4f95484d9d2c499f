//! The parts of a request's life, each a bar from where it begins to where it ends, with its length as text.

use domain::usage::log::{Phase, Stretch};
use leptos::prelude::*;

use crate::pages::requests::words::duration;

#[component]
pub(super) fn Life(timeline: Vec<Stretch>, total_us: u64) -> impl IntoView {
    let is_empty = timeline.is_empty();
    let parts = timeline.into_iter().map(|Stretch { phase, from_us, to_us }| {
        let (words, colour) = match phase {
            Phase::Queued => ("Queued for a slot", "fill-base-content/40"),
            Phase::Loading => ("Loading the model", "fill-warning"),
            Phase::Waiting => ("Waiting for the first token", "fill-primary"),
            Phase::Answering => ("Answering", "fill-success"),
        };
        let length = to_us.saturating_sub(from_us);
        view! {
            <li class="grid grid-cols-[1fr_auto] items-center gap-x-4 gap-y-1 sm:grid-cols-[13rem_1fr_7rem]">
                <span>{words}</span>
                // Attributes of a picture and no styles, which the content security policy would refuse.
                <svg class="order-last col-span-2 h-3 w-full rounded bg-base-200 sm:order-none sm:col-span-1" aria-hidden="true">
                    <rect class=colour x=percent(from_us, total_us, 0) width=percent(length, total_us, 4) height="100%" rx="2"></rect>
                </svg>
                <span class="text-right tabular-nums">{duration(length)}</span>
            </li>
        }
    });
    view! {
        <section aria-labelledby="life" class="card card-border border-base-300 bg-base-100">
            <div class="card-body">
                <h2 id="life" class="text-lg font-semibold">"Timeline"</h2>
                <ol class="flex flex-col gap-3 text-sm">{parts.collect_view()}</ol>
                {is_empty.then(|| view! { <p class="text-sm text-muted">"It was answered at once."</p> })}
            </div>
        </section>
    }
    .into_any()
}

/// A part of the whole as a length: `12.5%`. Not below `least` tenths, so that the shortest part is seen.
pub(super) fn percent(part: u64, whole: u64, least: u64) -> String {
    let tenths = (u128::from(part) * 1_000 / u128::from(whole.max(1))).min(1_000) as u64;
    let tenths = tenths.max(least);
    format!("{}.{}%", tenths / 10, tenths % 10)
}
