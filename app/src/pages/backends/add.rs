//! Adding a backend.

use leptos::prelude::*;

use crate::{
    api::backends::CreateBackend,
    components::{
        action::SubmitButton,
        fault::{Fault, field_fault, form_fault},
        field::Field,
        form::{FormCard, emptied_after},
    },
};

#[component]
pub(super) fn AddBackendForm(refresh: RwSignal<u32>) -> impl IntoView {
    let action = ServerAction::<CreateBackend>::new();
    let form = emptied_after(action, refresh);
    view! {
        <FormCard id="add-backend" title="Add a backend">
            <ActionForm action node_ref=form>
                <Fault fault=form_fault(action, &["name", "url", "token"]) />
                <div class="grid gap-3 md:grid-cols-2">
                    <Field
                        label="Name" name="name" id="new-backend-name" required=true fault=field_fault(action, "name")
                        hint="As you call it, for example after the machine."
                    />
                    <Field
                        label="URL" name="url" id="new-backend-url" required=true inputmode="url" placeholder="http://127.0.0.1:11434"
                        fault=field_fault(action, "url") hint="Address of an Ollama or a compatible server, as this gateway reaches it."
                    />
                    <Field
                        label="Token" name="token" id="new-backend-token" kind="password" autocomplete="new-password"
                        fault=field_fault(action, "token") hint="Only if the backend asks for a bearer token. Stored encrypted, never shown."
                    />
                </div>
                <div class="mt-3">
                    <SubmitButton label="Add backend" pending=action.pending() />
                </div>
            </ActionForm>
        </FormCard>
    }
    .into_any()
}
