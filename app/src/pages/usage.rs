//! Page: what was used, over time and by whom or what. What is asked for stands in the address, so that links and the back
//! button lead to it, and works without scripts. Numbers come from the server as they are shown.

pub(in crate::pages) mod charts;
mod filter;
mod links;
mod shown;
mod tables;

use domain::usage::page::{AskUsage, Chosen, USUAL_RANGE, UsagePage as Page};
use js_sys::{Array, Function, Reflect};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};
use wasm_bindgen::{JsCast, JsValue};

use self::{
    filter::{FilterForm, Ranges},
    links::{address, file},
    shown::Shown,
};
use crate::{
    api::usage::read_usage,
    components::{fault::LoadFault, listing::Loading, page::PageHeader, refresh::Refresh},
    error::AppError,
    format::visible,
    reading::reading,
};

const HERE: &str = "/admin/usage";

type Found = Memo<Option<Result<Page, AppError>>>;

#[component]
pub fn UsagePage() -> impl IntoView {
    let asked = follow_address();
    let refresh = Refresh::new();
    let page = reading(move || (asked.get(), refresh.count()), |(asked, _)| read_usage(asked));
    view! {
        <Transition fallback=Loading>
            {
                let found = Memo::new(move |_| page.get());
                view! {
                    <Header found />
                    <Ranges asked />
                    <FilterForm asked found />
                    {move || found.get()?.err().map(|fault| view! { <LoadFault fault=fault.to_string() retry=move || refresh.again() /> })}
                    <Shown asked found />
                }
            }
        </Transition>
    }
    .into_any()
}

/// What the address asks for. Where it names no time zone, the browser's is put into it once the page is alive: the server
/// knows no reader's zone, and the first page has to be drawn as it came.
fn follow_address() -> Memo<AskUsage> {
    let query = use_query_map();
    let from_server = Owner::current_shared_context().is_some_and(|shared| shared.during_hydration());
    let begins_here = cfg!(target_family = "wasm") && !from_server;
    let zone = RwSignal::new(if begins_here { browser_zone() } else { String::new() });
    let asked = Memo::new(move |_| {
        let mut asked = AskUsage::default();
        query.with(|query| {
            for name in AskUsage::FIELDS {
                asked.set(name, query.get(name).unwrap_or_default());
            }
        });
        if asked.zone.is_empty() {
            asked.zone = zone.get();
        }
        asked
    });
    let navigate = use_navigate();
    Effect::new(move |_| {
        zone.set(browser_zone());
        let named = query.with(|query| query.get("zone").is_some_and(|zone| !zone.is_empty()));
        if !named && asked.with_untracked(|asked| !asked.zone.is_empty()) {
            let to = asked.with_untracked(address);
            navigate(&to, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
        }
    });
    asked
}

/// The browser's time zone, empty for UTC and where it does not say: `Intl.DateTimeFormat().resolvedOptions().timeZone`.
fn browser_zone() -> String {
    let read = || -> Result<JsValue, JsValue> {
        let intl = Reflect::get(&js_sys::global(), &"Intl".into())?;
        let format = Reflect::get(&intl, &"DateTimeFormat".into())?.dyn_into::<Function>()?;
        let format = Reflect::construct(&format, &Array::new())?;
        let options = Reflect::get(&format, &"resolvedOptions".into())?.dyn_into::<Function>()?;
        Reflect::get(&options.call0(&format)?, &"timeZone".into())
    };
    let zone = read().ok().and_then(|zone| zone.as_string()).unwrap_or_default();
    if zone == "UTC" { String::new() } else { zone }
}

/// What the page is called, the way back, and the page as a file.
#[component]
fn Header(found: Found) -> impl IntoView {
    let whose = Memo::new(move |_| {
        found.with(|found| {
            let chosen = &found.as_ref()?.as_ref().ok()?.shown.as_ref()?.chosen;
            chosen
                .iter()
                .find(|chosen| chosen.field == "key")
                .or_else(|| chosen.iter().find(|chosen| chosen.field == "user"))
                .cloned()
        })
    });
    let export = move |format: &'static str| {
        found.with(|found| {
            let shown = found.as_ref()?.as_ref().ok()?.shown.as_ref()?;
            Some(file(&shown.query, format))
        })
    };
    // Not before it is known whose usage it is: the heading takes the focus once.
    let is_found = Memo::new(move |_| found.with(Option::is_some));
    move || {
        let whose = whose.get();
        is_found.get().then(|| {
            view! {
                {whose.as_ref().map(back)}
                <PageHeader title=whose.as_ref().map_or_else(|| "Usage".to_owned(), title)>
                    <a class="btn btn-sm" download="" href=move || export("csv")>"Export CSV"</a>
                    <a class="btn btn-sm" download="" href=move || export("jsonl")>"Export JSON lines"</a>
                </PageHeader>
            }
            .into_any()
        })
    }
}

fn title(whose: &Chosen) -> String {
    let removed = if whose.of.removed { " (removed)" } else { "" };
    format!("Usage of {} {}{removed}", whose.field, visible(&whose.of.name))
}

/// The way to the user that it is about, or whose key it is about.
fn back(whose: &Chosen) -> AnyView {
    let page = whose.owner.clone().map(|user| {
        let name = if whose.field == "user" { "This user" } else { "The user of this key" };
        view! { <li><a href=format!("/admin/users/{user}")>{name}</a></li> }
    });
    view! {
        <nav aria-label="Breadcrumb" class="breadcrumbs mb-2 text-sm">
            <ul>
                <li><a href="/admin/users">"Users"</a></li>
                {page}
                <li><a href=HERE>"All usage"</a></li>
            </ul>
        </nav>
    }
    .into_any()
}

/// The range that is in force; `None` where days are given.
fn range(asked: &AskUsage) -> Option<&str> {
    let own = !asked.from.is_empty() || !asked.to.is_empty();
    (!own).then_some(if asked.range.is_empty() { USUAL_RANGE } else { &asked.range })
}
