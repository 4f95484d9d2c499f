//! Creating a key, and showing it once.

use domain::id::UserId;
use leptos::prelude::*;

use crate::{
    answer::typed,
    api::keys::CreateUserKey,
    components::{
        action::{ActionForm, FormAction, SubmitButton, action},
        fault::{FormFault, field_fault},
        field::{Field, Hidden},
        form::{FormCard, emptied_after},
        refresh::Refresh,
        shown_key::ShownKey,
    },
    visit,
};

#[component]
pub(super) fn CreateKeyForm(user_id: UserId, refresh: Refresh) -> impl IntoView {
    let action = action::<CreateUserKey>();
    let form = emptied_after(action, refresh);
    view! {
        <FormCard id="create-key" title="Create a key">
            <NewKey action />
            <ActionForm action node_ref=form>
                <Hidden name="user_id" value=user_id.to_string() />
                <FormFault action=action fields=&["name", "requests", "minutes"] />
                <div class="grid gap-3 sm:grid-cols-[2fr_1fr_1fr]">
                    <Field
                        label="Name" name="name" id="new-key-name" required=true value={typed::<CreateUserKey>("name")} fault=field_fault(action, "name")
                        hint="What it is for, so that you can tell keys apart."
                    />
                    <LimitFields action id="new-key" />
                </div>
                <div class="mt-3">
                    <SubmitButton label="Create key" pending=action.pending() />
                </div>
            </ActionForm>
        </FormCard>
    }
    .into_any()
}

#[component]
fn LimitFields(action: FormAction<CreateUserKey>, id: &'static str) -> impl IntoView {
    view! {
        <Field
            label="Requests" name="requests" id=format!("{id}-requests") inputmode="numeric" value={typed::<CreateUserKey>("requests")}
            fault=field_fault(action, "requests") hint="Both empty: the default limit."
        />
        <Field
            label="Window (Minutes)" name="minutes" id=format!("{id}-minutes") inputmode="numeric" value={typed::<CreateUserKey>("minutes")}
            fault=field_fault(action, "minutes")
        />
    }
}

/// The key that was just created: from the answer of the action or, after a plain form, from the visit.
#[component]
fn NewKey(action: FormAction<CreateUserKey>) -> impl IntoView {
    let kept = visit::key_to_show();
    let created = move || action.output().or_else(|| kept.clone());
    view! {
        <div role="status">
            {move || {
                created().map(|created| {
                    view! {
                        <div class="mb-3">
                            <h3 class="mb-2 font-semibold">"Key " {created.view.name}</h3>
                            <ShownKey key=created.token />
                        </div>
                    }
                })
            }}
        </div>
    }
    .into_any()
}
