//! Endpoint protection: the closed table of endpoints by class, and which of them keys may reach by default.

use domain::{
    endpoint::{Endpoint, Group},
    settings::Sourced,
};
use leptos::prelude::*;

use super::typed;
use crate::{
    api::settings::StoreSettings,
    components::{action::FormAction, area::Choice, fault::field_fault},
};

const ALL_OR_NONE: &[(&str, &str)] = &[("yes", "All keys"), ("no", "No key")];
const BY_PERMISSION: &[(&str, &str)] = &[("no", "Keys with the permission"), ("yes", "All keys")];

#[component]
pub(super) fn EndpointProtection(
    save: FormAction<StoreSettings>,
    inference: Sourced<bool>,
    catalogue: Sourced<bool>,
    management: Sourced<bool>,
) -> impl IntoView {
    let choice = |label: &'static str,
                  name: &'static str,
                  value: Sourced<bool>,
                  options: &'static [(&'static str, &'static str)],
                  hint: &'static str| {
        let stored = if value.value { "yes" } else { "no" };
        view! {
            <Choice
                label name id=name value={typed(name, stored)} options hint fault=field_fault(save, name)
            />
        }
        .into_any()
    };
    let inference = choice(
        "Who may use models",
        "class_inference",
        inference,
        ALL_OR_NONE,
        "Within the models and limits of each key.",
    );
    let catalogue =
        choice("Who may list models", "class_catalogue", catalogue, ALL_OR_NONE, "A key sees only models it may use.");
    let management = choice(
        "Who may change models",
        "class_management",
        management,
        BY_PERMISSION,
        "The permission is given to a key or a user, on the user's page.",
    );
    view! {
        <fieldset class="card card-border border-base-300 bg-base-100 p-6">
            <legend class="sr-only">"Endpoint protection"</legend>
            <p class="mb-3 font-semibold" aria-hidden="true">"Endpoint protection"</p>
            <p class="mb-3 max-w-prose text-sm">
                "These are all endpoints there are; any other path, and any other spelling of these, is answered 404 and reaches no backend."
            </p>
            <div class="flex flex-col gap-5">
                <Row group=Group::Inference title="Inference">{inference}</Row>
                <Row group=Group::Catalogue title="Catalogue">{catalogue}</Row>
                <Row group=Group::Management title="Model management">{management}</Row>
                <Row group=Group::Own title="The gateway itself">
                    <p class="text-sm">"Answered by the gateway and never sent to a backend."</p>
                </Row>
                <Row group=Group::Never title="Accounts of backends">
                    <p class="text-sm">"Refused to every key: they would act with the account of whoever runs the backend. So are cloud models."</p>
                </Row>
            </div>
        </fieldset>
    }
    .into_any()
}

#[component]
fn Row(group: Group, title: &'static str, children: Children) -> impl IntoView {
    let paths = Endpoint::ALL.iter().filter(|endpoint| endpoint.group() == group);
    let paths = paths
        .map(|endpoint| view! { <li><code class="text-sm break-all">{endpoint.path()}</code></li> })
        .collect_view();
    view! {
        <div role="group" aria-label=title class="grid gap-x-6 gap-y-2 border-t border-base-300 pt-4 md:grid-cols-2">
            <div>
                <p class="mb-1 text-sm font-medium">{title}</p>
                <ul class="flex flex-wrap gap-x-4 gap-y-1 text-muted">{paths}</ul>
            </div>
            <div>{children()}</div>
        </div>
    }
    .into_any()
}
