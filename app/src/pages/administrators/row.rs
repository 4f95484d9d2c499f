//! One administrator: what is known, and what an owner can do to somebody else.

use domain::{
    admin::{AdminView, Role, SessionView},
    id::AdminId,
};
use leptos::{html, prelude::*};
use leptos_router::components::A;

use super::ROLES;
use crate::{
    answer::typed_in,
    api::administrators::{
        ChangeAdminRole, EndAllSessions, EndAnySession, RemoveAdministrator, ResetAdminPassword, ResetSecondFactor,
        SwitchAdministrator,
    },
    components::{
        action::{ActionForm, SubmitButton, action_of, on_success, refresh_after},
        allowed::may,
        area::Choice,
        badge::EnabledBadge,
        disclosure::{Confirm, Disclosure, close},
        fault::{FormFault, field_fault},
        field::{Field, Hidden},
        form::{FormDisclosure, SwitchFields},
        refresh::Refresh,
        rows::Rows,
        timestamp::{LastTime, Timestamp},
    },
    format::plural,
    pages::account::sessions::{EndFields, SessionRow},
};

#[component]
pub(super) fn AdminCard(admin: Signal<AdminView>, own: Signal<Option<AdminId>>, refresh: Refresh) -> impl IntoView {
    let AdminView { id, name, created_at, .. } = admin.get_untracked();
    let is_own = Memo::new(move |_| own.get().is_some_and(|own| own == id));
    let told = may(Role::Owner);
    let factor = move || admin.with(|admin| if admin.second_factor == Some(true) { "on" } else { "off" });
    let last = Signal::derive(move || admin.with(|admin| admin.last_seen_at));
    view! {
        <li aria-label=name.clone() class="card card-border border-base-300 bg-base-100">
            <div class="card-body gap-3">
                <div class="flex flex-wrap items-center gap-3">
                    <h2 class="min-w-0 font-semibold break-all">{name.clone()}</h2>
                    <span class="badge badge-soft capitalize">{move || admin.with(|admin| admin.role.to_string())}</span>
                    <EnabledBadge enabled=Signal::derive(move || admin.with(|admin| admin.enabled)) />
                    <span class="badge badge-outline" class:hidden=move || !is_own.get()>"You"</span>
                </div>
                <p class="flex flex-wrap gap-x-6 gap-y-1 text-sm text-muted">
                    <span>"Added " <Timestamp at=created_at /></span>
                    {told.then(|| view! {
                        <span>"Second factor " {factor}</span>
                        <span>"Last seen " <LastTime at=last /></span>
                    })}
                </p>
                {told.then(|| view! {
                    <Sessions admin refresh />
                    {move || if is_own.get() {
                        view! { <p class="text-sm text-muted">"Change your own password, second factor and sessions on " <A href="/admin/account" attr:class="link">"your account page"</A> "."</p> }.into_any()
                    } else {
                        view! { <Actions admin refresh /> }.into_any()
                    }}
                })}
            </div>
        </li>
    }
    .into_any()
}

#[component]
fn Sessions(admin: Signal<AdminView>, refresh: Refresh) -> impl IntoView {
    let id = admin.get_untracked().id.to_string();
    let all = action_of::<EndAllSessions>(&[("id", &id)]);
    refresh_after(all, refresh);
    let sessions = Signal::derive(move || admin.with(|admin| admin.sessions.clone()));
    let count = move || plural(sessions.with(|sessions| sessions.len() as u64), "open session");
    let alone = move || sessions.with(|sessions| sessions.iter().all(|session| session.current));
    view! {
        <details class="text-sm">
            <summary class="cursor-pointer">{count}</summary>
            <ul role="list" class="mt-2 divide-y divide-base-300">
                <Rows items=sessions key=|session: &SessionView| session.id.clone() row=move |session| view! { <AnySession session refresh /> } />
            </ul>
            <div class:hidden=alone>
                <ActionForm action=all>
                    <Hidden name="id" value=id />
                    <SubmitButton label="End all of them" pending=all.pending() class="btn btn-sm" />
                    <FormFault action=all />
                </ActionForm>
            </div>
        </details>
    }
    .into_any()
}

#[component]
fn AnySession(session: Signal<SessionView>, refresh: Refresh) -> impl IntoView {
    let id = session.with_untracked(|session| session.id.clone());
    let end = action_of::<EndAnySession>(&[("id", id.as_str())]);
    view! { <SessionRow session><ActionForm action=end><EndFields end id refresh /></ActionForm></SessionRow> }
        .into_any()
}

