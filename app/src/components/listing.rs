//! Data that comes from the server: a placeholder while it comes, its fault, a text in place of nothing, or itself.

use leptos::prelude::*;

use super::{fault::LoadFault, page::Empty, refresh::Refresh};
use crate::error::AppError;

/// A list. While it is read again the old one stays.
#[component]
pub fn Listing<T, F, V>(
    list: Resource<Result<Vec<T>, AppError>>,
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

/// Holds the place of what is being read.
#[component]
pub fn Loading() -> impl IntoView {
    view! { <div class="skeleton h-48 w-full" role="status" aria-label="Loading"></div> }
}
