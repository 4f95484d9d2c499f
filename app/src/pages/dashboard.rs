//! Page: the fleet, live. The first picture comes with the page, every later one over the event stream.

mod attention;
mod charts;
pub(super) mod feed;
mod fleet;
mod limits;
mod slow;
#[cfg(test)]
mod tests;
mod totals;

use domain::live::LiveStatus;
use leptos::{either::EitherOf3, prelude::*};

use self::{
    attention::NeedsAttention, charts::Charts, feed::Feed, fleet::Fleet, limits::LimitsInUse, slow::SlowRequests,
    totals::Totals,
};
use super::{redis_state::RedisNews, stream::Connection};
use crate::{
    api::live::get_live,
    components::{fault::LoadFault, listing::Loading, page::PageHeader},
    format::date_time,
    reading::reading,
};

#[component]
pub fn DashboardPage() -> impl IntoView {
    let first = reading(|| (), |()| get_live());
    view! {
        <Suspense fallback=Loading>
            {move || match first.get() {
                None => EitherOf3::A(()),
                Some(Ok(first)) => EitherOf3::B(view! { <Dashboard first /> }),
                Some(Err(error)) => EitherOf3::C(view! {
                    <PageHeader title="Dashboard" />
                    <LoadFault fault=error.to_string() retry=move || first.refetch() />
                }),
            }}
        </Suspense>
    }
}

#[component]
fn Dashboard(first: LiveStatus) -> impl IntoView {
    let at = first.at;
    let Feed { status, connection } = feed::follow(first);
    Effect::new(move |_| RedisNews::tell(status.with(|status| status.redis.clone())));
    view! {
        <PageHeader title="Dashboard">
            <ConnectionBadge connection at />
        </PageHeader>
        <div class="flex flex-col gap-6">
            <NeedsAttention status />
            <Totals status />
            <Charts status />
            <LimitsInUse status />
            <SlowRequests status />
            <Fleet status />
        </div>
    }
    .into_any()
}

/// Whether what is shown is of now. Without JavaScript it is of the moment `at` when the page was made, and stays so.
#[component]
fn ConnectionBadge(connection: ReadSignal<Connection>, at: u64) -> impl IntoView {
    let still = format!("As of {}", date_time(at));
    let word = move || match connection.get() {
        Connection::Still => still.clone(),
        Connection::Opening => "Connecting".to_owned(),
        Connection::Open => "Live".to_owned(),
        Connection::Lost => "Reconnecting".to_owned(),
    };
    let dot = move || match connection.get() {
        Connection::Still | Connection::Opening => "status status-neutral",
        Connection::Open => "status status-success",
        Connection::Lost => "status status-warning",
    };
    view! {
        <span role="status">
            <span class="badge badge-ghost whitespace-nowrap"><span class=dot aria-hidden="true"></span>{word}</span>
        </span>
    }
}
