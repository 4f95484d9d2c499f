//! Rotating a key: the form, and the new key, shown once.

use domain::key::{KeyView, RotateKey};
use leptos::prelude::*;

use crate::{
    api::keys::RotateUserKey,
    components::{
        action::{ActionForm, FormAction, SubmitButton, action_of},
        area::Choice,
        fault::{FormFault, field_fault},
        field::{Field, Hidden},
        form::FormDisclosure,
        refresh::Refresh,
        shown_key::ShownKey,
    },
};

/// Of the key `id`.
pub(super) fn rotation(id: &str) -> FormAction<RotateUserKey> {
    action_of::<RotateUserKey>(&[("id", id)])
}

#[component]
pub(super) fn RotateForm(action: FormAction<RotateUserKey>, key: Signal<KeyView>, refresh: Refresh) -> impl IntoView {
    let id = key.with_untracked(|key| key.id.to_string());
    let typed = |name: &'static str, default: &str| action.typed_in(&[("id", &id)], name, default);
    let (overlap, until) = (typed("overlap", "24h"), typed("until", ""));
    let expires_at = key.with_untracked(|key| key.shown.as_ref().map(|shown| shown.input.expires_at.clone()));
    let expires_at = expires_at.unwrap_or_default();
    let expires_at = typed("expires_at", &expires_at);
    view! {
        <FormDisclosure action label="Rotate" refresh>
            <ActionForm action>
                <Hidden name="id" value=id.clone() />
                <FormFault action=action fields=&RotateKey::FIELDS />
                <p class="mb-3 max-w-prose text-sm">
                    "Makes a new key with the same name, limits and permissions. This one works on for a while and then ends by itself."
                </p>
                <div class="grid gap-3 sm:grid-cols-3">
                    <Choice
                        label="This key still works" name="overlap" id=format!("overlap-{id}") value=overlap
                        options=RotateKey::OVERLAPS hint="" fault=field_fault(action, "overlap")
                    />
                    <Field
                        label="Until (UTC)" name="until" id=format!("until-{id}") value=until
                        hint="A day like 2026-12-31, or a time like 2026-12-31T23:59." fault=field_fault(action, "until")
                    />
                    <Field
                        label="New key expires (UTC)" name="expires_at" id=format!("renewed-{id}") value=expires_at
                        hint="The same forms, or from now on: 90d. Empty: never." fault=field_fault(action, "expires_at")
                    />
                </div>
                <div class="mt-3">
                    <SubmitButton label="Rotate key" pending=action.pending() class="btn btn-sm btn-primary" />
                </div>
            </ActionForm>
        </FormDisclosure>
    }
    .into_any()
}

/// The key that was just made in place of this one. After a plain form it stands where new keys do.
#[component]
pub(super) fn Rotated(action: FormAction<RotateUserKey>) -> impl IntoView {
    view! {
        <div role="status" class="empty:hidden">
            {move || action.output().map(|made| view! { <ShownKey key=made.token /> })}
        </div>
    }
    .into_any()
}
