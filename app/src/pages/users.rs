//! Page: the users, who own keys. What is asked for stands in the address, so that links and the back button lead to it.

mod filter;
mod row;
mod switch;

pub(super) use self::row::SwitchUserForm;

use domain::{
    admin::Role,
    user::{AskUsers, PAGE, UserLine, UsersPage as Page},
};
use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_query_map};

use self::{
    filter::FilterForm,
    row::UserRow,
    switch::{Boxes, SwitchChosen},
};
use crate::{
    answer::typed,
    api::users::{CreateUser, list_users},
    components::{
        action::{ActionForm, SubmitButton, action},
        allowed::{NeedsRole, may},
        fault::{FormFault, LoadFault, field_fault},
        field::Field,
        form::{FormCard, emptied_after},
        listing::{Loading, Saved},
        page::{Empty, PageHeader},
        refresh::{Behind, Refresh},
        rows::Rows,
    },
    error::AppError,
    format::{number, plural},
    reading::reading,
    session::encode_query_value,
};

const HERE: &str = "/admin/users";

type Found = Signal<Option<Result<Page, AppError>>>;

#[component]
pub fn UsersPage() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        query.with(|query| {
            let get = |name: &str| query.get(name).unwrap_or_default();
            AskUsers { search: get("search"), show: get("show"), sort: get("sort"), page: get("page") }
        })
    });
    let refresh = Refresh::new();
    let page = reading(move || (asked.get(), refresh.count()), |(asked, _)| list_users(asked));
    view! {
        <PageHeader title="Users" />
        <Behind refresh />
        <NeedsRole role=Role::Operator to="change users and keys" />
        <div class="flex flex-col gap-6">
            <Transition fallback=Loading>
                {
                    let found = Signal::derive(move || page.get());
                    view! { <FilterForm asked found /> <Lines asked found refresh /> }
                }
            </Transition>
            {may(Role::Operator).then(|| view! { <AddUserForm refresh /> })}
        </div>
    }
}

/// The address of this page.
fn address(asked: &AskUsers) -> String {
    let pairs: Vec<String> =
        asked.pairs().map(|(name, value)| format!("{name}={}", encode_query_value(value))).collect();
    if pairs.is_empty() { HERE.to_owned() } else { format!("{HERE}?{}", pairs.join("&")) }
}

#[component]
fn Lines(asked: Memo<AskUsers>, found: Found, refresh: Refresh) -> impl IntoView {
    let page = Memo::new(move |_| found.get().and_then(Result::ok).unwrap_or_default());
    let users = Signal::derive(move || page.with(|page| page.users.clone()));
    // What is wrong with the filter stands beside its fields.
    let fault = move || found.get()?.err()?.beside_no_field(&filter::FIELDS);
    let is_read = move || found.with(|found| matches!(found, Some(Ok(_))));
    let is_empty = move || page.with(|page| page.users.is_empty());
    let boxes = Boxes::new(users, refresh);
    view! {
        {move || fault().map(|fault| view! { <LoadFault fault retry=move || refresh.again() /> })}
        <div class:hidden=move || !is_read() || !is_empty()>
            <Nothing asked />
        </div>
        <section aria-label="Users found" class:hidden=move || !is_read() || is_empty()>
            {may(Role::Operator).then(|| view! { <SwitchChosen boxes /> })}
            <UserTable users boxes refresh />
            <Pages asked page />
        </section>
    }
    .into_any()
}

/// In place of rows.
#[component]
fn Nothing(asked: Memo<AskUsers>) -> impl IntoView {
    let narrow = move || asked.with(AskUsers::is_narrow);
    let text = move || {
        if narrow() { "No user fits." } else { "No user yet. Add one below, then open it to create its first key." }
    };
    view! {
        {move || view! { <Empty text=text() /> }}
        <p class="mt-3 text-center" class:hidden=move || !narrow()>
            <A href=HERE attr:class="link">"Show all users"</A>
        </p>
    }
    .into_any()
}

#[component]
fn UserTable(users: Signal<Vec<UserLine>>, boxes: Boxes, refresh: Refresh) -> impl IntoView {
    view! {
        <div class="overflow-x-auto rounded-box border border-base-300 bg-base-100" on:change=move |_| boxes.look()>
            <table class="table" aria-label="Users">
                <thead>
                    <tr>
                        {may(Role::Operator).then(|| view! { <th scope="col" class="w-0 pe-0"><span class="sr-only">"Choose"</span></th> })}
                        <th scope="col">"Name"</th>
                        <th scope="col">"State"</th>
                        <th scope="col" class="max-md:hidden">"Keys"</th>
                        <th scope="col" class="max-md:hidden">"Last used"</th>
                        <th scope="col" class="max-md:hidden">"Requests"</th>
                        {may(Role::Operator).then(|| view! { <th scope="col">"Actions"</th> })}
                    </tr>
                </thead>
                <tbody>
                    <Rows items=users key=|user: &UserLine| user.id.to_string() row=move |user| view! { <UserRow user refresh /> } />
                </tbody>
            </table>
        </div>
    }
    .into_any()
}

/// Where in the list the page is, and the ways to its neighbours.
#[component]
fn Pages(asked: Memo<AskUsers>, page: Memo<Page>) -> impl IntoView {
    let told = move || {
        page.with(|page| {
            let first = (page.page.max(1) - 1) * PAGE as u64;
            let of = match page.matching {
                all if all == page.all => plural(all, "user"),
                matching => format!("{} that fit, of {}", number(matching), plural(page.all, "user")),
            };
            format!("{} to {} of {of}", number(first + 1), number(first + page.users.len() as u64))
        })
    };
    let link = move |step: fn(&Page) -> Option<u64>, words: &'static str| {
        let to = page.with(step).map(|to| {
            let to = if to == 1 { String::new() } else { to.to_string() };
            asked.with(|asked| address(&AskUsers { page: to, ..asked.clone() }))
        });
        to.map(|to| view! { <A href=to attr:class="btn btn-sm">{words}</A> })
    };
    view! {
        <nav aria-label="Pages of the list" class="mt-4 flex flex-wrap items-center gap-2">
            <p class="me-2 text-sm text-muted">{told}</p>
            {move || link(|page| page.page.checked_sub(1).filter(|&to| to > 0), "Previous")}
            {move || link(|page| (page.page < page.pages).then_some(page.page + 1), "Next")}
        </nav>
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
            <Saved save=action text="The user was added." />
        </FormCard>
    }
    .into_any()
}
