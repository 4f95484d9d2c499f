//! Page: one user with its keys.

mod create;
mod key;

use domain::{
    error::AdminError,
    id::UserId,
    key::KeyView,
    user::{UserDetail, UserRef},
};
use leptos::{either::EitherOf3, prelude::*};
use leptos_router::{components::A, hooks::use_params_map};

use self::{create::CreateKeyForm, key::KeyCard};
use super::users::SwitchUserForm;
use crate::{
    api::{
        keys::{ChangeKeyLimit, ChangeKeyStatus},
        users::{SwitchUser, get_user},
    },
    components::{
        action::{apart, plain_fault, start_clean},
        badge::EnabledBadge,
        fault::Fault,
        listing::Loading,
        page::{Empty, PageHeader},
        rows::Rows,
        timestamp::{LastTime, Timestamp},
    },
    error::AppError,
    format::{number, plural},
    visit,
};

#[component]
pub fn UserPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let refresh = RwSignal::new(0);
    let user = Resource::new(move || (id.get(), refresh.get()), |(id, _)| read(id));
    view! {
        <nav aria-label="Breadcrumb" class="breadcrumbs mb-2 text-sm">
            <ul>
                <li><A href="/admin/users">"Users"</A></li>
                <li aria-current="page">"Keys"</li>
            </ul>
        </nav>
        <Fault fault={plain_fault::<SwitchUser>()} />
        <Fault fault={plain_fault::<ChangeKeyLimit>()} />
        <Fault fault={plain_fault::<ChangeKeyStatus>()} />
        <Transition fallback=Loading>
            <Found user refresh />
        </Transition>
    }
}

async fn read(id: String) -> Result<UserDetail, AppError> {
    let id = UserId::new(&id).map_err(|_| AppError(AdminError::NotFound { what: "user".into() }))?;
    get_user(UserRef { id }).await
}

/// Draws the page once for a user, however often it is read again.
#[component]
fn Found(user: Resource<Result<UserDetail, AppError>>, refresh: RwSignal<u32>) -> impl IntoView {
    let detail = Signal::derive(move || user.get().and_then(Result::ok));
    let first = Memo::new(move |_| user.get().map(|user| user.map(|detail| detail.user.id)));
    move || match first.get() {
        None => EitherOf3::A(()),
        Some(Err(error)) => {
            visit::answer_with(&error);
            EitherOf3::B(view! {
                <PageHeader title="User" />
                <Fault fault=Some(error.to_string()) />
            })
        }
        Some(Ok(_)) => EitherOf3::C(detail.get_untracked().map(|first| view! { <Detail first detail refresh /> })),
    }
}

#[component]
fn Detail(first: UserDetail, detail: Signal<Option<UserDetail>>, refresh: RwSignal<u32>) -> impl IntoView {
    let UserDetail { user: first, keys: first_keys } = first;
    let (id, name, created_at) = (first.id.clone(), first.name.clone(), first.created_at);
    let user = Memo::new(move |_| detail.get().map_or_else(|| first.clone(), |detail| detail.user));
    let keys = Memo::new(move |_| detail.get().map_or_else(|| first_keys.clone(), |detail| detail.keys));
    view! {
        <PageHeader title=name>
            <SwitchRow user refresh />
        </PageHeader>
        <p class="mb-6 flex flex-wrap items-center gap-x-4 gap-y-2 text-sm text-muted">
            <EnabledBadge enabled=Signal::derive(move || user.with(|user| user.enabled)) />
            <span>"Added " <Timestamp at=created_at /></span>
            <span>{move || plural(user.with(|user| user.keys), "key")}</span>
            <span>{move || plural(user.with(|user| user.requests), "request")}</span>
            <span>"Last used " <LastTime at=Signal::derive(move || user.with(|user| user.last_used_at)) /></span>
        </p>
        <div class="flex flex-col gap-6">
            <CreateKeyForm user_id=id refresh />
            <KeyList keys refresh />
        </div>
    }
    .into_any()
}

/// The switch beside the heading, which is a row of its own for faults of plain forms.
#[component]
fn SwitchRow(#[prop(into)] user: Signal<domain::user::UserView>, refresh: RwSignal<u32>) -> impl IntoView {
    apart(move || {
        start_clean();
        view! { <SwitchUserForm user refresh /> }
    })
}

#[component]
fn KeyList(keys: Memo<Vec<KeyView>>, refresh: RwSignal<u32>) -> impl IntoView {
    let is_empty = move || keys.with(Vec::is_empty);
    view! {
        <section aria-labelledby="keys">
            <h2 id="keys" class="mb-3 text-lg font-semibold">
                "Keys " <span class="text-muted">{move || number(keys.with(|keys| keys.len() as u64))}</span>
            </h2>
            <div class:hidden=move || !is_empty()>
                <Empty text="No key yet. Create one above and hand it to the user." />
            </div>
            <ul role="list" class="flex flex-col gap-3">
                <Rows items=keys key=|key: &KeyView| key.id.to_string() row=move |key| view! { <KeyCard key=key refresh /> } />
            </ul>
        </section>
    }
    .into_any()
}
