//! One model: every backend that has it, with what can be done to it there.

use domain::{
    admin::Role,
    models::{AskModels, Holder, ModelRow},
};
use leptos::prelude::*;
use leptos_router::components::A;

use super::{
    acts::{Actions, several},
    keep::{has_commands, keep_form},
    pull_address,
    row::{about, drift, warmth},
};
use crate::{
    components::{allowed::may, page::Empty},
    format::{plural, visible},
};

pub(super) fn one(asked: &AskModels, model: Option<ModelRow>, actions: Actions) -> AnyView {
    let Some(model) = model else {
        return view! {
            <Empty text="No backend has this model now. Pull it, or look at the models there are." />
            <div class="mt-3 flex justify-center"><A href=super::HERE attr:class="btn btn-sm">"All models"</A></div>
        }
        .into_any();
    };
    let rows = model.on.iter().map(|holder| place(&model.name, holder, actions));
    view! {
        <div class="flex flex-col gap-6">
            <div class="flex flex-col gap-3">{about(&model)}{drift(&model.versions)}</div>
            <section aria-labelledby="places">
                <h2 id="places" class="mb-3 text-lg font-semibold">"On " {plural(model.on.len() as u64, "backend")}</h2>
                <ul role="list" class="divide-y divide-base-300 overflow-hidden rounded-box border border-base-300 bg-base-100">{rows.collect_view()}</ul>
            </section>
            {may(Role::Operator).then(|| several(&model, &asked.backend, actions))}
        </div>
    }
    .into_any()
}

/// Leads to where one backend's copy is brought up to date.
fn update(model: &str, holder: &Holder) -> Option<AnyView> {
    let to = pull_address(model, &format!("&backend={}", holder.id));
    let of = format!(" {} on {}", visible(model), visible(&holder.name));
    has_commands(holder)
        .then(|| view! { <a class="btn btn-sm" href=to>"Update"<span class="sr-only">{of}</span></a> }.into_any())
}

fn place(model: &str, holder: &Holder, actions: Actions) -> AnyView {
    let (dot, text) = warmth(holder);
    let facts = [holder.size.clone(), visible(&holder.digest)];
    let facts: Vec<String> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    let name = visible(&holder.name);
    let page = format!("/admin/backends/{}", holder.id);
    let acts = may(Role::Operator).then(|| {
        view! { {update(model, holder)} {keep_form(model, holder, actions.keep)} }
    });
    view! {
        <li aria-label=visible(&holder.name) class="flex flex-wrap items-center gap-x-6 gap-y-2 px-4 py-3">
            <div class="min-w-0 grow basis-64">
                <A href=page attr:class="link font-medium break-all">{name}</A>
                <p class="text-sm break-words"><span class=dot aria-hidden="true"></span>" "{text}</p>
                <p class="text-xs break-words text-muted">{facts.join(" · ")}</p>
            </div>
            <div class="flex flex-wrap gap-2">{acts}</div>
        </li>
    }
    .into_any()
}
