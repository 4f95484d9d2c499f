//! One key with what can be done to it. A revoked key shows as such and has no actions.

use domain::{
    admin::Role,
    key::{KEY_PREFIX, KeyStanding, KeyStatus, KeyView, UNLISTED},
    limit::RateLimit,
};
use leptos::prelude::*;

use super::{
    from,
    policy::{KeyPolicyForm, PolicySummary},
    remarks::{Label, Note, RemarksForm},
    rotate::{RotateForm, Rotated, rotation},
    standing::Meters,
};
use crate::{
    answer::typed_in,
    api::keys::{ChangeKeyLimit, ChangeKeyRemarks, ChangeKeyStatus},
    components::{
        action::{ActionForm, SubmitButton, action_of, refresh_after},
        allowed::may,
        badge::KeyBadge,
        disclosure::Confirm,
        fault::{FormFault, field_fault},
        field::{Field, Hidden},
        form::FormDisclosure,
        refresh::Refresh,
        timestamp::{LastTime, Timestamp},
    },
    format::{number, sentence},
};

#[component]
pub(super) fn KeyCard(key: Signal<KeyView>, standings: Signal<Vec<KeyStanding>>, refresh: Refresh) -> impl IntoView {
    let KeyView { id, name, last_four, created_at, .. } = key.get_untracked();
    let status = Signal::derive(move || key.with(|key| key.status));
    let limit = move || key.with(|key| key.limit.map_or_else(|| "Default limit".to_owned(), |limit| limit.to_string()));
    let standing = Memo::new({
        let id = id.clone();
        move |_| {
            let own = |all: &Vec<KeyStanding>| all.iter().find(|one| one.id == id).map(|one| one.standing.clone());
            standings.with(own).map(|standing| (standing.window, standing.key))
        }
    });
    let remarks = Memo::new(move |_| key.with(|key| key.remarks.clone()));
    let notice =
        move || key.with(|key| key.notice.as_deref().map(|notice| sentence(notice).trim_end_matches('.').to_owned()));
    let rotate = rotation(id.as_str());
    let write = action_of::<ChangeKeyRemarks>(&[("id", id.as_str())]);
    let own = id.to_string();
    let label = {
        let name = name.clone();
        move || if key.with(|key| key.replaced_by.is_some()) { format!("{name} (replaced)") } else { name.clone() }
    };
    view! {
        <li aria-label=label class="card card-border border-base-300 bg-base-100">
            <div class="card-body gap-3">
                <div class="flex flex-wrap items-center gap-3">
                    <h3 class="font-semibold break-all">{name.clone()}</h3>
                    <KeyBadge status />
                    <Label remarks />
                    <code class="text-sm break-all text-muted">{format!("{KEY_PREFIX}{id}_…{last_four}")}</code>
                    <span class="badge badge-warning badge-soft h-auto text-left empty:hidden">{notice}</span>
                </div>
                <Note remarks />
                <dl class="flex flex-wrap gap-x-6 gap-y-1 text-sm">
                    <div class="flex gap-2"><dt class="text-muted">"Limit"</dt><dd>{limit}</dd></div>
                    <div class="flex gap-2"><dt class="text-muted">"Created"</dt><dd><Timestamp at=created_at /></dd></div>
                    <div class="flex gap-2">
                        <dt class="text-muted">"Last used"</dt>
                        <dd><LastTime at=Signal::derive(move || key.with(|key| key.last_used_at)) />{move || from(key.with(|key| key.last_address.clone()))}</dd>
                    </div>
                    <div class="flex gap-2"><dt class="text-muted">"Requests"</dt><dd>{move || number(key.with(|key| key.requests))} " " <a class="link" href=format!("/admin/usage?key={id}")>"Usage"</a></dd></div>
                </dl>
                <Show when=move || key.with(|key| key.unlisted)>
                    <div role="alert" class="alert alert-warning"><span>{sentence(UNLISTED)}</span></div>
                </Show>
                <Rotated action=rotate />
                <PolicySummary policy=Signal::derive(move || key.with(|key| key.shown.clone().unwrap_or_default())) />
                <Show when=move || status.get() != KeyStatus::Revoked>
                    <Meters label="Standing now" standing />
                    {may(Role::Operator).then(|| view! {
                        <div class="flex flex-wrap gap-2">
                            <SwitchKey key refresh />
                            <ChangeLimit key refresh />
                            <KeyPolicyForm key refresh />
                            <Show when=move || key.with(|key| key.replaced_by.is_none())>
                                <RotateForm action=rotate key refresh />
                            </Show>
                            <RemarksForm action=write id=own.clone() remarks refresh />
                            <Revoke key refresh />
                        </div>
                    })}
                </Show>
            </div>
        </li>
    }
    .into_any()
}

