//! Data that comes from the server: a placeholder while it comes, its fault, a text in place of nothing, or itself.

use leptos::{either::EitherOf3, prelude::*};

use super::{action::AnyAction, fault::LoadFault, page::Empty, refresh::Refresh};
use crate::reading::Reading;

/// A list. While it is read again the old one stays.
#[component]
pub fn Listing<T, F, V>(
    list: Reading<Vec<T>>,
    /// Says what to do while there is nothing to show.
    empty: &'static str,
    refresh: Refresh,
    children: F,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    F: FnOnce(Signal<Vec<T>>) -> V + Send + 'static,
    V: IntoView + Send + 'static,
{
    let items = Signal::derive(move || list.get().and_then(Result::ok).unwrap_or_default());
    let fault = Signal::derive(move || list.get().and_then(Result::err).map(|error| error.to_string()));
    let is_empty = move || list.get().is_some_and(|list| list.is_ok_and(|list| list.is_empty()));
    let is_shown = move || list.get().is_some_and(|list| list.is_ok_and(|list| !list.is_empty()));
    view! {
        <Transition fallback=Loading>
            {move || fault.get().map(|fault| view! { <LoadFault fault retry=move || refresh.again() /> })}
            <div class:hidden=move || !is_empty()>
                <Empty text=empty />
            </div>
            <div class:hidden=move || !is_shown()>{children(items)}</div>
        </Transition>
    }
}

/// A form over what is stored. It is made anew with every reading, so that a password that was typed is not sent again
/// with the next save; a save with faults reads nothing and leaves it, and what was typed, as it is.
#[component]
pub fn FormAnew<T>(
    stored: Reading<T>,
    refresh: Refresh,
    form: impl Fn(T) -> AnyView + Copy + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
{
    view! {
        <Transition fallback=Loading>
            {move || match stored.get() {
                None => EitherOf3::A(()),
                Some(Ok(stored)) => EitherOf3::B(view! {
                    <For each=move || [(untrack(|| refresh.count()), stored.clone())] key=|(count, _)| *count let((_, stored))>
                        {form(stored)}
                    </For>
                }),
                Some(Err(error)) => EitherOf3::C(view! { <LoadFault fault=error.to_string() retry=move || refresh.again() /> }),
            }}
        </Transition>
    }
}

/// Says that the last save took place, until something is wrong with the next.
#[component]
pub fn Saved(#[prop(into)] save: AnyAction, text: &'static str) -> impl IntoView {
    view! { <p role="status" class="mt-3 text-sm">{move || save.worked().then_some(text)}</p> }
}

/// Holds the place of what is being read.
#[component]
pub fn Loading() -> impl IntoView {
    view! { <div class="skeleton h-48 w-full" role="status" aria-label="Loading"></div> }
}
