//! One user in the list, with what can be done to it.

use domain::user::UserView;
use leptos::prelude::*;
use leptos_router::components::A;

use crate::{
    api::users::{RemoveUser, SwitchUser},
    components::{
        action::{SubmitButton, refresh_after, start_clean},
        badge::EnabledBadge,
        disclosure::Confirm,
        fault::{Fault, form_fault},
        field::Hidden,
        form::SwitchFields,
        timestamp::LastTime,
    },
    format::number,
};

#[component]
pub(super) fn UserRow(user: Signal<UserView>, refresh: RwSignal<u32>) -> impl IntoView {
    start_clean();
    let remove = ServerAction::<RemoveUser>::new();
    refresh_after(remove, refresh);
    let id = Signal::derive(move || user.with(|user| user.id.to_string()));
    let UserView { id: first_id, name, .. } = user.get_untracked();
    let question = format!("Remove {name} and revoke all its keys? Its usage is kept. This cannot be undone.");
    view! {
        <tr>
            <th scope="row" class="max-w-48 break-words">
                <A href=format!("/admin/users/{first_id}") attr:class="link link-hover">{name}</A>
            </th>
            <td><EnabledBadge enabled=Signal::derive(move || user.with(|user| user.enabled)) /></td>
            <td class="max-md:hidden">{move || number(user.with(|user| user.keys))}</td>
            <td class="max-md:hidden"><LastTime at=Signal::derive(move || user.with(|user| user.last_used_at)) /></td>
            <td class="max-md:hidden">{move || number(user.with(|user| user.requests))}</td>
            <td>
                <div class="flex flex-wrap md:min-w-48 gap-2">
                    <SwitchUserForm user refresh />
                    <Confirm label="Remove" question>
                        <ActionForm action=remove>
                            <Hidden name="id" value=id />
                            <SubmitButton label="Remove user" pending=remove.pending() class="btn btn-sm btn-error" />
                        </ActionForm>
                    </Confirm>
                </div>
                <Fault fault=form_fault(remove, &[]) />
            </td>
        </tr>
    }
    .into_any()
}

/// Enables a disabled user and disables an enabled one. Belongs below a [`start_clean`].
#[component]
pub(crate) fn SwitchUserForm(user: Signal<UserView>, refresh: RwSignal<u32>) -> impl IntoView {
    let switch = ServerAction::<SwitchUser>::new();
    let id = Signal::derive(move || user.with(|user| user.id.to_string()));
    let enabled = Signal::derive(move || user.with(|user| user.enabled));
    view! {
        <ActionForm action=switch>
            <SwitchFields switch id enabled refresh />
        </ActionForm>
    }
    .into_any()
}
