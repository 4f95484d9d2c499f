//! Faults: beside a field, above a form, or in place of what could not be read.

use domain::error::AdminError;
use leptos::{ev::SubmitEvent, prelude::*};
use leptos_router::hooks::use_location;

use super::action::AnyAction;
use crate::{format::sentence, session::confirm_path};

/// The fault of the last answer that belongs beside `field`.
pub fn field_fault(action: impl Into<AnyAction>, field: &'static str) -> Signal<Option<String>> {
    let value = action.into().value();
    Signal::derive(move || value.with(|value| value.as_ref()?.as_ref().err()?.field(field).map(str::to_owned)))
}

/// The fault of the last answer that belongs beside none of `fields`. Where the same may work in a moment it has a button
/// that sends the form again as it stands; so it belongs inside the form, or names it by its id as `form`.
#[component]
pub fn FormFault(
    #[prop(into)] action: AnyAction,
    #[prop(default = &[])] fields: &'static [&'static str],
    #[prop(optional, into)] form: Option<&'static str>,
    /// Without the button, where sending the form would do something else.
    #[prop(optional)]
    only_told: bool,
) -> impl IntoView {
    let value = action.value();
    let shown = move || {
        value.with(|value| {
            let error = value.as_ref()?.as_ref().err()?;
            error.beside_no_field(fields).map(|text| (text, error.may_pass(), error.0 == AdminError::NeedsPassword))
        })
    };
    view! {
        {move || {
            shown().map(|(text, may_pass, needs_password)| {
                if needs_password {
                    return view! { <PasswordNeeded /> }.into_any();
                }
                let again = (may_pass && !only_told).then(|| view! { <button type="submit" form=form class="btn btn-sm">"Try again"</button> });
                view! { <div role="alert" class="alert alert-error alert-soft my-2"><span class="break-words">{sentence(&text)}</span>{again}</div> }.into_any()
            })
        }}
    }
    .into_any()
}

/// Where a plain form over what is stored met that it is something else by now. With scripts the form is read again and keeps
/// what was typed, and its [`FormFault`] says so.
#[component]
pub fn StaleForm(page: &'static str) -> impl IntoView {
    let stale = crate::answer::stale();
    stale.map(|error| {
        view! {
            <div role="alert" class="alert alert-warning alert-soft my-2">
                <span>{sentence(&error.to_string())}" The fields show what you typed. "<a class="link" rel="external" href=page>"Show what is stored"</a></span>
            </div>
        }
    })
}

/// Where scripts do not ask: the page that does, and what to do after it.
#[component]
fn PasswordNeeded() -> impl IntoView {
    let here = use_location().pathname.get_untracked();
    view! {
        <div role="alert" class="alert alert-warning alert-soft my-2">
            <span>
                "This change needs your password, given within the last ten minutes. "
                <a class="link" href=confirm_path(&here)>"Give it now"</a>
                ". If you have just given it, send this form once more."
            </span>
        </div>
    }
}

/// In place of what could not be read: why, and a way to try again. Without JavaScript that loads the page again.
#[component]
pub fn LoadFault(#[prop(into)] fault: String, retry: impl Fn() + 'static) -> impl IntoView {
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        retry();
    };
    view! {
        <div role="alert" class="alert alert-error alert-soft"><span>{sentence(&fault)}</span></div>
        <form method="get" class="mt-3" on:submit=submit>
            <button type="submit" class="btn btn-sm">"Try again"</button>
        </form>
    }
    .into_any()
}
