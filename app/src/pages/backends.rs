//! Page: the backends, the Ollama servers behind the gateway.

mod add;
mod card;
mod edit;

use domain::backend::BackendView;
use leptos::prelude::*;

use self::{add::AddBackendForm, card::BackendCard};
use crate::{
    api::backends::{ChangeBackend, RemoveBackend, SwitchBackend, list_backends},
    components::{action::plain_fault, fault::Fault, listing::Listing, page::PageHeader, rows::Rows},
};

#[component]
pub fn BackendsPage() -> impl IntoView {
    let refresh = RwSignal::new(0);
    let backends = Resource::new(move || refresh.get(), |_| list_backends());
    view! {
        <PageHeader title="Backends" />
        <div class="flex flex-col gap-6">
            <Fault fault={plain_fault::<SwitchBackend>()} />
            <Fault fault={plain_fault::<ChangeBackend>()} />
            <Fault fault={plain_fault::<RemoveBackend>()} />
            <Listing list=backends empty="No backend yet. Add the address of an Ollama below; its models appear by themselves." let:backends>
                <ul role="list" class="flex flex-col gap-3">
                    <Rows
                        items=backends key=|backend: &BackendView| backend.id.to_string()
                        row=move |backend| view! { <BackendCard backend refresh /> }
                    />
                </ul>
            </Listing>
            <AddBackendForm refresh />
        </div>
    }
}
