//! Changing a backend in place.

use domain::backend::BackendView;
use leptos::{html, prelude::*};

use crate::{
    api::backends::ChangeBackend,
    components::{
        action::{SubmitButton, on_success, refresh_after},
        disclosure::{Disclosure, close},
        fault::{Fault, field_fault, form_fault},
        field::{Field, Hidden, input_name},
    },
};

#[component]
pub(super) fn EditBackendForm(backend: Signal<BackendView>, refresh: RwSignal<u32>) -> impl IntoView {
    let action = ServerAction::<ChangeBackend>::new();
    let details = NodeRef::<html::Details>::new();
    refresh_after(action, refresh);
    on_success(action, move || close(details));
    let BackendView { id, name, url, .. } = backend.get_untracked();
    view! {
        <Disclosure label="Edit" details>
            <ActionForm action>
                <Hidden name="id" value=id.to_string() />
                <Fault fault=form_fault(action, &["name", "url", "token"]) />
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
                <Show when=move || backend.with(|backend| backend.has_token)>
                    <label class="mt-2 flex items-center gap-2 text-sm">
                        <input type="checkbox" class="checkbox checkbox-sm" name=input_name("clear_token") value="true" />
                        "Forget the stored token"
                    </label>
                </Show>
                <div class="mt-3">
                    <SubmitButton label="Save backend" pending=action.pending() class="btn btn-sm btn-primary" />
                </div>
            </ActionForm>
        </Disclosure>
    }
    .into_any()
}