#[component]
fn SwitchKey(key: Signal<KeyView>, refresh: Refresh) -> impl IntoView {
    let KeyView { id, status, .. } = key.get_untracked();
    let other = if status == KeyStatus::Active { "disabled" } else { "active" };
    let action = action_of::<ChangeKeyStatus>(&[("id", id.as_str()), ("status", other)]);
    refresh_after(action, refresh);
    let active = move || key.with(|key| key.status == KeyStatus::Active);
    view! {
        <ActionForm action>
            <Hidden name="id" value=Signal::derive(move || key.with(|key| key.id.to_string())) />
            <Hidden name="status" value=Signal::derive(move || if active() { "disabled" } else { "active" }.to_owned()) />
            <SubmitButton
                label=Signal::derive(move || if active() { "Disable" } else { "Enable" }.to_owned()) pending=action.pending() class="btn btn-sm"
            />
            <FormFault action=action />
        </ActionForm>
    }
    .into_any()
}

#[component]
fn ChangeLimit(key: Signal<KeyView>, refresh: Refresh) -> impl IntoView {
    let KeyView { id, limit, .. } = key.get_untracked();
    let own = [("id", id.as_str())];
    let action = action_of::<ChangeKeyLimit>(&own);
    let typed = move |field, number: fn(RateLimit) -> u32| {
        let stored = limit.map(|limit| number(limit).to_string()).unwrap_or_default();
        typed_in::<ChangeKeyLimit>(&own, field, &stored)
    };
    let (requests, minutes) = (typed("requests", |limit| limit.requests), typed("minutes", |limit| limit.minutes));
    view! {
        <FormDisclosure action label="Change limit" refresh>
            <ActionForm action>
                <Hidden name="id" value=id.to_string() />
                <FormFault action=action fields=&["requests", "minutes"] />
                <div class="grid gap-3 sm:grid-cols-2">
                    <Field
                        label="Requests" name="requests" id=format!("requests-{id}") inputmode="numeric" value=requests
                        fault=field_fault(action, "requests") hint="Both empty: the default limit."
                    />
                    <Field
                        label="Window (Minutes)" name="minutes" id=format!("minutes-{id}") inputmode="numeric" value=minutes
                        fault=field_fault(action, "minutes")
                    />
                </div>
                <div class="mt-3">
                    <SubmitButton label="Save limit" pending=action.pending() class="btn btn-sm btn-primary" />
                </div>
            </ActionForm>
        </FormDisclosure>
    }
    .into_any()
}

#[component]
fn Revoke(key: Signal<KeyView>, refresh: Refresh) -> impl IntoView {
    let KeyView { id, name, .. } = key.get_untracked();
    let action = action_of::<ChangeKeyStatus>(&[("id", id.as_str()), ("status", "revoked")]);
    let refused = action.value().with_untracked(Option::is_some);
    refresh_after(action, refresh);
    view! {
        <Confirm
            label="Revoke" open=refused question=format!("Revoke {name}? Whoever uses it is refused at once. Its usage is kept. This cannot be undone.")
        >
            <ActionForm action>
                <Hidden name="id" value=id.to_string() />
                <Hidden name="status" value="revoked" />
                <SubmitButton label="Revoke key" pending=action.pending() class="btn btn-sm btn-error" />
                <FormFault action=action />
            </ActionForm>
        </Confirm>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use domain::id::{KeyId, UserId};

    use super::*;
    use crate::rendering::html;

    fn card(status: KeyStatus, name: &'static str) -> String {
        html(move || {
            let key = KeyView {
                id: KeyId::new("0123456789ab").unwrap(),
                user_id: UserId::new("ba9876543210").unwrap(),
                user: "alice".into(),
                name: name.into(),
                status,
                last_four: "wxyz".into(),
                limit: RateLimit::new(20, 5),
                policy: Default::default(),
                shown: None,
                created_at: 0,
                last_used_at: None,
                requests: 1234,
                unlisted: status == KeyStatus::Revoked && name == "owed",
                last_address: Some("10.0.0.1".into()),
                remarks: Default::default(),
                replaced_by: None,
                notice: None,
            };
            view! { <KeyCard key=Signal::stored(key) standings=Signal::stored(Vec::new()) refresh=Refresh::new() /> }
        })
    }

    #[test]
    fn a_revoked_key_has_no_actions() {
        let active = card(KeyStatus::Active, "laptop");
        assert!(
            active.contains("Revoke key") && active.contains("Disable") && active.contains("Save limit"),
            "{active}"
        );
        let revoked = card(KeyStatus::Revoked, "laptop");
        assert!(revoked.contains("Revoked") && revoked.contains("1,234"), "{revoked}");
        assert!(!revoked.contains("<form") && !revoked.contains("<button"), "{revoked}");
    }

    #[test]
    fn a_revoked_key_that_is_not_written_down_says_so() {
        assert!(card(KeyStatus::Revoked, "owed").contains("would bring the key back"));
        assert!(!card(KeyStatus::Revoked, "laptop").contains("would bring the key back"));
    }

    #[test]
    fn names_are_text() {
        let card = card(KeyStatus::Active, "<img src=x onerror=alert(1)>\"");
        assert!(!card.contains("<img") && card.contains("&lt;img"), "{card}");
    }
}
