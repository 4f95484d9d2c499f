//! Endpoint protection: the closed table of endpoints by class, and which of them keys may reach by default.

use domain::{
    endpoint::{Endpoint, Group},
    settings::Sourced,
};
use leptos::prelude::*;

use super::{
    setting::{GroupOf, Place, Shown, Unit, guide},
    typed,
};
use crate::components::area::Choice;

const ALL_OR_NONE: &[(&str, &str)] = &[("yes", "All keys"), ("no", "No key")];
const BY_PERMISSION: &[(&str, &str)] = &[("no", "Keys with the permission"), ("yes", "All keys")];

#[component]
pub(super) fn EndpointProtection(
    shown: Shown,
    inference: Sourced<bool>,
    catalogue: Sourced<bool>,
    management: Sourced<bool>,
) -> impl IntoView {
    let choice = move |name: &'static str, value: Sourced<bool>, options: &'static [(&'static str, &'static str)]| {
        let value = typed(name, if value.value { "yes" } else { "no" });
        view! {
                <Unit name><Place shown name>
                    <Choice label=guide(name).label name id=name value options hint={shown.hint(name, "")} fault={shown.fault(name)} />
                </Place></Unit>
            }
            .into_any()
    };
    let inference = choice("class_inference", inference, ALL_OR_NONE);
    let catalogue = choice("class_catalogue", catalogue, ALL_OR_NONE);
    let management = choice("class_management", management, BY_PERMISSION);
    view! {
        <GroupOf shown id="protection">
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
        </GroupOf>
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
