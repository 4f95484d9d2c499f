//! Adding a backend.

use domain::backend::{AddBackend, Timeouts};
use leptos::prelude::*;

use super::{share::ShareFields, timeouts::TimeoutFields};
use crate::{
    answer::typed,
    api::backends::CreateBackend,
    components::{
        action::{ActionForm, SubmitButton, action},
        fault::{FormFault, field_fault},
        field::Field,
        form::{FormCard, emptied_after},
        refresh::Refresh,
    },
};

#[component]
pub(super) fn AddBackendForm(refresh: Refresh) -> impl IntoView {
    let action = action::<CreateBackend>();
    let form = emptied_after(action, refresh);
    view! {
        <FormCard id="add-backend" title="Add a backend">
            <ActionForm action node_ref=form>
                <FormFault action=action fields=&AddBackend::FIELDS />
                <div class="grid gap-3 md:grid-cols-2">
                    <Field
                        label="Name" name="name" id="new-backend-name" required=true value={typed::<CreateBackend>("name")} fault=field_fault(action, "name")
                        hint="As you call it, for example after the machine."
                    />
                    <Field
                        label="URL" name="url" id="new-backend-url" required=true value={typed::<CreateBackend>("url")} inputmode="url" placeholder="http://127.0.0.1:11434"
                        fault=field_fault(action, "url") hint="Address of an Ollama or a compatible server, as this gateway reaches it."
                    />
                    <Field
                        label="Token" name="token" id="new-backend-token" kind="password" autocomplete="new-password"
                        fault=field_fault(action, "token") hint="Only if the backend asks for a bearer token. Stored encrypted, never shown."
                    />
                </div>
                <ShareFields action id="new-backend" values=["parallel", "weight", "priority"].map(typed::<CreateBackend>) />
                <TimeoutFields action id="new-backend" values=Timeouts::FIELDS.map(typed::<CreateBackend>) />
                <div class="mt-3">
                    <SubmitButton label="Add backend" pending=action.pending() />
                </div>
            </ActionForm>
        </FormCard>
    }
    .into_any()
}
