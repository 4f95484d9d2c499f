//! What forms have in common: their actions, a button that says it is busy, and what follows an answer.

use leptos::{prelude::*, server_fn::ServerFn};
use serde::de::DeserializeOwned;

use super::{reentry, refresh::Refresh};
use crate::{answer, error::AppError};

/// The action of a form that is on its page once. It begins with what a plain form of `S` was answered.
pub fn action<S>() -> ServerAction<S>
where
    S: ServerFn<Error = AppError> + Clone + Send + Sync + 'static,
    S::Output: DeserializeOwned + Send + Sync + 'static,
{
    action_of(&[])
}

/// The action of one of several forms of `S`: the one whose fields hold `own`.
pub fn action_of<S>(own: &[(&str, &str)]) -> ServerAction<S>
where
    S: ServerFn<Error = AppError> + Clone + Send + Sync + 'static,
    S::Output: DeserializeOwned + Send + Sync + 'static,
{
    let action = ServerAction::new();
    // Always: what Leptos takes from the address is not ours.
    action.value().set(answer::first::<S>(own));
    reentry::watch(action);
    action
}

/// Runs `done` after every success of `action`.
pub fn on_success<S>(action: ServerAction<S>, done: impl Fn() + 'static)
where
    S: ServerFn<Error = AppError> + Clone + Send + Sync + 'static,
    S::Output: Send + Sync + 'static,
{
    Effect::new(move |_| {
        if action.version().get() > 0 && action.value().with_untracked(|value| matches!(value, Some(Ok(_)))) {
            untrack(&done);
        }
    });
}

/// Reads the data of the page again after every success of `action`, and where it met something that is not so any more.
pub fn refresh_after<S>(action: ServerAction<S>, refresh: Refresh)
where
    S: ServerFn<Error = AppError> + Clone + Send + Sync + 'static,
    S::Output: Send + Sync + 'static,
{
    on_success(action, move || refresh.again());
    stale_after(action, refresh);
}

/// Reads the data of the page again where `action` met something that is not so any more.
pub fn stale_after<S>(action: ServerAction<S>, refresh: Refresh)
where
    S: ServerFn<Error = AppError> + Clone + Send + Sync + 'static,
    S::Output: Send + Sync + 'static,
{
    Effect::new(move |_| {
        if action.version().get() == 0 {
            return;
        }
        let fault = |value: &Option<Result<S::Output, AppError>>| value.as_ref()?.as_ref().err().cloned();
        if let Some(error) = action.value().with_untracked(fault).filter(AppError::is_stale) {
            // The page says it; what it was said to may be gone.
            action.value().set(None);
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
) -> impl IntoView {
    view! {
        <button
            type="submit"
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
