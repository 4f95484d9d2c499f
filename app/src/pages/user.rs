//! Page: one user with its keys.

mod create;
mod key;
mod policy;
mod remarks;
mod rotate;
mod standing;

use domain::{
    admin::Role,
    error::AdminError,
    id::UserId,
    key::{KeyStanding, KeyView},
    user::{UserDetail, UserRef},
};
use leptos::{
    either::{Either, EitherOf3},
    prelude::*,
};
use leptos_router::{components::A, hooks::use_params_map};

use self::{
    create::CreateKeyForm,
    key::KeyCard,
    policy::{PolicySummary, UserPolicyForm},
    remarks::{Label, Note, RemarksForm},
    standing::Meters,
};
use super::users::SwitchUserForm;
use crate::{
    api::users::{ChangeUserRemarks, get_user},
    components::{
        action::action_of,
        allowed::{NeedsRole, may},
        badge::EnabledBadge,
        fault::LoadFault,
        listing::Loading,
        page::{Empty, PageHeader},
        refresh::{Behind, Refresh},
        rows::Rows,
        timestamp::{LastTime, Timestamp},
    },
    error::AppError,
    format::{number, plural, sentence},
    reading::{Reading, reading},
    visit,
};

#[component]
pub fn UserPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let refresh = Refresh::new();
    let user = reading(move || (id.get(), refresh.count()), |(id, _)| read(id));
    view! {
        <nav aria-label="Breadcrumb" class="breadcrumbs mb-2 text-sm">
            <ul>
                <li><A href="/admin/users">"Users"</A></li>
                <li aria-current="page">"Keys"</li>
            </ul>
        </nav>
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
fn Found(user: Reading<UserDetail>, refresh: Refresh) -> impl IntoView {
    let detail = Signal::derive(move || user.get().and_then(Result::ok));
    let first = Memo::new(move |_| user.get().map(|user| user.map(|detail| detail.user.id)));
    move || match first.get() {
        None => EitherOf3::A(()),
        Some(Err(error)) => {
            visit::answer_with(&error);
            EitherOf3::B(view! { <NotShown error refresh /> })
        }
        Some(Ok(_)) => EitherOf3::C(detail.get_untracked().map(|first| view! { <Detail first detail refresh /> })),
    }
}

/// The user is gone, or could not be read.
#[component]
fn NotShown(error: AppError, refresh: Refresh) -> impl IntoView {
    let fault = error.to_string();
    let rest = if error.is_stale() {
        Either::Left(view! {
            <div role="alert" class="alert alert-warning alert-soft mb-3"><span>{sentence(&fault)}</span></div>
            <p class="mb-3">"It may have been removed, in another window or by somebody else. Its keys ended with it; its usage is kept."</p>
            <p><A href="/admin/users" attr:class="btn btn-sm">"Back to all users"</A></p>
        })
    } else {
        Either::Right(view! { <LoadFault fault retry=move || refresh.again() /> })
    };
    view! {
        <PageHeader title="User" />
        {rest}
    }
    .into_any()
}

#[component]
fn Detail(first: UserDetail, detail: Signal<Option<UserDetail>>, refresh: Refresh) -> impl IntoView {
    let UserDetail { user: first, keys: first_keys, standings: first_standings } = first;
    let (id, name, created_at) = (first.id.clone(), first.name.clone(), first.created_at);
    let user = Memo::new(move |_| detail.get().map_or_else(|| first.clone(), |detail| detail.user));
    let keys = Memo::new(move |_| detail.get().map_or_else(|| first_keys.clone(), |detail| detail.keys));
    let read = Memo::new(move |_| detail.get().map_or_else(|| first_standings.clone(), |detail| detail.standings));
    let standings = standing::follow(id.as_str(), read);
    let of_user = Memo::new(move |_| standings.with(|all| all.first().map(|one| (None, one.standing.user.clone()))));
    let write = action_of::<ChangeUserRemarks>(&[("id", id.as_str())]);
    let (own, usage) = (id.to_string(), format!("/admin/usage?user={id}"));
    let remarks = Memo::new(move |_| user.with(|user| user.remarks.clone()));
    let enabled = Signal::derive(move || user.with(|user| user.enabled));
    view! {
        <PageHeader title=name>
            <a class="btn btn-sm" href=usage>"Usage"</a>
            {may(Role::Operator).then(|| view! { <SwitchUserForm id=own enabled refresh /> })}
        </PageHeader>
        <Behind refresh />
        <NeedsRole role=Role::Operator to="change users and keys" />
        <p class="mb-6 flex flex-wrap items-center gap-x-4 gap-y-2 text-sm text-muted">
            <EnabledBadge enabled />
            <Label remarks />
            <span>"Added " <Timestamp at=created_at /></span>
            <span>{move || plural(user.with(|user| user.keys), "key")}</span>
            <span>{move || plural(user.with(|user| user.requests), "request")}</span>
            <span>"Last used " <LastTime at=Signal::derive(move || user.with(|user| user.last_used_at)) />{move || from(user.with(|user| user.last_address.clone()))}</span>
        </p>
        <div class="mb-6 flex flex-col gap-3">
            <Note remarks />
            <PolicySummary policy=Signal::derive(move || user.with(|user| user.shown.clone().unwrap_or_default())) />
            <Meters label="Standing of all keys" standing=of_user />
            {may(Role::Operator).then(|| view! {
                <div class="flex flex-wrap gap-2">
                    <UserPolicyForm user_id=id.clone() user refresh />
                    <RemarksForm action=write id=id.to_string() remarks refresh />
                </div>
            })}
        </div>
        <div class="flex flex-col gap-6">
            {may(Role::Operator).then(|| view! { <CreateKeyForm user_id=id.clone() refresh /> })}
            <KeyList keys standings refresh />
        </div>
    }
    .into_any()
}

/// Where something was used from last.
fn from(address: Option<String>) -> String {
    address.map(|address| format!(" from {address}")).unwrap_or_default()
}

#[component]
fn KeyList(keys: Memo<Vec<KeyView>>, standings: Signal<Vec<KeyStanding>>, refresh: Refresh) -> impl IntoView {
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
                <Rows items=keys key=|key: &KeyView| key.id.to_string() row=move |key| view! { <KeyCard key=key standings refresh /> } />
            </ul>
        </section>
    }
    .into_any()
}
