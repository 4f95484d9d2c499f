//! Page: models on their way to backends, and models that are kept on some. Followed live over one event stream.

mod begin;
mod keep;
mod row;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use domain::{
    admin::Role,
    models::act::{BOXES, box_of},
    pull::{PullOverview, PullPlace, PullView},
};
use leptos::prelude::*;

use self::{begin::BeginForm, keep::Kept, row::Pull};
use crate::{
    api::pulls::{BeginPull, ClearPulls, list_pulls},
    components::{
        action::{ActionForm, SubmitButton, action, refresh_after},
        allowed::{NeedsRole, may},
        fault::{FormFault, LoadFault},
        field::input_name,
        listing::Loading,
        page::{Empty, PageHeader},
        refresh::{Behind, Refresh},
        rows::Rows,
    },
    decode::decode,
    format::{sentence, visible},
    pages::stream::{Connection, listen},
    reading::reading,
};

const STREAM: &str = "/admin/pulls/live";

#[component]
pub fn PullsPage() -> impl IntoView {
    let refresh = Refresh::new();
    let stored = reading(move || refresh.count(), |_| list_pulls());
    let newest = RwSignal::new(None::<PullOverview>);
    let heard = move |text: String| {
        if let Ok(told) = decode(&text) {
            keep_newest(newest, told);
        }
    };
    let connection = listen(Signal::stored(Some(STREAM.to_owned())), Arc::new(heard));
    Effect::new(move |_| {
        if let Some(Ok(read)) = stored.get() {
            keep_newest(newest, read);
        }
    });
    view! {
        <PageHeader title="Downloads" />
        <Behind refresh />
        <NeedsRole role=Role::Operator to="pull models" />
        <Transition fallback=Loading>
            {
                let read = Signal::derive(move || stored.get());
                let fault = move || read.with(|read| read.as_ref()?.as_ref().err().map(ToString::to_string));
                let overview = Memo::new(move |_| {
                    newest.get().or_else(|| read.get().and_then(Result::ok)).unwrap_or_default()
                });
                view! {
                    {move || fault().map(|fault| view! { <LoadFault fault retry=move || refresh.again() /> })}
                    <Overview overview connection refresh />
                }
            }
        </Transition>
    }
}

/// What was read and what the stream tells come by two ways, and the later one may arrive first.
fn keep_newest(newest: RwSignal<Option<PullOverview>>, told: PullOverview) {
    let is_newer = |known: &Option<PullOverview>| known.as_ref().is_none_or(|known| told.is_newer_than(known));
    if newest.try_with_untracked(is_newer) == Some(true) {
        newest.try_set(Some(told));
    }
}

#[component]
fn Overview(overview: Memo<PullOverview>, connection: ReadSignal<Connection>, refresh: Refresh) -> impl IntoView {
    let begin = action::<BeginPull>();
    refresh_after(begin, refresh);
    let places = Memo::new(move |_| overview.with(|overview| overview.places.clone()));
    let pulls = Signal::derive(move || overview.with(|overview| overview.pulls.clone()));
    let is_empty = move || overview.with(|overview| overview.pulls.is_empty());
    let lost = move || connection.get() == Connection::Lost;
    view! {
        <div class="flex flex-col gap-6">
            {may(Role::Operator).then(|| view! { <BeginForm places begin /> })}
            <section aria-labelledby="pulls">
                <div class="mb-3 flex min-h-8 flex-wrap items-center justify-between gap-3">
                    <h2 id="pulls" class="text-lg font-semibold">"On their way"</h2>
                    <Clear overview refresh />
                </div>
                <p class="mb-3 hidden text-sm text-muted noscript:block">"Reload this page to see how far they are."</p>
                <p role="status" class="alert alert-warning alert-soft mb-3 text-sm" class:hidden=move || !lost()>
                    {move || lost().then_some("The connection to the gateway is lost, so this is how it stood. It is tried again by itself.")}
                </p>
                <div class:hidden=move || !is_empty()>
                    <Empty text="Nothing is on its way. Name a model above, and the backends that should have it: every layer shows how far it is, and calls find the model as soon as it is there." />
                </div>
                <ul role="list" class="flex flex-col gap-3" class:hidden=is_empty>
                    <Rows items=pulls key=|pull: &PullView| pull.id.to_string() row=move |pull| view! { <Pull pull refresh /> } />
                </ul>
            </section>
            <Kept overview places refresh />
        </div>
    }
    .into_any()
}

/// Forgets what has ended.
#[component]
fn Clear(overview: Memo<PullOverview>, refresh: Refresh) -> impl IntoView {
    let clear = action::<ClearPulls>();
    refresh_after(clear, refresh);
    let none = move || overview.with(|overview| overview.pulls.iter().all(|pull| pull.ended_at.is_none()));
    may(Role::Operator).then(|| {
        view! {
            <div class:hidden=none>
                <ActionForm action=clear>
                    <FormFault action=clear />
                    <SubmitButton label="Clear ended" pending=clear.pending() class="btn btn-sm" />
                </ActionForm>
            </div>
        }
    })
}

/// Whether a box is ticked at first, by its field and its backend's id.
type Ticked = fn(&str, &str) -> bool;

/// A box for each backend. Whoever looks keeps what is ticked while the list changes.
#[component]
fn Boxes(legend: &'static str, places: Memo<Vec<PullPlace>>, ticked: Ticked) -> impl IntoView {
    view! {
        <fieldset>
            <legend class="mb-2 text-sm font-medium">{legend}</legend>
            <ul role="list" class="flex flex-wrap gap-x-6 gap-y-2">
                <Rows items=places key=|place: &PullPlace| place.id.to_string() row=move |place| view! { <PlaceBox place ticked /> } />
            </ul>
        </fieldset>
    }
    .into_any()
}

#[component]
fn PlaceBox(place: Signal<PullPlace>, ticked: Ticked) -> impl IntoView {
    let (id, name) = place.with_untracked(|place| (place.id.clone(), visible(&place.name)));
    let field = format!("{BOXES}{}", box_of(&id));
    let chosen = ticked(&field, id.as_str());
    let unfit = move || place.with(|place| place.unfit.as_ref().map(|why| format!("({})", visible(why))));
    view! {
        <li>
            <label class="flex items-start gap-2">
                <input type="checkbox" class="checkbox checkbox-sm mt-0.5" name=input_name(&field) value="true" checked=chosen />
                <span class="min-w-0 break-words">{name} " " <span class="text-sm text-muted">{unfit}</span></span>
            </label>
        </li>
    }
    .into_any()
}

/// What is wrong with the choice of backends.
#[component]
fn Wrong(text: Signal<Option<String>>) -> impl IntoView {
    move || {
        text.get().map(|text| {
            view! { <p role="alert" class="mt-2 max-w-prose text-sm text-error">{sentence(&text)}</p> }
        })
    }
}
