//! One user in the list, with what can be done to it.

use domain::{admin::Role, user::UserView};
use leptos::prelude::*;
use leptos_router::components::A;

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
    format::number,
};

#[component]
pub(super) fn UserRow(user: Signal<UserView>, refresh: Refresh) -> impl IntoView {
    let UserView { id, name, .. } = user.get_untracked();
    let remove = action_of::<RemoveUser>(&[("id", id.as_str())]);
    refresh_after(remove, refresh);
    let refused = remove.value().with_untracked(Option::is_some);
    let question = format!("Remove {name} and revoke all its keys? Its usage is kept. This cannot be undone.");
    view! {
        <tr>
            <th scope="row" class="max-w-32 break-words sm:max-w-48">
                <A href=format!("/admin/users/{id}") attr:class="link">{name}</A>
            </th>
            <td><EnabledBadge enabled=Signal::derive(move || user.with(|user| user.enabled)) /></td>
            <td class="max-md:hidden">{move || number(user.with(|user| user.keys))}</td>
            <td class="max-md:hidden"><LastTime at=Signal::derive(move || user.with(|user| user.last_used_at)) /></td>
            <td class="max-md:hidden">{move || number(user.with(|user| user.requests))}</td>
            {may(Role::Operator).then(|| view! {
                <td>
                    <div class="flex flex-wrap md:min-w-48 gap-2">
                        <SwitchUserForm user refresh />
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
pub(crate) fn SwitchUserForm(user: Signal<UserView>, refresh: Refresh) -> impl IntoView {
    let switch = action_of::<SwitchUser>(&[("id", user.get_untracked().id.as_str())]);
    let id = Signal::derive(move || user.with(|user| user.id.to_string()));
    let enabled = Signal::derive(move || user.with(|user| user.enabled));
    view! {
        <ActionForm action=switch>
            <SwitchFields switch id enabled refresh />
        </ActionForm>
    }
    .into_any()
}
