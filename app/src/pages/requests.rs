//! Page: the log of requests, newest first. What is asked for stands in the address, so that links and the back button lead
//! to it.

mod filter;
pub(super) mod follow;
mod row;
#[cfg(test)]
pub(super) mod tests;
pub(super) mod words;

use domain::usage::{
    asked::{AskLog, LogView},
    log::{LogRow, PAGE},
};
use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_query_map};

use self::{
    filter::FilterForm,
    follow::{LiveSwitch, Tail, follow},
    row::Row,
};
use crate::{
    api::requests::read_log,
    components::{
        fault::LoadFault,
        listing::Loading,
        page::{Empty, PageHeader},
        refresh::Refresh,
        timestamp::Timestamp,
    },
    error::AppError,
    format::plural,
    pages::stream::Connection,
    reading::reading,
    session::encode_query_value,
};

const HERE: &str = "/admin/requests";
/// How far back one click looks.
const PRESETS: [(&str, &str); 4] = [("1h", "Last hour"), ("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days")];
/// Of the presets, what an address without a time means.
const USUAL: &str = "24h";

type Found = Signal<Option<Result<LogView, AppError>>>;

/// What the address says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    log: AskLog,
    live: bool,
}

#[component]
pub fn RequestsPage() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        let mut asked = Asked::default();
        query.with(|query| {
            for name in AskLog::FIELDS {
                asked.log.set(name, query.get(name).unwrap_or_default());
            }
            asked.live = query.get("live").is_some();
        });
        asked
    });
    let log = Memo::new(move |_| asked.with(|asked| asked.log.clone()));
    let refresh = Refresh::new();
    let page = reading(move || (log.get(), refresh.count()), |(log, _)| read_log(log));
    let connection = RwSignal::new(Connection::Still);
    let export = move |format: &str| {
        let rest = log.with(|log| pairs(&AskLog { after: String::new(), ..log.clone() }));
        format!("{HERE}/export?format={format}{}{rest}", if rest.is_empty() { "" } else { "&" })
    };
    view! {
        <PageHeader title="Requests">
            <LiveSwitch asked connection />
            <a class="btn btn-sm" download="" href=move || export("csv")>"Export CSV"</a>
            <a class="btn btn-sm" download="" href=move || export("jsonl")>"Export JSON lines"</a>
        </PageHeader>
        <Presets asked />
        <Transition fallback=Loading>
            {
                let found = Signal::derive(move || page.get());
                view! { <FilterForm asked found /> <Rows asked found refresh connection /> }
            }
        </Transition>
    }
}

/// As the query of an address.
fn pairs(log: &AskLog) -> String {
    let pairs: Vec<String> = log.pairs().map(|(name, value)| format!("{name}={}", encode_query_value(value))).collect();
    pairs.join("&")
}

/// The address of this page.
fn address(log: &AskLog, live: bool) -> String {
    let mut query = pairs(log);
    if live {
        query.push_str(if query.is_empty() { "live=1" } else { "&live=1" });
    }
    if query.is_empty() { HERE.to_owned() } else { format!("{HERE}?{query}") }
}

/// How far back, by one click.
#[component]
fn Presets(asked: Memo<Asked>) -> impl IntoView {
    let links = PRESETS.map(|(age, words)| {
        let to = move || {
            asked.with(|Asked { log, live }| {
                let log = AskLog { from: age.into(), to: String::new(), after: String::new(), ..log.clone() };
                address(&log, *live)
            })
        };
        let chosen = move || {
            asked.with(|Asked { log, .. }| log.to.is_empty() && (log.from == age || log.from.is_empty() && age == USUAL))
        };
        view! {
            <a href=to class="btn btn-sm join-item" class:btn-primary=chosen aria-current=move || chosen().then_some("true")>{words}</a>
        }
    });
    view! { <nav aria-label="How far back" class="join mb-4 flex-wrap">{links.collect_view()}</nav> }.into_any()
}

