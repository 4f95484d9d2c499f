//! Page: the aliases, names that stand for models, and the model `auto`.

mod auto;
mod card;
mod forms;

use domain::{admin::Role, alias::AliasView};
use leptos::{ev::SubmitEvent, prelude::*};

use self::{auto::AutoSection, card::AliasCard, forms::AddAliasForm};
use crate::{
    api::aliases::list_aliases,
    components::{
        allowed::{NeedsRole, may},
        listing::Listing,
        page::PageHeader,
        refresh::{Behind, Refresh},
        rows::Rows,
    },
    reading::reading,
};

#[component]
pub fn AliasesPage() -> impl IntoView {
    let refresh = Refresh::new();
    let aliases = reading(move || refresh.count(), |_| list_aliases());
    let look = move |event: SubmitEvent| {
        event.prevent_default();
        refresh.again();
    };
    view! {
        <PageHeader title="Aliases">
            // Without scripts it loads the page again.
            <form method="get" on:submit=look><button type="submit" class="btn btn-sm">"Look again"</button></form>
        </PageHeader>
        <p class="-mt-3 mb-6 max-w-prose text-pretty text-muted">
            "A name that clients ask for, and the models it stands for. A request goes to the first of them that its key may use and a backend can take."
        </p>
        <Behind refresh />
        <NeedsRole role=Role::Operator to="change aliases" />
        <div class="flex flex-col gap-6">
            <Listing list=aliases refresh empty="No alias yet. Add one below, for example fast for llama3.2:3b and then phi4: clients ask for fast from then on, and you change here what that is." let:aliases>
                <ul role="list" class="flex flex-col gap-3">
                    <Rows items=aliases key=|alias: &AliasView| alias.name.clone() row=move |alias| view! { <AliasCard alias refresh /> } />
                </ul>
            </Listing>
            {may(Role::Operator).then(|| view! { <AddAliasForm refresh /> })}
            <AutoSection refresh />
        </div>
    }
}
