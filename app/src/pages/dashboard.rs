//! Page: the fleet, live. The first picture comes with the page, every later one over the event stream.

mod charts;
mod feed;
mod fleet;
#[cfg(test)]
mod tests;
mod totals;

use domain::live::LiveStatus;
use leptos::{either::EitherOf3, prelude::*};

use self::{
    charts::Charts,
    feed::{Connection, Feed},
    fleet::Fleet,
    totals::Totals,
};
use crate::{
    api::live::get_live,
    components::{badge::Badge, fault::Fault, listing::Loading, page::PageHeader},
    format::{plural, sentence},
};

#[component]
pub fn DashboardPage() -> impl IntoView {
    let first = Resource::new(|| (), |()| get_live());
    view! {
        <Suspense fallback=Loading>
            {move || match first.get() {
                None => EitherOf3::A(()),
                Some(Ok(first)) => EitherOf3::B(view! { <Dashboard first /> }),
                Some(Err(error)) => EitherOf3::C(view! {
                    <PageHeader title="Dashboard" />
                    <Fault fault=Some(error.to_string()) />
                }),
            }}
        </Suspense>
    }
}

#[component]
fn Dashboard(first: LiveStatus) -> impl IntoView {
    let Feed { status, connection } = feed::follow(first);
    view! {
        <PageHeader title="Dashboard">
            <ConnectionBadge connection />
        </PageHeader>
        <div class="flex flex-col gap-6">
            <Warnings status />
            <Totals status />
            <Charts status />
            <Fleet status />
        </div>
    }
    .into_any()
}

/// Whether what is shown is of now.
#[component]
fn ConnectionBadge(connection: ReadSignal<Connection>) -> impl IntoView {
    let look = move || match connection.get() {
        Connection::Opening => ("Connecting", "status status-neutral"),
        Connection::Open => ("Live", "status status-success"),
        Connection::Lost => ("Reconnecting", "status status-warning"),
    };
    view! { <span role="status"><Badge look=Signal::derive(look) /></span> }
}

/// What an administrator has to know before anything else.
#[component]
fn Warnings(status: ReadSignal<LiveStatus>) -> impl IntoView {
    let read_only = Memo::new(move |_| status.with(|status| status.read_only.clone()));
    let dropped = Memo::new(move |_| status.with(|status| status.usage_dropped));
    view! {
        {move || {
            read_only
                .get()
                .map(|reason| {
                    view! {
                        <div role="alert" class="alert alert-error">
                            <span>
                                "The store cannot be written: " {sentence(&reason)}
                                " Requests are still answered; changes are refused and usage is not recorded."
                            </span>
                        </div>
                    }
                })
        }}
        {move || {
            Some(dropped.get())
                .filter(|dropped| *dropped > 0)
                .map(|dropped| {
                    view! {
                        <div role="alert" class="alert alert-warning">
                            <span>{plural(dropped, "usage record")} " dropped since the start: the store was too slow. The numbers below are too low."</span>
                        </div>
                    }
                })
        }}
    }
    .into_any()
}