#[component]
fn Rows(asked: Memo<Asked>, found: Found, refresh: Refresh, connection: RwSignal<Connection>) -> impl IntoView {
    let view = Memo::new(move |_| found.get().and_then(Result::ok).unwrap_or_default());
    let tail = follow(asked, view, connection);
    let Tail { rows, .. } = tail;
    // What is wrong with the filter stands beside its fields.
    let fault = move || found.get()?.err()?.beside_no_field(filter::FIELDS);
    let is_read = move || found.with(|found| matches!(found, Some(Ok(_))));
    let is_empty = move || rows.with(Vec::is_empty);
    let local = words::local();
    view! {
        {move || fault().map(|fault| view! { <LoadFault fault retry=move || refresh.again() /> })}
        <div class:hidden=move || !is_read() || !is_empty()>
            <Nothing asked view />
        </div>
        <div class="xl:overflow-hidden xl:rounded-box xl:border xl:border-base-300 xl:bg-base-100" class:hidden=move || !is_read() || is_empty()>
            <table class="table table-sm table-fixed max-xl:block" aria-label="Requests">
                <thead class="max-xl:hidden">
                    <tr>
                        <th scope="col" class="w-46">"Time"</th>
                        <th scope="col" class="w-36">"Key"</th>
                        <th scope="col">"Model"</th>
                        <th scope="col" class="w-28">"Backend"</th>
                        <th scope="col" class="w-36">"Ended"</th>
                        <th scope="col" class="w-26">"Tokens"</th>
                        <th scope="col" class="w-20 text-right">"Queue"</th>
                        <th scope="col" class="w-20 text-right">"First"</th>
                        <th scope="col" class="w-20 text-right">"Total"</th>
                    </tr>
                </thead>
                <tbody class="max-xl:flex max-xl:flex-col max-xl:gap-3">
                    <For each=move || rows.get() key=|row| (row.at, row.request.clone()) let:row>
                        <Row row local />
                    </For>
                </tbody>
            </table>
        </div>
        <div class:hidden=move || !is_read()>
            <Further asked view tail />
        </div>
    }
    .into_any()
}

/// In place of rows.
#[component]
fn Nothing(asked: Memo<Asked>, view: Memo<LogView>) -> impl IntoView {
    let kept = move || view.with(|view| u64::from(view.kept_days));
    let text = move || {
        asked.with(|Asked { log, .. }| match () {
            () if view.with(|view| view.page.searched_to.is_some()) => {
                "Nothing of what was looked through so far fits.".to_owned()
            }
            () if !log.after.is_empty() => "There is nothing older in this time.".to_owned(),
            () if log.is_narrow() => "No request in this time fits. Look further back, or at all requests.".to_owned(),
            () => format!(
                "No request in this time. Requests with a valid key appear here within two seconds of their end and stay for {}.",
                plural(kept(), "day")
            ),
        })
    };
    let all = move || {
        asked.with(|Asked { log, live }| {
            address(&AskLog { from: log.from.clone(), to: log.to.clone(), ..AskLog::default() }, *live)
        })
    };
    view! {
        {move || view! { <Empty text=text() /> }}
        <p class="mt-3 flex flex-wrap justify-center gap-x-4">
            <a href=all class="link" class:hidden=move || asked.with(|asked| !asked.log.is_narrow())>"Show all requests"</a>
            <a href="/admin/help#calls" class="link" class:hidden=move || asked.with(|asked| asked.log.is_narrow())>"How to make a first call"</a>
        </p>
    }
    .into_any()
}

/// What stands below the rows, and the ways to older and to newer ones.
#[component]
fn Further(asked: Memo<Asked>, view: Memo<LogView>, tail: Tail) -> impl IntoView {
    let Tail { rows, missed, .. } = tail;
    let at = move |after: String| asked.with(|Asked { log, .. }| address(&AskLog { after, ..log.clone() }, false));
    let older = Memo::new(move |_| {
        let (read, end) = view.with(|view| (view.page.next.clone(), view.page.rows.last().map(place)));
        // New ones on top may have pushed others out.
        let last = rows.with(|rows| rows.last().filter(|_| read.is_some() || rows.len() >= PAGE).map(place));
        last.filter(|last| end.as_ref() != Some(last)).or(read)
    });
    let searched_to = move || view.with(|view| view.page.searched_to);
    view! {
        <p class="mt-4 text-muted" role="status" class:hidden=move || missed.get() == 0>
            {move || format!("{} came too fast to be shown as they ended. ", plural(missed.get(), "request"))}
            <a class="link" href=move || at(String::new())>"Read the log again"</a>
        </p>
        {move || {
            searched_to().map(|time| view! {
                <p class="mt-4 text-muted">"Looked back to " <Timestamp at=time />". A search ends after so many requests, so that it cannot slow the gateway down."</p>
            })
        }}
        <nav aria-label="Pages of the log" class="mt-4 flex flex-wrap gap-2">
            {move || {
                let away = asked.with(|asked| !asked.log.after.is_empty());
                away.then(|| view! { <A href=at(String::new()) attr:class="btn btn-sm">"Newest"</A> })
            }}
            {move || {
                let words = if searched_to().is_some() { "Search further back" } else { "Older" };
                older.get().map(|after| view! { <A href=at(after) attr:class="btn btn-sm">{words}</A> })
            }}
        </nav>
    }
    .into_any()
}

/// The place of a row, as the server takes it for what comes after.
fn place(row: &LogRow) -> String {
    format!("{}-{}", row.at, row.request)
}
