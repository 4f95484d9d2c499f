//! One user in the list, with what can be done to it.

use domain::{admin::Role, user::UserLine};
use leptos::prelude::*;
use leptos_router::components::A;

use super::switch::tick;
use crate::{
    api::users::{RemoveUser, SwitchUser},
    components::{
        action::{ActionForm, SubmitButton, action_of, refresh_after},
        allowed::may,
        badge::EnabledBadge,
        disclosure::Confirm,
        fault::FormFault,
        field::Hidden,
        form::SwitchFields,
        refresh::Refresh,
        timestamp::LastTime,
    },
    format::{number, plural},
};

#[component]
pub(super) fn UserRow(user: Signal<UserLine>, refresh: Refresh) -> impl IntoView {
    let UserLine { id, name, .. } = user.get_untracked();
    let remove = action_of::<RemoveUser>(&[("id", id.as_str())]);
    refresh_after(remove, refresh);
    let refused = remove.value().with_untracked(Option::is_some);
    let question = format!("Remove {name} and revoke all its keys? Its usage is kept. This cannot be undone.");
    let enabled = Signal::derive(move || user.with(|user| user.enabled));
    let label = move || user.with(|user| (!user.label.is_empty()).then(|| user.label.clone()));
    let expiring = move || match user.with(|user| user.expiring) {
        0 => None,
        1 => Some("1 key expires soon".to_owned()),
        count => Some(format!("{} expire soon", plural(count, "key"))),
    };
    let usage = format!(" requests, see the usage of {name}");
    view! {
        <tr>
            {may(Role::Operator).then(|| view! { <td class="pe-0">{tick(&id, &name)}</td> })}
            <th scope="row" class="max-w-32 break-words sm:max-w-48">
                <A href=format!("/admin/users/{id}") attr:class="link">{name}</A>
                <span class="mt-1 block text-sm font-normal text-muted empty:hidden">{label}</span>
                <span class="badge badge-warning badge-soft badge-sm mt-1 h-auto font-normal empty:hidden">{expiring}</span>
            </th>
            <td><EnabledBadge enabled /></td>
            <td class="max-md:hidden">{move || number(user.with(|user| user.keys))}</td>
            <td class="max-md:hidden">
                <LastTime at=Signal::derive(move || user.with(|user| user.last_used_at)) />
                <span class="block text-sm text-muted">{move || user.with(|user| user.last_address.clone())}</span>
            </td>
            <td class="max-md:hidden">
                <A href=format!("/admin/usage?user={id}") attr:class="link">
                    {move || number(user.with(|user| user.requests))}<span class="sr-only">{usage}</span>
                </A>
            </td>
            {may(Role::Operator).then(|| view! {
                <td>
                    <div class="flex flex-wrap md:min-w-48 gap-2">
                        <SwitchUserForm id=id.to_string() enabled refresh />
                        <Confirm label="Remove" question open=refused>
                            <ActionForm action=remove>
                                <Hidden name="id" value=id.to_string() />
                                <SubmitButton label="Remove user" pending=remove.pending() class="btn btn-sm btn-error" />
                                <FormFault action=remove />
                            </ActionForm>
                        </Confirm>
                    </div>
                </td>
            })}
        </tr>
    }
    .into_any()
}

/// Enables a disabled user and disables an enabled one.
#[component]
pub(crate) fn SwitchUserForm(id: String, enabled: Signal<bool>, refresh: Refresh) -> impl IntoView {
    let switch = action_of::<SwitchUser>(&[("id", &id)]);
    view! {
        <ActionForm action=switch>
            <SwitchFields switch id=Signal::stored(id) enabled refresh />
        </ActionForm>
    }
    .into_any()
}
