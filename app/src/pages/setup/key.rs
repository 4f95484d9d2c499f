//! Step 3: the first user and its key.

use leptos::prelude::*;

use super::Progress;
use crate::{
    api::setup::CreateSetupKey,
    components::{
        fault::{Fault, field_fault, form_fault},
        field::Field,
    },
    typed::typed_or,
};

#[component]
pub fn KeyStep(action: ServerAction<CreateSetupKey>) -> impl IntoView {
    view! {
        <Progress step=3/>
        <h2 class="text-lg font-medium">"Your first user and its key"</h2>
        <p class="text-sm text-muted">"A user owns keys: take one for every person or application. Programs call the gateway with a key."</p>
        <ActionForm action>
            <div class="flex flex-col gap-3">
                <Fault fault=form_fault(action, &["user", "key"])/>
                <Field label="User" name="user" value={typed_or::<CreateSetupKey>("user", "default")} required=true fault=field_fault(action, "user")/>
                <Field label="Key name" name="key" value={typed_or::<CreateSetupKey>("key", "first key")} required=true fault=field_fault(action, "key")/>
                <button class="btn btn-primary self-start" disabled=move || action.pending().get()>"Create key"</button>
            </div>
        </ActionForm>
    }
}
