//! The own password.

use leptos::prelude::*;

use crate::{
    api::account::ChangeOwnPassword,
    components::{
        action::{ActionForm, SubmitButton, action},
        fault::{FormFault, field_fault},
        field::Field,
        form::{FormCard, emptied_after},
        refresh::Refresh,
    },
};

#[component]
pub(super) fn PasswordForm(refresh: Refresh) -> impl IntoView {
    let action = action::<ChangeOwnPassword>();
    let form = emptied_after(action, refresh);
    view! {
        <FormCard id="password-card" title="Password">
            <ActionForm action node_ref=form>
                <FormFault action=action fields=&["current", "password"] />
                <div class="flex max-w-md flex-col gap-3">
                    <Field
                        label="Current password" name="current" id="current-password" kind="password" autocomplete="current-password" required=true
                        fault=field_fault(action, "current")
                    />
                    <Field
                        label="New password" name="password" id="new-password" kind="password" autocomplete="new-password" required=true
                        fault=field_fault(action, "password") hint="At least 8 characters; 15 or more are better. Your other sessions end."
                    />
                    <div><SubmitButton label="Change password" pending=action.pending() /></div>
                </div>
            </ActionForm>
            <p role="status" class="text-sm">{move || action.worked().then_some("Password changed. Your other sessions have ended.")}</p>
        </FormCard>
    }
    .into_any()
}
