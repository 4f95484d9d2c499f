//! What forms have in common: their actions, a button that says it is busy, and what follows an answer.
//!
//! A form sends its fields as they stand and keeps the answer as text, with scripts as without. So an action needs no code
//! of its own for what it sends, and only what a page reads of an answer is decoded (`FormAction::output`).

#[cfg_attr(not(feature = "hydrate"), path = "action/absent.rs")]
mod sending;

use std::{fmt, marker::PhantomData, ops::Deref, sync::Arc};

use leptos::{
    ev::SubmitEvent,
    form::form_data_from_event,
    html,
    prelude::*,
    server_fn::ServerFn,
    task::spawn_local,
    web_sys::{FormData, UrlSearchParams},
};
use serde::de::DeserializeOwned;

use super::{reentry, refresh::Refresh};
use crate::{answer, decode::decode, error::AppError};

/// What the last form of an action was answered, as JSON.
pub type Answered = Option<Result<Arc<str>, AppError>>;

/// An action without the type of its server function. Cheap to copy.
#[derive(Clone, Copy)]
pub struct AnyAction {
    url: &'static str,
    value: RwSignal<Answered>,
    version: RwSignal<usize>,
    in_flight: RwSignal<usize>,
    sent: StoredValue<Option<String>>,
}

impl AnyAction {
    /// The last answer; before any, what a plain form was answered.
    pub fn value(self) -> RwSignal<Answered> {
        self.value
    }

    /// What a refused plain form held in `field` whose fields held `own`, with `default` on every other page.
    pub fn typed_in(self, own: &[(&str, &str)], field: &str, default: &str) -> String {
        answer::typed_at(self.url, own, field, default)
    }

    /// Counts the answers that came.
    pub fn version(self) -> RwSignal<usize> {
        self.version
    }

    /// An answer is awaited.
    pub fn pending(self) -> Signal<bool> {
        Signal::derive(move || self.in_flight.get() > 0)
    }

    /// The last answer was a success, to be tracked.
    pub fn worked(self) -> bool {
        self.value.with(|value| matches!(value, Some(Ok(_))))
    }

    /// Sends the fields of `form`.
    pub fn send(self, form: &FormData) {
        let Ok(fields) = UrlSearchParams::new_with_str_sequence_sequence(form) else { return };
        // Of the button that was pressed, which has no name; a browser sends none either.
        fields.delete("");
        self.send_text(String::from(fields.to_string()));
    }

    /// The last answer was that the page shows what is not so any more.
    pub fn was_stale(self) -> bool {
        self.value.with(|value| matches!(value, Some(Err(error)) if error.is_stale()))
    }

    /// The fields that were sent last, once: they may hold a secret.
    pub(super) fn take_sent(self) -> Option<String> {
        self.sent.try_update_value(Option::take).flatten()
    }

    /// Sends URL-encoded fields.
    pub(super) fn send_text(self, fields: String) {
        self.sent.set_value(Some(fields.clone()));
        self.in_flight.update(|count| *count += 1);
        spawn_local(async move {
            let answer = sending::post(self.url, fields).await.map(Arc::from);
            // The page may be gone meanwhile.
            let _ = self.in_flight.try_update(|count| *count -= 1);
            let _ = self.value.try_set(Some(answer));
            let _ = self.version.try_update(|version| *version += 1);
        });
    }
}

/// The action of the forms of `S`.
pub struct FormAction<S> {
    any: AnyAction,
    function: PhantomData<fn() -> S>,
}

impl<S> FormAction<S>
where
    S: ServerFn,
    S::Output: DeserializeOwned,
{
    /// The value of the last answer, to be tracked.
    pub fn output(self) -> Option<S::Output> {
        self.value.with(|value| decode(value.as_ref()?.as_ref().ok()?).ok())
    }
}

impl<S> Clone for FormAction<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for FormAction<S> {}

impl<S> fmt::Debug for FormAction<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FormAction").field(&self.any.url).finish()
    }
}

impl<S> Deref for FormAction<S> {
    type Target = AnyAction;

    fn deref(&self) -> &AnyAction {
        &self.any
    }
}

impl<S> From<FormAction<S>> for AnyAction {
    fn from(action: FormAction<S>) -> Self {
        action.any
    }
}

