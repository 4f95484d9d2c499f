//! Page: the users, who own keys.

mod row;

pub(super) use self::row::SwitchUserForm;

use domain::{admin::Role, user::UserView};
use leptos::prelude::*;

use self::row::UserRow;
use crate::{
    answer::typed,
    api::users::{CreateUser, list_users},
    components::{
        action::{ActionForm, SubmitButton, action},
        allowed::{NeedsRole, may},
        fault::{FormFault, field_fault},
        field::Field,
        form::{FormCard, emptied_after},
        listing::Listing,
        page::PageHeader,
        refresh::{Behind, Refresh},
        rows::Rows,
    },
    reading::reading,
};

#[component]
pub fn UsersPage() -> impl IntoView {
    let refresh = Refresh::new();
    let users = reading(move || refresh.count(), |_| list_users());
    view! {
        <PageHeader title="Users" />
        <Behind refresh />
        <NeedsRole role=Role::Operator to="change users and keys" />
        <div class="flex flex-col gap-6">
            <Listing list=users refresh empty="No user yet. Add one below, then open it to create its first key." let:users>
                <UserTable users refresh />
            </Listing>
            {may(Role::Operator).then(|| view! { <AddUserForm refresh /> })}
        </div>
    }
}

#[component]
fn UserTable(users: Signal<Vec<UserView>>, refresh: Refresh) -> impl IntoView {
    view! {
        <div class="overflow-x-auto rounded-box border border-base-300 bg-base-100">
            <table class="table" aria-label="Users">
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"State"</th>
                        <th scope="col" class="max-md:hidden">"Keys"</th>
                        <th scope="col" class="max-md:hidden">"Last used"</th>
                        <th scope="col" class="max-md:hidden">"Requests"</th>
                        {may(Role::Operator).then(|| view! { <th scope="col">"Actions"</th> })}
                    </tr>
                </thead>
                <tbody>
                    <Rows items=users key=|user: &UserView| user.id.to_string() row=move |user| view! { <UserRow user refresh /> } />
                </tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn AddUserForm(refresh: Refresh) -> impl IntoView {
    let action = action::<CreateUser>();
    let form = emptied_after(action, refresh);
    view! {
        <FormCard id="add-user" title="Add a user">
            <ActionForm action node_ref=form>
                <FormFault action=action fields=&["name"] />
                <div class="flex max-w-md flex-col gap-3">
                    <Field
                        label="Name" name="name" id="new-user-name" required=true value={typed::<CreateUser>("name")} fault=field_fault(action, "name")
                        hint="A person, a team or a program. Users do not sign in here; they call the API with their keys."
                    />
                    <div>
                        <SubmitButton label="Add user" pending=action.pending() />
                    </div>
                </div>
            </ActionForm>
        </FormCard>
    }
    .into_any()
}
