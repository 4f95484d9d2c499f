//! Page: the users, who own keys.

mod row;

pub(super) use self::row::SwitchUserForm;

use domain::user::UserView;
use leptos::prelude::*;

use self::row::UserRow;
use crate::{
    api::users::{CreateUser, RemoveUser, SwitchUser, list_users},
    components::{
        action::{SubmitButton, plain_fault},
        fault::{Fault, field_fault, form_fault},
        field::Field,
        form::{FormCard, emptied_after},
        listing::Listing,
        page::PageHeader,
        rows::Rows,
    },
    typed::typed,
};

#[component]
pub fn UsersPage() -> impl IntoView {
    let refresh = RwSignal::new(0);
    let users = Resource::new(move || refresh.get(), |_| list_users());
    view! {
        <PageHeader title="Users" />
        <div class="flex flex-col gap-6">
            <Fault fault={plain_fault::<SwitchUser>()} />
            <Fault fault={plain_fault::<RemoveUser>()} />
            <Listing list=users empty="No user yet. Add one below, then open it to create its first key." let:users>
                <UserTable users refresh />
            </Listing>
            <AddUserForm refresh />
        </div>
    }
}

#[component]
fn UserTable(users: Signal<Vec<UserView>>, refresh: RwSignal<u32>) -> impl IntoView {
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
                        <th scope="col">"Actions"</th>
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
fn AddUserForm(refresh: RwSignal<u32>) -> impl IntoView {
    let action = ServerAction::<CreateUser>::new();
    let form = emptied_after(action, refresh);
    view! {
        <FormCard id="add-user" title="Add a user">
            <ActionForm action node_ref=form>
                <Fault fault=form_fault(action, &["name"]) />
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
