//! Faults of a form's action: beside a field, or above the form.

use leptos::{prelude::*, server_fn::ServerFn};

use crate::{error::AppError, format::sentence};

/// The fault of the last answer that belongs beside `field`.
pub fn field_fault<S>(action: ServerAction<S>, field: &'static str) -> Signal<Option<String>>
where
    S: ServerFn<Error = AppError> + Clone + Send + Sync + 'static,
    S::Output: Clone + Send + Sync + 'static,
{
    let value = action.value();
    Signal::derive(move || value.with(|value| value.as_ref()?.as_ref().err()?.field(field).map(str::to_owned)))
}

/// The fault of the last answer that belongs beside none of `fields`.
pub fn form_fault<S>(action: ServerAction<S>, fields: &'static [&'static str]) -> Signal<Option<String>>
where
    S: ServerFn<Error = AppError> + Clone + Send + Sync + 'static,
    S::Output: Clone + Send + Sync + 'static,
{
    let value = action.value();
    Signal::derive(move || value.with(|value| value.as_ref()?.as_ref().err()?.beside_no_field(fields)))
}

/// A fault in a box that screen readers announce.
#[component]
pub fn Fault(#[prop(into)] fault: Signal<Option<String>>) -> impl IntoView {
    view! {
        {move || {
            fault.get().map(|fault| view! { <div role="alert" class="alert alert-error alert-soft"><span>{sentence(&fault)}</span></div> })
        }}
    }
    .into_any()
}
