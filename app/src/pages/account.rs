//! Page: the own account. Password, second factor, sessions; for every role.

mod factor;
mod password;
pub(super) mod sessions;

use domain::admin::AccountView;
use leptos::{either::EitherOf3, prelude::*};

use self::{factor::Factor, password::PasswordForm, sessions::OwnSessions};
use crate::{
    api::account::get_account,
    components::{
        fault::LoadFault,
        listing::Loading,
        page::PageHeader,
        refresh::{Behind, Refresh},
    },
    reading::reading,
};

#[component]
pub fn AccountPage() -> impl IntoView {
    let refresh = Refresh::new();
    let account = reading(move || refresh.count(), |_| get_account());
    let view = Memo::new(move |_| account.get().and_then(Result::ok));
    let state = Memo::new(move |_| account.get().map(|account| account.map(drop).map_err(|error| error.to_string())));
    view! {
        <PageHeader title="Your account" />
        <Behind refresh />
        <Transition fallback=Loading>
            {move || match state.get() {
                None => EitherOf3::A(()),
                Some(Err(fault)) => EitherOf3::B(view! { <LoadFault fault retry=move || refresh.again() /> }),
                Some(Ok(())) => EitherOf3::C(view.get_untracked().map(|first| view! { <Parts first view refresh /> })),
            }}
        </Transition>
    }
}

/// Drawn once, however often the account is read again.
#[component]
fn Parts(first: AccountView, view: Memo<Option<AccountView>>, refresh: Refresh) -> impl IntoView {
    let who = format!("Signed in as {}, with the role {}.", first.name, first.role);
    let account = Memo::new(move |_| view.get().unwrap_or_else(|| first.clone()));
    view! {
        <p class="mb-6 text-sm text-muted">{who}</p>
        <div class="flex flex-col gap-6">
            <PasswordForm refresh />
            <Factor account refresh />
            <OwnSessions sessions=Signal::derive(move || account.with(|account| account.sessions.clone())) refresh />
        </div>
    }
    .into_any()
}
