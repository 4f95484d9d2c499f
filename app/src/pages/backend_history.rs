//! Page: what one backend did over the last day or week, in a few numbers and charts. It is apart from the backend's own page,
//! whose code is large enough without charts.

use domain::models::{AskHistory, Did, History};
use leptos::prelude::*;
use leptos_router::{
    components::A,
    hooks::{use_params_map, use_query_map},
};

use super::usage::charts::charts;
use crate::{
    api::backends::get_history,
    components::{
        fault::LoadFault,
        listing::Loading,
        page::{Empty, PageHeader},
    },
    format::{number, visible},
    reading::reading,
    visit,
};

/// Stretches by their words in the address.
const RANGES: [(&str, &str); 2] = [("", "24 hours"), ("7d", "7 days")];

#[component]
pub fn HistoryPage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let asked = Memo::new(move |_| AskHistory {
        id: params.with(|params| params.get("id").unwrap_or_default()),
        range: query.with(|query| query.get("range").unwrap_or_default()),
    });
    let read = reading(move || asked.get(), get_history);
    let shown = move || {
        let asked = asked.get_untracked();
        match read.get()? {
            Ok(history) => Some(whole(&history, &asked)),
            Err(error) => {
                visit::answer_with(&error);
                let fault = error.to_string();
                Some(
                    view! { <PageHeader title="History" /> <LoadFault fault retry=move || read.refetch() /> }
                        .into_any(),
                )
            }
        }
    };
    let back = move || format!("/admin/backends/{}", asked.with(|asked| asked.id.clone()));
    view! {
        <nav aria-label="Breadcrumb" class="breadcrumbs mb-2 text-sm">
            <ul>
                <li><A href="/admin/backends">"Backends"</A></li>
                <li><A href=back>"Backend"</A></li>
                <li aria-current="page">"History"</li>
            </ul>
        </nav>
        <Transition fallback=Loading>{shown}</Transition>
    }
    .into_any()
}

fn whole(history: &History, asked: &AskHistory) -> AnyView {
    let name = format!("History of {}", visible(&history.name));
    let links = [("/admin/requests", &history.log, "Requests"), ("/admin/usage", &history.usage, "Usage")]
        .map(|(at, query, words)| view! { <a class="btn btn-sm" href=format!("{at}?{query}")>{words}</a> })
        .collect_view();
    let ranges = RANGES.map(|(range, words)| {
        let here = asked.range == range || range.is_empty() && asked.range == "24h";
        let class = if here { "btn btn-sm btn-active" } else { "btn btn-sm" };
        let query = if range.is_empty() { String::new() } else { format!("?range={range}") };
        let to = format!("/admin/backends/{}/history{query}", asked.id);
        view! { <A href=to scroll=false attr:class=class attr:aria-current=here.then_some("true")>{words}</A> }
    });
    let shown = if history.did.requests == 0 {
        view! { <Empty text="No request went there in this time. What it answers shows here a second after it ended." /> }.into_any()
    } else {
        view! {
            {numbers(&history.did)}
            {charts(&history.charts, &history.labels, &format!("/admin/usage/export?format=csv&{}", history.file))}
            <p class="text-sm text-muted">"Times are of UTC. The Usage page shows the same in your time zone, and for longer."</p>
        }
        .into_any()
    };
    view! {
        <PageHeader title=name>{links}</PageHeader>
        <div class="flex flex-col gap-4">
            <nav aria-label="Range" class="flex gap-2">{ranges.collect_view()}</nav>
            {shown}
        </div>
    }
    .into_any()
}

fn numbers(did: &Did) -> AnyView {
    let ms = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |ms| format!("{} ms", number(ms)));
    let facts = [
        ("Requests", number(did.requests)),
        ("Errors", number(did.errors)),
        ("Latency, half within", ms(did.latency)),
        ("First byte, half within", ms(did.first_byte)),
    ];
    let facts = facts.map(|(name, value)| {
        view! {
            <div class="rounded-box border border-base-300 bg-base-100 p-4">
                <dt class="text-sm text-muted">{name}</dt><dd class="text-xl font-semibold tabular-nums">{value}</dd>
            </div>
        }
    });
    view! { <dl class="grid grid-cols-2 gap-3 md:grid-cols-4">{facts.collect_view()}</dl> }.into_any()
}
