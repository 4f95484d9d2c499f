//! The backend's models, those in its memory first, with what can be done to them here.

use domain::{
    admin::Role,
    models::{AskBackend, BackendPage as Page, ModelRow},
};
use leptos::prelude::*;
use leptos_router::components::A;

use crate::{
    api::models::SendKeep,
    components::{
        action::{AnyAction, action, refresh_after},
        allowed::may,
        page::Empty,
        refresh::Refresh,
    },
    format::{number, plural, visible},
    pages::models::{
        address_of,
        keep::{Told, follow, has_commands, keep_form},
        pages, pull_address,
        row::{about, drift, warmth},
    },
};

#[component]
pub(super) fn Models(asked: Memo<AskBackend>, page: Memo<Page>, refresh: Refresh) -> impl IntoView {
    let keep: AnyAction = action::<SendKeep>().into();
    refresh_after(keep, refresh);
    let told = follow(&[keep]);
    let models = Memo::new(move |_| page.with(|page| page.models.clone()));
    let id = asked.with_untracked(|asked| asked.id.clone());
    let (all, pull) = (format!("/admin/models?backend={id}"), format!("/admin/pulls?backend={id}"));
    view! {
        <section aria-labelledby="models" class="flex flex-col gap-3">
            <div class="flex flex-wrap items-center justify-between gap-3">
                <h2 id="models" class="text-lg font-semibold">"Models "<span class="text-muted">{move || number(models.with(|models| models.fitting))}</span></h2>
                <div class="flex flex-wrap gap-2">
                    {may(Role::Operator).then(|| view! { <a class="btn btn-sm" href=pull>"Pull a model"</a> })}
                    <A href=all attr:class="btn btn-sm">"Search and sort"</A>
                </div>
            </div>
            <Told told pending=keep.pending() faults=vec![(keep, &[][..])] />
            {move || models.with(|models| {
                if models.rows.is_empty() {
                    return view! { <Empty text=models.next.clone() /> }.into_any();
                }
                let asked = asked.get_untracked();
                let rows = models.rows.iter().map(|model| row(model, &asked.id, keep));
                let to = |page: u64| format!("/admin/backends/{}?page={page}", asked.id);
                view! {
                    <ul aria-label="Its models" class="divide-y divide-base-300 overflow-hidden rounded-box border border-base-300 bg-base-100">{rows.collect_view()}</ul>
                    {pages(models, &to)}
                }
                .into_any()
            })}
        </section>
    }
    .into_any()
}

fn row(model: &ModelRow, backend: &str, keep: AnyAction) -> AnyView {
    let to = address_of(&model.name, backend);
    let pull = pull_address(&model.name, &format!("&backend={backend}"));
    let (name, of) = (visible(&model.name), visible(&model.name));
    let here_has = model.on.first().is_some_and(has_commands);
    let here = model.on.first().map(|holder| {
        let (dot, text) = warmth(holder);
        let acts = may(Role::Operator).then(|| keep_form(&model.name, holder, keep));
        view! { <p class="text-sm break-words"><span class=dot aria-hidden="true"></span>" "{text}</p> <div class="mt-2">{acts}</div> }
    });
    let copies = model.versions.iter().map(|version| version.on.len() as u64 + version.more).sum::<u64>();
    let others = (copies > 1)
        .then(|| view! { <p class="text-xs text-muted">"On "{plural(copies, "backend")}" of the fleet"</p> });
    view! {
        <li aria-label=visible(&model.name) class="grid gap-x-6 gap-y-2 px-4 py-3 md:grid-cols-2">
            <div class="min-w-0">
                <A href=to.clone() attr:class="link font-medium break-all">{name}</A>
                {about(model)}{others}
            </div>
            <div class="min-w-0">
                {here}
                {may(Role::Operator).then(|| view! {
                    <span class="mt-1 flex flex-wrap gap-x-4">
                        {here_has.then(|| view! { <a class="link py-0.5 text-sm" href=pull>"Update"<span class="sr-only">" "{of.clone()}</span></a> })}
                        <A href=to attr:class="link py-0.5 text-sm">"Copy, delete"<span class="sr-only">" "{of}</span></A>
                    </span>
                })}
            </div>
            {drift(&model.versions)}
        </li>
    }
    .into_any()
}
