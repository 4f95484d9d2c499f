//! One pull: how far it is, its layers, and what can be done about it.

use domain::{
    admin::Role,
    pull::{PullLayer, PullState, PullView},
};
use leptos::prelude::*;

use crate::{
    api::pulls::{CancelPull, RetryPull},
    components::{
        action::{ActionForm, AnyAction, SubmitButton, action_of, refresh_after},
        allowed::may,
        badge::Badge,
        fault::FormFault,
        field::Hidden,
        refresh::Refresh,
        rows::Rows,
        timestamp::Timestamp,
    },
    format::{plural, sentence, visible},
};

#[component]
pub(super) fn Pull(pull: Signal<PullView>, refresh: Refresh) -> impl IntoView {
    let (id, name) = pull.with_untracked(|pull| {
        (pull.id.to_string(), format!("{} on {}", visible(&pull.model), visible(&pull.backend_name)))
    });
    let state = Memo::new(move |_| pull.with(|pull| pull.state));
    let over = move || pull.with(|pull| pull.ended_at.is_some());
    let percent = move || pull.with(|pull| pull.percent().map(|percent| percent.to_string()));
    let amount = move || pull.with(|pull| pull.amount.clone());
    let said = move || pull.with(|pull| sentence(&visible(&pull.said)));
    let failed = move || state.get() == PullState::Failed;
    let own = [("id", id.as_str())];
    let (cancel, retry) = (action_of::<CancelPull>(&own), action_of::<RetryPull>(&own));
    let buttons = may(Role::Operator).then(|| {
        view! {
            <div class:hidden=over><Does label="Cancel" action=cancel id=id.clone() refresh /></div>
            <div class:hidden=move || !matches!(state.get(), PullState::Failed | PullState::Cancelled)>
                <Does label="Try again" action=retry id=id.clone() refresh />
            </div>
        }
    });
    let (label, bar) = (name.clone(), name.clone());
    view! {
        <li aria-label=label class="card card-border border-base-300 bg-base-100">
            <div class="card-body gap-2 p-4">
                <div class="flex flex-wrap items-center gap-x-3 gap-y-1">
                    <span class="font-semibold break-all">{name}</span>
                    <span aria-live="polite"><Badge look=Signal::derive(move || look(state.get())) /></span>
                    <span class="text-sm text-muted">
                        {move || pull.with(|pull| format!("asked for by {}{} ", visible(&pull.by), if over() { "; ended" } else { "" }))}
                        <Timestamp at=Signal::derive(move || pull.with(|pull| pull.ended_at.unwrap_or(pull.asked_at))) />
                    </span>
                    <div class="ml-auto flex flex-wrap gap-2">{buttons}</div>
                </div>
                <progress
                    class="progress progress-primary w-full" class:hidden=move || over() || state.get() == PullState::Queued
                    max="100" value=percent aria-label=bar
                ></progress>
                <p class="text-sm break-words" class:text-error=failed>
                    <span class="font-medium" class:hidden=move || amount().is_empty()>{amount} " \u{b7} "</span>
                    {said}
                </p>
                <Layers pull />
            </div>
        </li>
    }
    .into_any()
}

fn look(state: PullState) -> (&'static str, &'static str) {
    let dot = match state {
        PullState::Queued | PullState::Cancelled => "status status-neutral",
        PullState::Running | PullState::Verifying => "status status-info",
        PullState::Done => "status status-success",
        PullState::Failed => "status status-error",
    };
    (state.words(), dot)
}

/// A button with its form.
#[component]
fn Does(label: &'static str, #[prop(into)] action: AnyAction, id: String, refresh: Refresh) -> impl IntoView {
    refresh_after(action, refresh);
    view! {
        <ActionForm action>
            <Hidden name="id" value=id />
            <SubmitButton label pending=action.pending() class="btn btn-sm" />
            <FormFault action />
        </ActionForm>
    }
    .into_any()
}

#[component]
fn Layers(pull: Signal<PullView>) -> impl IntoView {
    let layers = Memo::new(move |_| pull.with(|pull| pull.layers.clone()));
    let count = move || layers.with(|layers| layers.len() as u64) + pull.with(|pull| pull.more_layers);
    let more = move || pull.with(|pull| (pull.more_layers > 0).then(|| format!("And {} more.", pull.more_layers)));
    view! {
        <details class="text-sm" class:hidden=move || count() == 0>
            <summary class="cursor-pointer text-muted">{move || plural(count(), "layer")}</summary>
            <ul role="list" class="mt-2 flex flex-col gap-2">
                <Rows items=layers key=|layer: &PullLayer| layer.digest.clone() row=move |layer| view! { <Layer layer /> } />
            </ul>
            <p class="mt-2 text-muted">{more}</p>
        </details>
    }
    .into_any()
}

#[component]
fn Layer(layer: Signal<PullLayer>) -> impl IntoView {
    let digest = layer.with_untracked(|layer| short(&layer.digest));
    let label = format!("Layer {digest}");
    let percent = move || layer.with(|layer| layer.percent().to_string());
    view! {
        <li class="flex flex-wrap items-center gap-x-3">
            <span class="w-28 truncate font-mono text-xs">{digest}</span>
            <progress class="progress progress-primary h-1 w-40 grow sm:max-w-80" max="100" value=percent aria-label=label></progress>
            <span class="text-muted">{move || layer.with(|layer| layer.amount.clone())}</span>
        </li>
    }
    .into_any()
}

/// As much of a digest as tells it from others, as Ollama shows it.
fn short(digest: &str) -> String {
    let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
    visible(&digits.chars().take(12).collect::<String>())
}