/// The action of a form that is on its page once. It begins with what a plain form of `S` was answered.
pub fn action<S: ServerFn>() -> FormAction<S> {
    action_of(&[])
}

/// The action of one of several forms of `S`: the one whose fields hold `own`.
pub fn action_of<S: ServerFn>(own: &[(&str, &str)]) -> FormAction<S> {
    FormAction { any: begin(S::url(), answer::first(S::PATH, own)), function: PhantomData }
}

fn begin(url: &'static str, value: Answered) -> AnyAction {
    let action = AnyAction {
        url,
        value: RwSignal::new(value),
        version: RwSignal::new(0),
        in_flight: RwSignal::new(0),
        sent: StoredValue::new(None),
    };
    reentry::watch(action);
    action
}

/// A form that is sent by script where there are scripts, and the page stays.
#[component]
pub fn ActionForm(
    #[prop(into)] action: AnyAction,
    #[prop(optional)] node_ref: Option<NodeRef<html::Form>>,
    /// By which fields elsewhere on the page belong to it.
    #[prop(optional, into)]
    id: Option<&'static str>,
    children: Children,
) -> impl IntoView {
    let submit = move |event: SubmitEvent| {
        if event.default_prevented() {
            return;
        }
        event.prevent_default();
        if let Ok(form) = form_data_from_event(&event) {
            action.send(&form);
        }
    };
    view! {
        <form id=id action=action.url method="post" on:submit=submit node_ref=node_ref.unwrap_or_default()>
            {children()}
        </form>
    }
    .into_any()
}

/// Runs `done` after every success of `action`.
pub fn on_success(action: impl Into<AnyAction>, done: impl Fn() + 'static) {
    on_answer(action.into(), Box::new(done));
}

fn on_answer(action: AnyAction, done: Box<dyn Fn()>) {
    Effect::new(move |_| {
        if action.version.get() > 0 && untrack(|| action.worked()) {
            untrack(&done);
        }
    });
}

/// Reads the data of the page again after every success of `action`, and where that met something that is not so any more,
/// which its form says. What was typed must not go with the reading: see `listing::FormAnew`.
pub fn read_after(action: impl Into<AnyAction>, refresh: Refresh) {
    let action = action.into();
    Effect::new(move |_| {
        if action.version.get() > 0 && untrack(|| action.worked() || action.was_stale()) {
            refresh.again();
        }
    });
}

/// Reads the data of the page again after every success of `action`, and where it met something that is not so any more.
pub fn refresh_after(action: impl Into<AnyAction>, refresh: Refresh) {
    let action = action.into();
    on_success(action, move || refresh.again());
    stale_after(action, refresh);
}

/// Reads the data of the page again where `action` met something that is not so any more.
pub fn stale_after(action: impl Into<AnyAction>, refresh: Refresh) {
    stale_after_any(action.into(), refresh);
}

fn stale_after_any(action: AnyAction, refresh: Refresh) {
    Effect::new(move |_| {
        if action.version.get() == 0 {
            return;
        }
        let fault = |value: &Answered| value.as_ref()?.as_ref().err().cloned();
        if let Some(error) = action.value.with_untracked(fault).filter(AppError::is_stale) {
            // The page says it; what it was said to may be gone.
            action.value.set(None);
            refresh.after(&error);
        }
    });
}

/// Submits its form. While the answer is awaited it keeps the focus and ignores further clicks.
#[component]
pub fn SubmitButton(
    #[prop(into)] label: Signal<String>,
    #[prop(into)] pending: Signal<bool>,
    #[prop(default = "btn btn-primary")] class: &'static str,
    /// The id of its form, where it stands outside of it.
    #[prop(optional, into)]
    form: Option<&'static str>,
) -> impl IntoView {
    view! {
        <button
            type="submit"
            form=form
            class=class
            aria-disabled=move || pending.get().then_some("true")
            on:click=move |event| {
                if pending.get_untracked() {
                    event.prevent_default();
                }
            }
        >
            <span class="loading loading-spinner loading-xs" class:hidden=move || !pending.get() aria-hidden="true"></span>
            {move || label.get()}
        </button>
    }
    .into_any()
}
