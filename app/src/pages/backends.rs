//! Page: the backends, the Ollama servers behind the gateway.

mod add;
pub(in crate::pages) mod card;
mod edit;
pub(in crate::pages) mod share;
pub(in crate::pages) mod timeouts;

use domain::{admin::Role, backend::BackendView};
use leptos::prelude::*;
use leptos_router::components::A;
use serde::Deserialize;

use self::{add::AddBackendForm, card::BackendCard};
use super::dashboard::feed;
use crate::{
    api::backends::list_backends,
    components::{
        allowed::{NeedsRole, may},
        listing::Listing,
        page::PageHeader,
        refresh::{Behind, Refresh},
        rows::Rows,
    },
    reading::reading,
};

/// What this page reads of the stream.
#[derive(Default, Deserialize)]
struct Status {
    backends: Vec<BackendView>,
}

#[component]
pub fn BackendsPage() -> impl IntoView {
    let refresh = Refresh::new();
    let backends = reading(move || refresh.count(), |_| list_backends());
    let live = feed::follow(Status::default()).status;
    view! {
        <PageHeader title="Backends">
            <A href="/admin/backends/upgrade" attr:class="btn btn-sm">"Rolling upgrade"</A>
        </PageHeader>
        <Behind refresh />
        <NeedsRole role=Role::Operator to="change backends" />
        <div class="flex flex-col gap-6">
            <Listing list=backends refresh empty="No backend yet. Add the address of an Ollama below; its models appear by themselves." let:backends>
                <ul role="list" class="flex flex-col gap-3">
                    <Rows
                        items=Signal::derive(move || live.with(|live| backends.with(|backends| as_of_now(backends, live)))) key=|backend: &BackendView| backend.id.to_string()
                        row=move |backend| view! { <BackendCard backend refresh /> }
                    />
                </ul>
            </Listing>
            {may(Role::Operator).then(|| view! { <AddBackendForm refresh /> })}
        </div>
    }
}

/// The list as it was read, with what changes from moment to moment as the live status has it. Where that is of a moment
/// before the last change, it is left out.
fn as_of_now(backends: &[BackendView], live: &Status) -> Vec<BackendView> {
    let now = |backend: &BackendView| {
        let marks = |view: &BackendView| (view.id.clone(), view.url.clone(), view.enabled, view.draining);
        let Some(live) = live.backends.iter().find(|view| marks(view) == marks(backend)) else {
            return backend.clone();
        };
        BackendView {
            state: live.state,
            models: live.models.clone(),
            version: live.version.clone(),
            in_flight: live.in_flight,
            last_error: live.last_error.clone(),
            limit: live.limit,
            breakers: live.breakers.clone(),
            certificate_end: live.certificate_end,
            certificate_ends_soon: live.certificate_ends_soon,
            ..backend.clone()
        }
    };
    backends.iter().map(now).collect()
}

#[cfg(test)]
mod tests {
    use domain::{backend::BackendState, id::BackendId};

    use super::*;

    #[test]
    fn the_live_status_goes_into_the_list_unless_it_is_of_before() {
        let id = BackendId::new("0123456789ab").unwrap();
        let stored =
            BackendView { draining: true, weight: 3, ..BackendView::new(id, "gpu".into(), "http://gpu".into()) };
        let seen = BackendView { state: BackendState::Draining, in_flight: 2, weight: 1, ..stored.clone() };
        let live = |view: &BackendView| Status { backends: vec![view.clone()] };
        let now = as_of_now(std::slice::from_ref(&stored), &live(&seen));
        assert_eq!((now[0].state, now[0].in_flight, now[0].weight), (BackendState::Draining, 2, 3));
        let before = BackendView { draining: false, state: BackendState::Up, ..seen };
        let now = as_of_now(std::slice::from_ref(&stored), &live(&before));
        assert_eq!(now, std::slice::from_ref(&stored));
        assert_eq!(as_of_now(std::slice::from_ref(&stored), &Status::default()), [stored]);
    }
}
