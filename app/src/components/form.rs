//! Shapes of forms that several pages have.

use leptos::{html, prelude::*};

use super::{
    action::{AnyAction, SubmitButton, on_success, refresh_after},
    disclosure::{Disclosure, close},
    fault::FormFault,
    field::Hidden,
    refresh::Refresh,
};

/// The form of `action`, to be bound as its `node_ref`: emptied, and the data of the page asked for again, after every
/// success.
pub fn emptied_after(action: impl Into<AnyAction>, refresh: Refresh) -> NodeRef<html::Form> {
    let action = action.into();
    let form = NodeRef::<html::Form>::new();
    refresh_after(action, refresh);
    on_success(action, move || {
        if let Some(form) = form.get_untracked() {
            form.reset();
        }
    });
    form
}

/// A titled card around a form. `id` must be unique on the page.
#[component]
pub fn FormCard(id: &'static str, title: &'static str, children: Children) -> impl IntoView {
    view! {
        <section aria-labelledby=id class="card card-border border-base-300 bg-base-100">
            <div class="card-body">
                <h2 id=id class="card-title">{title}</h2>
                {children()}
            </div>
        </section>
    }
    .into_any()
}

/// A titled frame around some fields of a long form.
#[component]
pub fn Section(title: &'static str, #[prop(optional, into)] note: Option<String>, children: Children) -> impl IntoView {
    view! {
        <fieldset class="card card-border border-base-300 bg-base-100 p-6">
            <legend class="sr-only">{title}</legend>
            <p class="mb-3 font-semibold" aria-hidden="true">{title}</p>
            {note.map(|note| view! { <p class="mb-3 max-w-prose text-sm">{note}</p> })}
            <div class="grid gap-4 md:grid-cols-2">{children()}</div>
        </fieldset>
    }
    .into_any()
}

/// A part that opens in place, with the form of `action` in `children`: open from the start where that was refused. After
/// every success it closes, and the data of the page is asked for again.
#[component]
pub fn FormDisclosure(
    #[prop(into)] action: AnyAction,
    label: &'static str,
    refresh: Refresh,
    children: Children,
) -> impl IntoView {
    let refused = action.value().with_untracked(Option::is_some);
    let details = NodeRef::<html::Details>::new();
    refresh_after(action, refresh);
    on_success(action, move || close(details));
    view! { <Disclosure label details open=refused>{children()}</Disclosure> }.into_any()
}

/// What the form of `switch` holds: enables what is disabled and disables what is enabled.
#[component]
pub fn SwitchFields(
    #[prop(into)] switch: AnyAction,
    id: Signal<String>,
    #[prop(into)] enabled: Signal<bool>,
    refresh: Refresh,
) -> impl IntoView {
    refresh_after(switch, refresh);
    view! {
        <Hidden name="id" value=id />
        <Hidden name="enabled" value=Signal::derive(move || (!enabled.get()).to_string()) />
        <SubmitButton
            label=Signal::derive(move || if enabled.get() { "Disable" } else { "Enable" }.to_owned()) pending=switch.pending() class="btn btn-sm"
        />
        <FormFault action=switch />
    }
    .into_any()
}
