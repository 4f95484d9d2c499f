//! Changing a backend in place.

use domain::backend::{AddBackend, BackendView, EditBackend, Share, Timeouts};
use leptos::{html, prelude::*};

use super::{share::ShareFields, timeouts::TimeoutFields};
use crate::{
    answer::typed_in,
    api::backends::ChangeBackend,
    components::{
        action::{ActionForm, FormAction, SubmitButton, action_of, on_success, refresh_after},
        disclosure::{Disclosure, close},
        fault::{FormFault, field_fault},
        field::{Field, Hidden, input_name},
        refresh::Refresh,
    },
};

#[component]
pub(super) fn EditBackendForm(backend: Signal<BackendView>, refresh: Refresh) -> impl IntoView {
    let mut first = backend.get_untracked();
    let id = first.id.to_string();
    let own = [("id", id.as_str())];
    let action = action_of::<ChangeBackend>(&own);
    let refused = action.value().with_untracked(Option::is_some);
    first.name = typed_in::<ChangeBackend>(&own, "name", &first.name);
    first.url = typed_in::<ChangeBackend>(&own, "url", &first.url);
    let details = NodeRef::<html::Details>::new();
    let typed = |field, stored: String| typed_in::<ChangeBackend>(&own, field, &stored);
    let mut numbers = numbers_of(&first).into_iter();
    let numbers = NUMBERS.map(|field| typed(field, numbers.next().unwrap_or_default()));
    let stored = RwSignal::new((0_u32, first, numbers));
    refresh_after(action, refresh);
    on_success(action, move || {
        close(details);
        if let Some(answer) = untrack(|| action.output()) {
            let numbers = numbers_of(&answer);
            stored.update(|stored| *stored = (stored.0 + 1, answer, numbers));
        }
    });
    view! {
        <Disclosure label="Edit" details open=refused>
            <ActionForm action>
                <FormFault action=action fields=&AddBackend::FIELDS />
                // New fields after every save, with what it stored: a token that was typed must not be sent again with the next.
                <For each=move || [stored.get()] key=|(save, ..)| *save let((_, backend, numbers))>
                    <Fields action backend numbers />
                </For>
                <div class="mt-3">
                    <SubmitButton label="Save backend" pending=action.pending() class="btn btn-sm btn-primary" />
                </div>
            </ActionForm>
        </Disclosure>
    }
    .into_any()
}

/// Its share of the work and its time-outs, in the order of [`NUMBERS`].
type Numbers = [String; 6];

const NUMBERS: [&str; 6] = {
    let [connect, first_byte, stall] = Timeouts::FIELDS;
    ["parallel", "weight", "priority", connect, first_byte, stall]
};

/// As the form shows them.
fn numbers_of(backend: &BackendView) -> Numbers {
    let edit = EditBackend::of(backend);
    let [connect, first_byte, stall] = edit.timeouts().map(str::to_owned);
    [edit.parallel, edit.weight, edit.priority, connect, first_byte, stall]
}

#[component]
fn Fields(action: FormAction<ChangeBackend>, backend: BackendView, numbers: Numbers) -> impl IntoView {
    let open = !Share::from(&backend).is_default();
    let BackendView { id, name, url, has_token, timeouts, .. } = backend;
    let [parallel, weight, priority, connect, first_byte, stall] = numbers;
    view! {
        <Hidden name="id" value=id.to_string() />
        <div class="grid gap-3 md:grid-cols-2">
            <Field label="Name" name="name" id=format!("name-{id}") value=name required=true fault=field_fault(action, "name") />
            <Field
                label="URL" name="url" id=format!("url-{id}") value=url required=true inputmode="url"
                fault=field_fault(action, "url")
            />
            <Field
                label="Token" name="token" id=format!("token-{id}") kind="password" autocomplete="new-password"
                fault=field_fault(action, "token") hint="Empty keeps the stored one."
            />
        </div>
        {has_token.then(|| {
            view! {
                <label class="mt-2 flex items-center gap-2 text-sm">
                    <input type="checkbox" class="checkbox checkbox-sm" name=input_name("clear_token") value="true" />
                    "Forget the stored token"
                </label>
            }
        })}
        <ShareFields action id=id.to_string() values=[parallel, weight, priority] open />
        <TimeoutFields action id=id.to_string() values=[connect, first_byte, stall] open=!timeouts.is_default() />
    }
    .into_any()
}