#[component]
fn Actions(admin: Signal<AdminView>, refresh: Refresh) -> impl IntoView {
    let id = admin.get_untracked().id.to_string();
    let switch = action_of::<SwitchAdministrator>(&[("id", &id)]);
    let own = Signal::derive(move || admin.with(|admin| admin.id.to_string()));
    let enabled = Signal::derive(move || admin.with(|admin| admin.enabled));
    let has_factor = Memo::new(move |_| admin.with(|admin| admin.second_factor == Some(true)));
    view! {
        <div class="flex flex-wrap gap-2">
            <ActionForm action=switch><SwitchFields switch id=own enabled refresh /></ActionForm>
            <RoleForm admin refresh />
            <PasswordForm id=id.clone() refresh />
            <Show when=move || has_factor.get()><FactorOff admin refresh /></Show>
            <Remove admin refresh />
        </div>
    }
    .into_any()
}

#[component]
fn RoleForm(admin: Signal<AdminView>, refresh: Refresh) -> impl IntoView {
    let AdminView { id, role, .. } = admin.get_untracked();
    let own = [("id", id.as_str())];
    let action = action_of::<ChangeAdminRole>(&own);
    let value = typed_in::<ChangeAdminRole>(&own, "role", role.as_str());
    view! {
        <FormDisclosure action label="Change role" refresh>
            <ActionForm action>
                <Hidden name="id" value=id.to_string() />
                <FormFault action=action fields=&["role"] />
                <Choice
                    label="Role" name="role" id=format!("role-{id}") value options=ROLES hint="Their sessions end."
                    fault=field_fault(action, "role")
                />
                <div class="mt-3"><SubmitButton label="Save role" pending=action.pending() class="btn btn-sm btn-primary" /></div>
            </ActionForm>
        </FormDisclosure>
    }
    .into_any()
}

#[component]
fn PasswordForm(id: String, refresh: Refresh) -> impl IntoView {
    let action = action_of::<ResetAdminPassword>(&[("id", &id)]);
    let refused = action.value().with_untracked(Option::is_some);
    let (details, form) = (NodeRef::<html::Details>::new(), NodeRef::<html::Form>::new());
    refresh_after(action, refresh);
    on_success(action, move || {
        close(details);
        if let Some(form) = form.get_untracked() {
            form.reset();
        }
    });
    view! {
        <Disclosure label="Reset password" details open=refused>
            <ActionForm action node_ref=form>
                <Hidden name="id" value=id.clone() />
                <FormFault action=action fields=&["password"] />
                <Field
                    label="New password" name="password" id=format!("password-{id}") kind="password" autocomplete="new-password" required=true
                    fault=field_fault(action, "password") hint="At least 8 characters. Their sessions end."
                />
                <div class="mt-3"><SubmitButton label="Set password" pending=action.pending() class="btn btn-sm btn-primary" /></div>
            </ActionForm>
        </Disclosure>
    }
    .into_any()
}

#[component]
fn FactorOff(admin: Signal<AdminView>, refresh: Refresh) -> impl IntoView {
    let AdminView { id, name, .. } = admin.get_untracked();
    let action = action_of::<ResetSecondFactor>(&[("id", id.as_str())]);
    let refused = action.value().with_untracked(Option::is_some);
    refresh_after(action, refresh);
    view! {
        <Confirm label="Turn off second factor" open=refused question=format!("For a lost phone: {name} then signs in with the password alone.")>
            <ActionForm action>
                <Hidden name="id" value=id.to_string() />
                <SubmitButton label="Turn it off" pending=action.pending() class="btn btn-sm btn-error" />
                <FormFault action=action />
            </ActionForm>
        </Confirm>
    }
    .into_any()
}

#[component]
fn Remove(admin: Signal<AdminView>, refresh: Refresh) -> impl IntoView {
    let AdminView { id, name, .. } = admin.get_untracked();
    let action = action_of::<RemoveAdministrator>(&[("id", id.as_str())]);
    let refused = action.value().with_untracked(Option::is_some);
    refresh_after(action, refresh);
    view! {
        <Confirm label="Remove" open=refused question=format!("Remove {name}? Their sessions end at once. Users and keys stay as they are.")>
            <ActionForm action>
                <Hidden name="id" value=id.to_string() />
                <SubmitButton label="Remove administrator" pending=action.pending() class="btn btn-sm btn-error" />
                <FormFault action=action />
            </ActionForm>
        </Confirm>
    }
    .into_any()
}
