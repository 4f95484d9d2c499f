//! What forms have in common: a button that says it is busy, what follows a success, and faults of plain forms.

use leptos::{prelude::*, server::ServerActionError, server_fn::ServerFn};

use super::fault::form_fault;
use crate::error::AppError;

/// Runs `done` after every success of `action`.
pub fn on_success<S>(action: ServerAction<S>, done: impl Fn() + 'static)
where
    S: ServerFn<Error = AppError> + Clone + Send + Sync + 'static,
    S::Output: Send + Sync + 'static,
{
    Effect::new(move |_| {
        action.version().track();
        if action.value().with(|value| matches!(value, Some(Ok(_)))) {
            untrack(&done);
        }
    });
}

/// Asks for the data of the page again after every success of `action`.
pub fn refresh_after<S>(action: ServerAction<S>, refresh: RwSignal<u32>)
where
    S: ServerFn<Error = AppError> + Clone + Send + Sync + 'static,
    S::Output: Send + Sync + 'static,
{
    on_success(action, move || refresh.update(|count| *count += 1));
}

/// The fault that a plain form of `S` was answered with. It comes back in the address, which cannot tell rows apart: a
/// page with one form a row shows it once, above them, and its rows call [`start_clean`].
pub fn plain_fault<S>() -> Signal<Option<String>>
where
    S: ServerFn<Error = AppError> + Clone + Send + Sync + 'static,
    S::Output: Clone + Send + Sync + 'static,
{
    form_fault(ServerAction::<S>::new(), &[])
}

/// Actions made in this row afterwards do not take the fault of a plain form for theirs.
pub fn start_clean() {
    provide_context(ServerActionError::new("", ""));
}

/// Draws `view` under an owner of its own, so that a [`start_clean`] inside does not reach what is beside it: components
/// have no owner of their own.
pub fn apart<V>(view: impl FnOnce() -> V) -> V {
    let owner = Owner::current().map(|owner| owner.child()).unwrap_or_default();
    let drawn = owner.with(view);
    on_cleanup(move || drop(owner));
    drawn
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
