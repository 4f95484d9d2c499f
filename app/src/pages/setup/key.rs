//! Step 3: the first user and its key.

use leptos::prelude::*;

use super::Progress;
use crate::{
    answer::typed_in,
    api::setup::CreateSetupKey,
    components::{
        action::{ActionForm, FormAction},
        fault::{FormFault, field_fault},
        field::Field,
    },
};

#[component]
pub fn KeyStep(action: FormAction<CreateSetupKey>) -> impl IntoView {
    view! {
        <Progress step=3/>
        <h2 class="text-lg font-medium">"Your first user and its key"</h2>
        <p class="text-sm text-muted">"A user owns keys: take one for every person or application. Programs call the gateway with a key."</p>
        <ActionForm action>
            <div class="flex flex-col gap-3">
                <FormFault action=action fields=&["user", "key"] />
                <Field label="User" name="user" value={typed_in::<CreateSetupKey>(&[], "user", "default")} required=true fault=field_fault(action, "user")/>
                <Field label="Key name" name="key" value={typed_in::<CreateSetupKey>(&[], "key", "first key")} required=true fault=field_fault(action, "key")/>
                <button class="btn btn-primary self-start" disabled=move || action.pending().get()>"Create key"</button>
            </div>
        </ActionForm>
    }
}
