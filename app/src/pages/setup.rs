//! Page: the first run in three steps, from the set-up link to a key that works. Which step is due comes from the server,
//! so a reload or a browser without JavaScript goes on where it stopped.

mod admin;
mod backend;
mod key;
mod result;

use domain::setup::SetupStep;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    api::setup::{CreateAdmin, CreateSetupKey, UseBackend, setup_state},
    components::{
        action::{FormAction, action, stale_after},
        fault::LoadFault,
        page::PlainFrame,
        refresh::{Behind, Refresh},
    },
    pages::login::NeedsSetup,
    reading::{Reading, reading},
    visit::key_to_show,
};

/// The actions of the three steps. They outlive the step they belong to, because the last one's answer is shown when the
/// set-up is done.
#[derive(Clone, Copy)]
struct Steps {
    admin: FormAction<CreateAdmin>,
    backend: FormAction<UseBackend>,
    key: FormAction<CreateSetupKey>,
}

#[component]
pub fn SetupPage() -> impl IntoView {
    let steps = Steps { admin: action(), backend: action(), key: action() };
    let refresh = Refresh::new();
    stale_after(steps.admin, refresh);
    stale_after(steps.backend, refresh);
    stale_after(steps.key, refresh);
    // Asked again after a step that worked only: a refused one keeps what was typed.
    let state = reading(
        move || (steps.admin.worked(), steps.backend.worked(), steps.key.worked(), refresh.count()),
        |_| setup_state(),
    );
    view! {
        <PlainFrame title="Set up the gateway" width="max-w-2xl">
            <Behind refresh/>
            <Transition>
                <DueStep state steps refresh/>
            </Transition>
        </PlainFrame>
    }
}

/// The step that is due, or the new key. Both are memos, so that a step is drawn anew only when another one is due.
#[component]
fn DueStep(state: Reading<SetupStep>, steps: Steps, refresh: Refresh) -> impl IntoView {
    let shown = key_to_show().map(|key| key.token);
    let created = Memo::new(move |_| {
        let created = steps.key.output().map(|result| result.key.token);
        created.or_else(|| shown.clone())
    });
    let step = Memo::new(move |_| state.get());
    move || match (created.get(), step.get()) {
        (_, None) => ().into_any(),
        (Some(key), _) => view! { <result::Finished key/> }.into_any(),
        (None, Some(Ok(SetupStep::NeedsLink))) => view! { <BadLink/><NeedsSetup/> }.into_any(),
        (None, Some(Ok(SetupStep::Admin))) => view! { <admin::AdminStep action=steps.admin/> }.into_any(),
        (None, Some(Ok(SetupStep::Backend))) => view! { <backend::BackendStep action=steps.backend/> }.into_any(),
        (None, Some(Ok(SetupStep::Key))) => view! { <key::KeyStep action=steps.key/> }.into_any(),
        (None, Some(Ok(SetupStep::Done))) => view! { <AlreadyDone/> }.into_any(),
        (None, Some(Err(error))) => {
            view! { <LoadFault fault=error.to_string() retry=move || refresh.again()/> }.into_any()
        }
    }
}

/// Which of the three steps this is.
#[component]
fn Progress(step: usize) -> impl IntoView {
    let steps = ["Administrator", "Backend", "Key"]
        .into_iter()
        .enumerate()
        .map(|(at, name)| view! { <li class=if at < step { "step step-primary" } else { "step" } aria-current=(at + 1 == step).then_some("step")>{name}</li> })
        .collect_view();
    view! { <ol class="steps w-full">{steps}</ol> }
}

/// A link that was used before, is too old, or was never ours.
#[component]
fn BadLink() -> impl IntoView {
    let query = use_query_map();
    view! {
        {move || {
            query.with(|query| query.get_str("link") == Some("invalid")).then(|| view! {
                <div role="alert" class="alert alert-warning alert-soft"><span>"This set-up link is not valid any more."</span></div>
            })
        }}
    }
}

#[component]
fn AlreadyDone() -> impl IntoView {
    view! {
        <p>"The gateway is set up. Sign in to add backends, users and keys."</p>
        <p><a class="btn btn-primary" href="/admin">"Go to the dashboard"</a></p>
    }
}
