//! Page: what was done and what was refused, newest first. What is asked for stands in the address, so that links and the
//! back button lead to it.

mod entry;
mod filter;

use domain::audit::{AuditPage as Page, ReadAudit};
use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_query_map};

use self::{entry::Entry, filter::FilterForm};
use crate::{
    api::audit::read_audit,
    components::{
        fault::LoadFault,
        listing::Loading,
        page::{Empty, PageHeader},
        refresh::Refresh,
        timestamp::Timestamp,
    },
    error::AppError,
    reading::reading,
    session::encode_query_value,
};

const HERE: &str = "/admin/audit";

type Found = Signal<Option<Result<Page, AppError>>>;

#[component]
pub fn AuditPage() -> impl IntoView {
    let query = use_query_map();
    let filter = Memo::new(move |_| {
        let mut filter = ReadAudit::default();
        query.with(|query| {
            for name in ["actor", "outcome", "text", "from", "to", "after"] {
                filter.set(name, query.get(name).unwrap_or_default());
            }
        });
        filter
    });
    let refresh = Refresh::new();
    let page = reading(move || (filter.get(), refresh.count()), |(filter, _)| read_audit(filter));
    let export = move |format: &str| {
        let pairs = filter.with(|filter| address(&ReadAudit { after: String::new(), ..filter.clone() }));
        let rest = pairs.strip_prefix(HERE).unwrap_or_default().replacen('?', "&", 1);
        format!("{HERE}/export?format={format}{rest}")
    };
    view! {
        <PageHeader title="Audit">
            <a class="btn btn-sm" download="" href=move || export("csv")>"Export CSV"</a>
            <a class="btn btn-sm" download="" href=move || export("jsonl")>"Export JSON lines"</a>
        </PageHeader>
        <p class="mb-4 max-w-prose text-muted">
            "Every action of an administrator and of the command line, and every one that was refused. Rows are only ever added. Secrets are told as set or changed, never as what they are."
        </p>
        <Transition fallback=Loading>
            {
                let found = Signal::derive(move || page.get());
                view! { <FilterForm filter found /> <Rows filter found refresh /> }
            }
        </Transition>
    }
}

/// The address of this page for a filter.
fn address(filter: &ReadAudit) -> String {
    let pairs: Vec<String> =
        filter.pairs().map(|(name, value)| format!("{name}={}", encode_query_value(value))).collect();
    if pairs.is_empty() { HERE.to_owned() } else { format!("{HERE}?{}", pairs.join("&")) }
}

#[component]
fn Rows(filter: Memo<ReadAudit>, found: Found, refresh: Refresh) -> impl IntoView {
    let page = Signal::derive(move || found.get().and_then(Result::ok).unwrap_or_default());
    let entries = move || page.with(|page| page.entries.clone());
    // What is wrong with the filter stands beside its fields.
    let fields = ["actor", "outcome", "text", "from", "to"];
    let fault = move || found.get()?.err()?.beside_no_field(&fields);
    let is_read = move || found.with(|found| matches!(found, Some(Ok(_))));
    let is_empty = move || is_read() && page.with(|page| page.entries.is_empty());
    view! {
        {move || fault().map(|fault| view! { <LoadFault fault retry=move || refresh.again() /> })}
        <div class:hidden=move || !is_empty()>
            <Nothing filter ended_early=Signal::derive(move || page.with(|page| page.looked_back_to.is_some())) />
        </div>
        <ul
            aria-label="Audit log" class="divide-y divide-base-300 overflow-hidden rounded-box border border-base-300 bg-base-100"
            class:hidden=move || !is_read() || is_empty()
        >
            <For each=entries key=|entry| entry.id.clone() let:entry>
                <Entry entry />
            </For>
        </ul>
        <div class:hidden=move || !is_read()>
            <Further filter page />
        </div>
    }
    .into_any()
}

/// In place of rows.
#[component]
fn Nothing(filter: Memo<ReadAudit>, ended_early: Signal<bool>) -> impl IntoView {
    let text = move || match () {
        () if ended_early.get() => "Nothing of what was looked through so far fits.",
        () if filter.with(|filter| !filter.after.is_empty()) => "There is nothing older.",
        () if filter.with(ReadAudit::is_narrow) => "Nothing in the log fits.",
        () => "Nothing has been done yet.",
    };
    view! {
        {move || view! { <Empty text=text() /> }}
        <p class="mt-3 text-center" class:hidden=move || !filter.with(ReadAudit::is_narrow)>
            <A href=HERE attr:class="link">"Show everything"</A>
        </p>
    }
}

/// The ways to older and to newer rows.
#[component]
fn Further(filter: Memo<ReadAudit>, page: Signal<Page>) -> impl IntoView {
    let at = move |after: String| filter.with(|filter| address(&ReadAudit { after, ..filter.clone() }));
    let older = move || page.with(|page| page.next.clone());
    let looked_back_to = move || page.with(|page| page.looked_back_to);
    view! {
        {move || {
            looked_back_to().map(|time| view! {
                <p class="mt-4 text-muted">"Looked back to " <Timestamp at=time />". A search ends after so many rows, so that it cannot slow the gateway down."</p>
            })
        }}
        <nav aria-label="Pages of the log" class="mt-4 flex flex-wrap gap-2">
            {move || {
                let away = filter.with(|filter| !filter.after.is_empty());
                away.then(|| view! { <A href=at(String::new()) attr:class="btn btn-sm">"Newest"</A> })
            }}
            {move || {
                let words = if looked_back_to().is_some() { "Search further back" } else { "Older" };
                older().map(|after| view! { <A href=at(after) attr:class="btn btn-sm">{words}</A> })
            }}
        </nav>
    }
}
