//! Page: who may sign in here, with which role. Owners change it; everybody may read names and roles.

mod row;

use domain::admin::{AdminView, Role};
use leptos::prelude::*;

use self::row::AdminCard;
use crate::{
    answer::{typed, typed_in},
    api::{
        administrators::{CreateAdministrator, list_administrators},
        session::current_session,
    },
    components::{
        action::{ActionForm, SubmitButton, action},
        allowed::{NeedsRole, may},
        area::Choice,
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

/// Every role with what it is for.
const ROLES: &[(&str, &str)] = &[
    ("viewer", "Viewer: reads every page"),
    ("operator", "Operator: also runs backends, users and keys"),
    ("owner", "Owner: everything"),
];

#[component]
pub fn AdministratorsPage() -> impl IntoView {
    let refresh = Refresh::new();
    let list = reading(move || refresh.count(), |_| list_administrators());
    let own = reading(|| (), |()| current_session());
    let own = Signal::derive(move || own.get().and_then(Result::ok).map(|actor| actor.id));
    view! {
        <PageHeader title="Administrators" />
        <Behind refresh />
        <NeedsRole role=Role::Owner to="change who may sign in and see their sessions" />
        <div class="flex flex-col gap-6">
            <Listing list refresh empty="No administrator." let:admins>
                <ul role="list" class="flex flex-col gap-3">
                    <Rows
                        items=admins key=|admin: &AdminView| admin.id.to_string()
                        row=move |admin| view! { <AdminCard admin own refresh /> }
                    />
                </ul>
            </Listing>
            {may(Role::Owner).then(|| view! { <AddForm refresh /> })}
        </div>
    }
}

#[component]
fn AddForm(refresh: Refresh) -> impl IntoView {
    let action = action::<CreateAdministrator>();
    let form = emptied_after(action, refresh);
    view! {
        <FormCard id="add-administrator" title="Add an administrator">
            <ActionForm action node_ref=form>
                <FormFault action=action fields=&["name", "password", "role"] />
                <div class="flex max-w-md flex-col gap-3">
                    <Field
                        label="Name" name="name" id="new-admin-name" required=true value={typed::<CreateAdministrator>("name")}
                        fault=field_fault(action, "name")
                    />
                    <Field
                        label="Password" name="password" id="new-admin-password" kind="password" autocomplete="new-password" required=true
                        fault=field_fault(action, "password") hint="At least 8 characters; 15 or more are better. They can change it on their account page."
                    />
                    <Choice
                        label="Role" name="role" id="new-admin-role" options=ROLES hint="" fault=field_fault(action, "role")
                        value={typed_in::<CreateAdministrator>(&[], "role", "viewer")}
                    />
                    <div><SubmitButton label="Add administrator" pending=action.pending() /></div>
                </div>
            </ActionForm>
        </FormCard>
    }
    .into_any()
}
