//! Page: the models of the whole fleet, or one of them with all backends that have it and what can be done to it there.
//! What is asked for stands in the address, so that links and the back button lead to it, and works without scripts.

mod acts;
mod filter;
pub(in crate::pages) mod keep;
mod one;
pub(in crate::pages) mod row;

use domain::{
    admin::Role,
    models::{AskModels, ModelsPage as Page},
};
use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_query_map};

use self::{acts::Actions, filter::FilterForm, keep::Told, one::one, row::row};
use crate::{
    api::models::read_models,
    components::{
        allowed::{NeedsRole, may},
        fault::LoadFault,
        listing::Loading,
        page::{Empty, PageHeader},
        refresh::{Behind, Refresh},
    },
    error::AppError,
    format::{number, plural, visible},
    reading::reading,
    session::encode_query_value,
};

const HERE: &str = "/admin/models";

type Found = Memo<Option<Result<Page, AppError>>>;

#[component]
pub fn ModelsPage() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        let mut asked = AskModels::default();
        query.with(|query| {
            for name in AskModels::FIELDS {
                asked.set(name, query.get(name).unwrap_or_default());
            }
        });
        asked
    });
    let refresh = Refresh::new();
    let page = reading(move || (asked.get(), refresh.count()), |(asked, _)| read_models(asked));
    let actions = Actions::new(refresh);
    let model = Memo::new(move |_| asked.with(|asked| asked.model.clone()));
    view! {
        {move || header(&model.get())}
        <Behind refresh />
        <NeedsRole role=Role::Operator to="load, copy or delete models" />
        <Told told=actions.told pending=actions.pending faults=actions.faults() />
        <Transition fallback=Loading>
            {
                let found = Memo::new(move |_| page.get());
                view! {
                    <div class:hidden=move || !model.with(String::is_empty)>
                        <FilterForm asked found />
                    </div>
                    {move || found.get()?.err().map(|fault| view! { <LoadFault fault=fault.to_string() retry=move || refresh.again() /> })}
                    {move || shown(asked, found, actions)}
                }
            }
        </Transition>
    }
    .into_any()
}

fn header(model: &str) -> AnyView {
    if model.is_empty() {
        let pull = may(Role::Operator).then(|| view! { <a class="btn btn-sm" href="/admin/pulls">"Pull a model"</a> });
        return view! { <PageHeader title="Models">{pull}</PageHeader> }.into_any();
    }
    let name = visible(model);
    let [usage, requests, playground] =
        ["usage", "requests", "playground"].map(|page| format!("/admin/{page}?model={}", encode_query_value(model)));
    let (pull, update) = (pull_address(model, ""), pull_address(model, "&update=1"));
    view! {
        <nav aria-label="Breadcrumb" class="breadcrumbs mb-2 text-sm">
            <ul><li><A href=HERE>"Models"</A></li><li aria-current="page">"Model"</li></ul>
        </nav>
        <PageHeader title=name>
            {may(Role::Operator).then(|| [(pull, "Pull to more backends"), (update, "Update everywhere")].map(|(to, words)| {
                view! { <a class="btn btn-sm" href=to>{words}</a> }
            }))}
            <a class="btn btn-sm" href=usage>"Usage"</a>
            <a class="btn btn-sm" href=requests>"Requests"</a>
            <a class="btn btn-sm" href=playground>"Playground"</a>
        </PageHeader>
    }
    .into_any()
}

/// The address of this page.
fn address(asked: &AskModels) -> String {
    let pairs = asked.pairs().into_iter().map(|(name, value)| format!("{name}={}", encode_query_value(&value)));
    let pairs: Vec<String> = pairs.collect();
    if pairs.is_empty() { HERE.to_owned() } else { format!("{HERE}?{}", pairs.join("&")) }
}

/// The address of one model, where `backend` is the one that is meant first.
pub(in crate::pages) fn address_of(model: &str, backend: &str) -> String {
    address(&AskModels { model: model.to_owned(), backend: backend.to_owned(), ..AskModels::default() })
}

/// Where a model is pulled. `rest` says where to: `&backend=ID`, or `&update=1` for all that have it.
pub(in crate::pages) fn pull_address(model: &str, rest: &str) -> String {
    format!("/admin/pulls?model={}{rest}", encode_query_value(model))
}

fn shown(asked: Memo<AskModels>, found: Found, actions: Actions) -> Option<AnyView> {
    let page = found.get()?.ok()?;
    let asked = asked.get_untracked();
    if !asked.model.is_empty() {
        return Some(one(&asked, page.one, actions));
    }
    let (all, drifting) = (plural(page.all, "model"), page.drifting);
    let count = if page.fitting == page.all { all } else { format!("{} of {all}", number(page.fitting)) };
    let drift = (drifting > 0).then(|| {
        let text = match drifting {
            1 => "1 name means different models on different backends".to_owned(),
            many => format!("{} names mean different models on different backends", number(many)),
        };
        let to = address(&AskModels { show: "drift".into(), ..AskModels::default() });
        view! {
            <p role="note" class="alert alert-warning alert-soft mb-4">
                <span>{text}". " <A href=to attr:class="link">"Show which"</A></span>
            </p>
        }
    });
    let rest = if page.rows.is_empty() {
        nothing(&page, &asked)
    } else {
        let rows = page.rows.iter().map(|model| row(model, &address_of(&model.name, &asked.backend)));
        let list = view! {
            <ul aria-label="Models" class="divide-y divide-base-300 overflow-hidden rounded-box border border-base-300 bg-base-100">{rows.collect_view()}</ul>
        };
        view! { <p class="mb-2 text-sm text-muted">{count}</p> {list} {further(&page, &asked)} }.into_any()
    };
    Some(view! { {drift} {rest} }.into_any())
}

fn nothing(page: &Page, asked: &AskModels) -> AnyView {
    let (to, words) = match () {
        () if asked.is_narrow() => (HERE, "Show all models"),
        () if page.backends.is_empty() => ("/admin/backends", "Add a backend"),
        () => ("/admin/backends", "Backends"),
    };
    let text = page.next.clone();
    view! {
        <Empty text />
        <p class="mt-3 text-center"><a href=to class="link">{words}</a></p>
    }
    .into_any()
}

/// The ways to the pages before and after.
fn further(page: &Page, asked: &AskModels) -> Option<AnyView> {
    let to = |page: u64| {
        let page = if page == 1 { String::new() } else { page.to_string() };
        address(&AskModels { page, ..asked.clone() })
    };
    pages(page, &to)
}

/// The same for any list of models.
pub(in crate::pages) fn pages(page: &Page, to: &dyn Fn(u64) -> String) -> Option<AnyView> {
    let Page { page, pages, .. } = *page;
    let link = |there: bool, at: u64, words: &'static str| {
        there.then(|| view! { <A href=to(at) attr:class="btn btn-sm">{words}</A> })
    };
    (pages > 1).then(|| {
        view! {
            <nav aria-label="Pages of models" class="mt-4 flex flex-wrap items-center gap-2">
                {link(page > 1, page.saturating_sub(1), "Previous")}
                {link(page < pages, page + 1, "Next")}
                <span class="text-sm text-muted">{format!("Page {} of {}", number(page), number(pages))}</span>
            </nav>
        }
        .into_any()
    })
}
