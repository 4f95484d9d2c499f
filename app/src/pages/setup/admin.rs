//! Step 1: the administrator.

use leptos::prelude::*;

use super::Progress;
use crate::{
    answer::typed_in,
    api::setup::CreateAdmin,
    components::{
        action::{ActionForm, FormAction},
        fault::{FormFault, field_fault},
        field::Field,
    },
};

#[component]
pub fn AdminStep(action: FormAction<CreateAdmin>) -> impl IntoView {
    view! {
        <Progress step=1/>
        <h2 class="text-lg font-medium">"Your administrator account"</h2>
        <ActionForm action>
            <div class="flex flex-col gap-3">
                <FormFault action=action fields=&["name", "password"] />
                <Field label="Name" name="name" value={typed_in::<CreateAdmin>(&[], "name", "admin")} autocomplete="username" required=true fault=field_fault(action, "name")/>
                <Field
                    label="Password" name="password" kind="password" autocomplete="new-password" required=true autofocus=true
                    hint="at least 8 characters; 15 or more are better" fault=field_fault(action, "password")
                />
                <button class="btn btn-primary self-start" disabled=move || action.pending().get()>"Continue"</button>
            </div>
        </ActionForm>
    }
}
