//! Each backend of a rolling upgrade and how far its turn is.

use domain::upgrade::{UpgradePhase, UpgradeStep, UpgradeView};
use leptos::prelude::*;

use super::Status;
use crate::{
    components::{badge::Badge, rows::Rows, timestamp::Timestamp},
    format::{sentence, visible},
};

#[component]
pub(super) fn Steps(run: Memo<Option<UpgradeView>>, live: ReadSignal<Status>) -> impl IntoView {
    let steps = Signal::derive(move || run.with(|run| run.as_ref().map(|run| run.steps.clone()).unwrap_or_default()));
    view! {
        <ol class="flex flex-col divide-y divide-base-300">
            <Rows items=steps key=|step: &UpgradeStep| step.backend.to_string() row=move |step| view! { <Step step live /> } />
        </ol>
    }
    .into_any()
}

#[component]
fn Step(step: Signal<UpgradeStep>, live: ReadSignal<Status>) -> impl IntoView {
    // What is left in flight is told by the live status alone.
    let left = Memo::new(move |_| {
        let (id, phase) = step.with(|step| (step.backend.clone(), step.phase));
        let told = live.with(|live| live.backends.iter().find(|backend| backend.id == id).map(|view| view.drained()));
        told.flatten().filter(|_| phase == UpgradePhase::Draining)
    });
    view! {
        <li aria-label=move || step.with(|step| step.name.clone()) class="flex flex-col gap-1 py-3">
            <div class="flex flex-wrap items-center gap-x-3 gap-y-1">
                <span class="font-semibold break-all">{move || step.with(|step| visible(&step.name))}</span>
                <Badge look=Signal::derive(move || step.with(|step| look(step.phase))) />
                <span class="text-sm">{move || step.with(versions)}</span>
                <span class="text-sm font-medium" aria-live="polite">{left}</span>
                {move || {
                    let since = step.with(|step| (step.phase != UpgradePhase::Waiting).then_some(step.since));
                    since.map(|at| view! { <span class="text-sm text-muted"><Timestamp at /></span> })
                }}
            </div>
            {move || step.with(told).into_iter().map(|text| view! { <p class="text-sm break-words">{visible(&sentence(&text))}</p> }).collect_view()}
        </li>
    }
    .into_any()
}

fn look(phase: UpgradePhase) -> (&'static str, &'static str) {
    let dot = match phase {
        UpgradePhase::Waiting | UpgradePhase::Skipped => "status status-neutral",
        UpgradePhase::Draining | UpgradePhase::Verifying | UpgradePhase::Warming => "status status-info",
        UpgradePhase::HandedOver | UpgradePhase::LeftDrained => "status status-warning",
        UpgradePhase::Rejoined => "status status-success",
    };
    (phase.words(), dot)
}

fn versions(step: &UpgradeStep) -> Option<String> {
    match (&step.before, &step.after) {
        (Some(before), Some(after)) if before != after => {
            Some(format!("{} \u{2192} {}", visible(before), visible(after)))
        }
        (_, Some(version)) | (Some(version), None) => Some(format!("Version {}", visible(version))),
        (None, None) => None,
    }
}

/// What is loaded again, and what else should be known.
fn told(step: &UpgradeStep) -> Vec<String> {
    let cold = (step.phase == UpgradePhase::Warming).then(|| format!("still to be loaded: {}", step.cold.join(", ")));
    cold.into_iter().chain(step.notes.iter().cloned()).collect()
}
