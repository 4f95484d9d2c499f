//! Page: the backends, the Ollama servers behind the gateway.

mod add;
mod card;
mod edit;

use domain::{admin::Role, backend::BackendView};
use leptos::prelude::*;

use self::{add::AddBackendForm, card::BackendCard};
use crate::{
    api::backends::list_backends,
    components::{
        allowed::{NeedsRole, may},
        listing::Listing,
        page::PageHeader,
        refresh::{Behind, Refresh},
        rows::Rows,
    },
};

#[component]
pub fn BackendsPage() -> impl IntoView {
    let refresh = Refresh::new();
    let backends = Resource::new(move || refresh.count(), |_| list_backends());
    view! {
        <PageHeader title="Backends" />
        <Behind refresh />
        <NeedsRole role=Role::Operator to="change backends" />
        <div class="flex flex-col gap-6">
            <Listing list=backends refresh empty="No backend yet. Add the address of an Ollama below; its models appear by themselves." let:backends>
                <ul role="list" class="flex flex-col gap-3">
                    <Rows
                        items=backends key=|backend: &BackendView| backend.id.to_string()
                        row=move |backend| view! { <BackendCard backend refresh /> }
                    />
                </ul>
            </Listing>
            {may(Role::Operator).then(|| view! { <AddBackendForm refresh /> })}
        </div>
    }
}
