//! Page: a rolling upgrade of the fleet, begun, followed and answered.

mod answers;
mod begin;
mod steps;

use domain::{
    admin::Role,
    backend::BackendView,
    upgrade::{UpgradeOverview, UpgradeState, UpgradeView},
};
use leptos::prelude::*;
use leptos_router::components::A;
use serde::Deserialize;

use self::{answers::Answers, begin::BeginForm, steps::Steps};
use super::dashboard::feed;
use crate::{
    api::upgrade::{BeginUpgrade, TellUpgrade, get_upgrade},
    components::{
        action::{FormAction, action, refresh_after},
        allowed::{NeedsRole, may},
        listing::FormAnew,
        page::PageHeader,
        refresh::{Behind, Refresh},
        timestamp::Timestamp,
    },
    format::{sentence, visible},
    reading::reading,
};

/// What this page reads of the stream.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    backends: Vec<BackendView>,
    upgrade: Option<UpgradeView>,
}

#[component]
pub fn UpgradePage() -> impl IntoView {
    let refresh = Refresh::new();
    let (begin, tell) = (action::<BeginUpgrade>(), action::<TellUpgrade>());
    refresh_after(begin, refresh);
    refresh_after(tell, refresh);
    let overview = reading(move || refresh.count(), |_| get_upgrade());
    let live = feed::follow(Status::default()).status;
    // Another run, or the end of one: what the page was made of is read again.
    let mark = Memo::new(move |_| live.with(|live| live.upgrade.as_ref().map(|run| (run.id.clone(), run.is_open()))));
    Effect::new(move |before: Option<Option<(String, bool)>>| {
        let mark = mark.get();
        if before.flatten().is_some_and(|before| mark.as_ref() != Some(&before)) {
            refresh.again();
        }
        mark
    });
    view! {
        <PageHeader title="Rolling upgrade">
            <A href="/admin/backends" attr:class="btn btn-sm">"All backends"</A>
        </PageHeader>
        <Behind refresh />
        <NeedsRole role=Role::Operator to="upgrade backends" />
        <p class="mb-6 max-w-prose text-sm text-muted">
            "One backend after another, by name: it gets nothing new and finishes its streams, which are never cut; then it is yours to upgrade. When it comes back or runs another version, or you say so, its version and models are verified, the models it had loaded are loaded again, and it gets requests. The next one begins only while every model is served elsewhere. A restart of the gateway changes nothing of it."
        </p>
        <FormAnew
            stored=overview refresh
            form=move |overview| view! { <Overview overview live begin tell /> }.into_any()
        />
    }
}

#[component]
fn Overview(
    overview: UpgradeOverview,
    live: ReadSignal<Status>,
    begin: FormAction<BeginUpgrade>,
    tell: FormAction<TellUpgrade>,
) -> impl IntoView {
    let UpgradeOverview { run: stored, places } = overview;
    let run = Memo::new(move |_| live.with(|live| newest(stored.as_ref(), live.upgrade.as_ref())));
    let open = Memo::new(move |_| run.with(|run| run.as_ref().is_some_and(UpgradeView::is_open)));
    view! {
        <div class="flex flex-col gap-6">
            <Show when=move || run.with(Option::is_some)>
                <section aria-labelledby="upgrade-run" class="card card-border border-base-300 bg-base-100">
                    <div class="card-body gap-4">
                        <h2 id="upgrade-run" class="card-title">{move || run.with(|run| run.as_ref().map(headline))}</h2>
                        {move || run.with(|run| run.as_ref().map(|run| {
                            let (by, at, to) = (run.by.clone(), run.started_at, run.version.clone());
                            view! {
                                <p class="text-sm text-muted">
                                    "Begun by " {visible(&by)} ", " <Timestamp at />
                                    {to.map(|version| format!(", to version {version}"))} "."
                                </p>
                            }
                        }))}
                        <Answers run open tell />
                        <Steps run live />
                        <p class="hidden text-sm text-muted noscript:block">"Reload this page to see how far it is."</p>
                        <History run />
                    </div>
                </section>
            </Show>
            <Show when=move || !open.get() && may(Role::Operator)>
                <BeginForm places=places.clone() begin />
            </Show>
        </div>
    }
    .into_any()
}

/// The later one of what was read and what the live status tells, with the events of what was read.
fn newest(stored: Option<&UpgradeView>, live: Option<&UpgradeView>) -> Option<UpgradeView> {
    match (stored, live) {
        (Some(stored), Some(live)) if live.id == stored.id && live.change > stored.change => {
            Some(UpgradeView { events: stored.events.clone(), ..live.clone() })
        }
        (None, Some(live)) => Some(live.clone()),
        (stored, _) => stored.cloned(),
    }
}

fn headline(run: &UpgradeView) -> String {
    let state = match run.state {
        UpgradeState::Running => "Under way",
        UpgradeState::Paused => "Paused",
        UpgradeState::Stopped => "Stopped",
        UpgradeState::Finished => "Finished",
    };
    format!("{state}: {}", run.progress())
}

/// What happened, as far as it was read.
#[component]
fn History(run: Memo<Option<UpgradeView>>) -> impl IntoView {
    let events = Memo::new(move |_| run.with(|run| run.as_ref().map(|run| run.events.clone()).unwrap_or_default()));
    view! {
        <details class="text-sm" open=move || run.with(|run| run.as_ref().is_some_and(|run| !run.is_open()))>
            <summary class="cursor-pointer font-medium">"What happened"</summary>
            <ol class="mt-2 flex flex-col gap-1">
                {move || events.get().into_iter().map(|event| {
                    let backend = event.backend.map(|name| format!("{}: ", visible(&name))).unwrap_or_default();
                    view! {
                        <li class="break-words">
                            <span class="text-muted"><Timestamp at=event.at /></span> " " {backend} {visible(&sentence(&event.text))}
                        </li>
                    }
                }).collect_view()}
            </ol>
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests;
