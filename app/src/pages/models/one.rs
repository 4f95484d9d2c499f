//! One model: every backend that has it, with what can be done to it there.

use domain::{
    admin::Role,
    models::{AskModels, Holder, ModelRow},
};
use leptos::prelude::*;
use leptos_router::components::A;

use super::{
    acts::{Actions, several},
    keep::keep_form,
    row::{about, drift, warmth},
};
use crate::{
    components::{allowed::may, page::Empty},
    format::{plural, visible},
    session::encode_query_value,
};

pub(super) fn one(asked: &AskModels, model: Option<ModelRow>, actions: Actions) -> AnyView {
    let pull = |words: &'static str, backend: Option<&str>| {
        let backend = backend.map(|id| format!("&backend={id}")).unwrap_or_default();
        let to = format!("/admin/pulls?model={}{backend}", encode_query_value(&asked.model));
        may(Role::Operator).then(|| view! { <a class="btn btn-sm" href=to>{words}</a> }.into_any())
    };
    let Some(model) = model else {
        return view! {
            <Empty text="No backend has this model now. Pull it onto one, or look at the models there are." />
            <div class="mt-3 flex justify-center gap-3">{pull("Pull it", None)}<A href=super::HERE attr:class="btn btn-sm">"All models"</A></div>
        }
        .into_any();
    };
    let rows = model.on.iter().map(|holder| {
        let update = (!holder.foreign).then(|| pull("Update", Some(holder.id.as_str()))).flatten();
        place(&model.name, holder, actions, update)
    });
    view! {
        <div class="flex flex-col gap-6">
            <div class="flex flex-col gap-3">{about(&model)}{drift(&model.versions)}</div>
            <section aria-labelledby="places">
                <div class="mb-3 flex flex-wrap items-center justify-between gap-3">
                    <h2 id="places" class="text-lg font-semibold">"On " {plural(model.on.len() as u64, "backend")}</h2>
                    {pull("Pull to another backend", None)}
                </div>
                <ul role="list" class="divide-y divide-base-300 overflow-hidden rounded-box border border-base-300 bg-base-100">{rows.collect_view()}</ul>
            </section>
            {may(Role::Operator).then(|| several(&model, &asked.backend, actions))}
        </div>
    }
    .into_any()
}

fn place(model: &str, holder: &Holder, actions: Actions, update: Option<AnyView>) -> AnyView {
    let (dot, text) = warmth(holder);
    let facts = [holder.size.clone(), visible(&holder.digest)];
    let facts: Vec<String> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    let name = visible(&holder.name);
    let page = format!("/admin/backends/{}", holder.id);
    let acts = may(Role::Operator).then(|| keep_form(model, holder, actions.keep));
    view! {
        <li aria-label=visible(&holder.name) class="flex flex-wrap items-center gap-x-6 gap-y-2 px-4 py-3">
            <div class="min-w-0 grow basis-64">
                <A href=page attr:class="link font-medium break-all">{name}</A>
                <p class="text-sm break-words"><span class=dot aria-hidden="true"></span>" "{text}</p>
                <p class="text-xs break-words text-muted">{facts.join(" · ")}</p>
            </div>
            <div class="flex flex-wrap gap-2">{acts}{update}</div>
        </li>
    }
    .into_any()
}
