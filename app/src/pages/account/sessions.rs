//! Open sessions: the own ones with what ends them, and how a session looks in any list.

use domain::admin::SessionView;
use leptos::prelude::*;

use crate::{
    api::account::{EndOtherSessions, EndOwnSession},
    components::{
        action::{ActionForm, AnyAction, SubmitButton, action, action_of, refresh_after},
        fault::FormFault,
        field::Hidden,
        form::FormCard,
        refresh::Refresh,
        rows::Rows,
        timestamp::Timestamp,
    },
    format::{browser, visible},
};

#[component]
pub(super) fn OwnSessions(sessions: Signal<Vec<SessionView>>, refresh: Refresh) -> impl IntoView {
    let others = action::<EndOtherSessions>();
    refresh_after(others, refresh);
    let alone = move || sessions.with(|sessions| sessions.iter().all(|session| session.current));
    view! {
        <FormCard id="sessions" title="Where you are signed in">
            <ul role="list" class="divide-y divide-base-300">
                <Rows items=sessions key=|session: &SessionView| session.id.clone() row=move |session| view! { <OwnSession session refresh /> } />
            </ul>
            <div class:hidden=alone>
                <ActionForm action=others>
                    <SubmitButton label="End all others" pending=others.pending() class="btn btn-sm" />
                    <FormFault action=others />
                </ActionForm>
            </div>
        </FormCard>
    }
    .into_any()
}

#[component]
fn OwnSession(session: Signal<SessionView>, refresh: Refresh) -> impl IntoView {
    let id = session.with_untracked(|session| session.id.clone());
    let end = action_of::<EndOwnSession>(&[("id", id.as_str())]);
    view! { <SessionRow session><ActionForm action=end><EndFields end id refresh /></ActionForm></SessionRow> }
        .into_any()
}

/// What the form of `end` holds, which ends the session of an id.
#[component]
pub(crate) fn EndFields(#[prop(into)] end: AnyAction, id: String, refresh: Refresh) -> impl IntoView {
    refresh_after(end, refresh);
    view! {
        <Hidden name="id" value=id />
        <SubmitButton label="End" pending=end.pending() class="btn btn-sm" />
        <FormFault action=end />
    }
    .into_any()
}

/// A session in a list: what is known of it, and in `children` the form that ends it, unless it is the one that asks.
#[component]
pub(crate) fn SessionRow(session: Signal<SessionView>, children: Children) -> impl IntoView {
    let SessionView { address, user_agent, created_at, current, .. } = session.get_untracked();
    let named = browser(&user_agent);
    let title = visible(&user_agent);
    let last = Signal::derive(move || session.with(|session| session.last_seen_at));
    view! {
        <li class="flex flex-wrap items-center justify-between gap-3 py-3">
            <div class="min-w-0 text-sm">
                <p class="font-medium break-words">
                    <span title=title>{named}</span>
                    {current.then(|| view! { " " <span class="badge badge-soft badge-sm">"This one"</span> })}
                </p>
                <p class="text-muted">
                    <span class="break-all">{address}</span> " · signed in " <Timestamp at=created_at /> " · last seen " <Timestamp at=last />
                </p>
            </div>
            {(!current).then(children)}
        </li>
    }
    .into_any()
}
