//! Page: one request of the log, its life from the first moment to the last and everything that is known of it.

mod life;
#[cfg(test)]
mod tests;

use domain::{
    error::AdminError,
    usage::{
        asked::AskRequest,
        log::{LogEntry, LogRow},
        report::Named,
    },
};
use leptos::{either::EitherOf3, prelude::*};
use leptos_router::hooks::{use_params_map, use_query_map};

use self::life::Life;
use super::requests::words::{duration, ended, local, moment, name, outcome};
use crate::{
    api::requests::read_request,
    components::{fault::LoadFault, listing::Loading, page::PageHeader, refresh::Refresh},
    error::AppError,
    format::{number, plural, sentence, visible},
    reading::reading,
    session::encode_query_value,
    visit,
};

#[component]
pub fn RequestPage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let asked = Memo::new(move |_| AskRequest {
        id: params.with(|params| params.get("id").unwrap_or_default()),
        at: query.with(|query| query.get("at").and_then(|at| at.parse().ok()).unwrap_or_default()),
    });
    let refresh = Refresh::new();
    let entry = reading(move || (asked.get(), refresh.count()), |(asked, _)| read_request(asked));
    view! {
        <nav aria-label="Breadcrumb" class="breadcrumbs mb-2 text-sm">
            <ul>
                <li><a href="/admin/requests">"Requests"</a></li>
                <li aria-current="page">"Request"</li>
            </ul>
        </nav>
        <Transition fallback=Loading>
            {move || match entry.get() {
                None => EitherOf3::A(()),
                Some(Ok(entry)) => EitherOf3::B(view! { <Entry entry /> }),
                Some(Err(error)) => {
                    // A number that cannot be one is that of no request.
                    let gone = AppError(AdminError::NotFound { what: "request".into() });
                    let error = if matches!(error.0, AdminError::Invalid { .. }) { gone } else { error };
                    visit::answer_with(&error);
                    EitherOf3::C(view! { <NotShown error id=asked.with_untracked(|asked| asked.id.clone()) refresh /> })
                }
            }}
        </Transition>
    }
}

/// It is gone, never was, or could not be read.
#[component]
fn NotShown(error: AppError, id: String, refresh: Refresh) -> impl IntoView {
    let rest = match &error.0 {
        AdminError::NotFound { .. } => {
            let search = format!("/admin/requests?from=30d&request={}", encode_query_value(&id));
            view! {
                <div role="alert" class="alert alert-warning alert-soft mb-3"><span>"There is no such request in the log."</span></div>
                <p class="mb-3 max-w-prose">
                    "A request appears within two seconds of its end, and is deleted after the days that usage is kept (Settings). The address also needs the time at which it came: a search by its number finds it without."
                </p>
                <p class="flex flex-wrap gap-2">
                    <a href=search class="btn btn-sm">"Search for its number"</a>
                    <a href="/admin/requests" class="btn btn-sm">"All requests"</a>
                </p>
            }
            .into_any()
        }
        _ => view! { <LoadFault fault=error.to_string() retry=move || refresh.again() /> }.into_any(),
    };
    view! {
        <PageHeader title="Request" />
        {rest}
    }
    .into_any()
}

#[component]
fn Entry(entry: LogEntry) -> impl IntoView {
    let LogEntry { row, timeline, why, evicted_by, reason, error } = entry;
    let (status, dot) = ended(&row);
    let at = row.at;
    let local = local();
    let total = duration(row.total_us);
    let facts = facts(&row, evicted_by, reason).into_iter().map(|fact| {
        let Fact { name, value, link } = fact;
        let value = match link {
            Some(href) => view! { <a class="link" href=href>{value}</a> }.into_any(),
            None => value.into_any(),
        };
        view! { <div class="min-w-0"><dt class="text-muted">{name}</dt><dd class="break-words">{value}</dd></div> }
    });
    view! {
        <PageHeader title=format!("Request {}", row.request) />
        <p class="mb-4 flex flex-wrap items-center gap-x-4 gap-y-2 text-sm text-muted">
            <span class="badge badge-ghost whitespace-nowrap"><span class=dot aria-hidden="true"></span>{status}</span>
            <time class="tabular-nums">{move || moment(at, local.get())}</time>
            <span>{total} " in all"</span>
        </p>
        {error.map(|error| view! {
            <section aria-label="Error" class="alert alert-error alert-soft mb-4">
                <span class="min-w-0 break-words"><strong>"What went wrong: "</strong>{visible(&error)}</span>
            </section>
        })}
        {why.map(|why| view! {
            <section aria-label="Why it was slow" class="alert alert-warning alert-soft mb-4"><span class="min-w-0 break-words">{sentence(&visible(&why))}</span></section>
        })}
        <div class="flex flex-col gap-6">
            <Life timeline total_us=row.total_us />
            <section aria-labelledby="facts" class="card card-border border-base-300 bg-base-100">
                <div class="card-body">
                    <h2 id="facts" class="text-lg font-semibold">"Facts"</h2>
                    <dl class="grid gap-x-6 gap-y-3 text-sm sm:grid-cols-2 lg:grid-cols-3">{facts.collect_view()}</dl>
                </div>
            </section>
        </div>
    }
    .into_any()
}

struct Fact {
    name: &'static str,
    value: String,
    link: Option<String>,
}

/// Everything that is known, and nothing of what is not.
fn facts(row: &LogRow, evicted_by: Option<Named>, reason: Option<String>) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name, value: String, link: Option<String>| facts.push(Fact { name, value, link });
    let list = |field: &str, id: &str| Some(format!("/admin/requests?from=7d&{field}={}", encode_query_value(id)));
    add("Key", name(&row.key), list("key", &row.key.id));
    // An administrator who asks from the Playground is its own key, and no user.
    let user = (!row.user.removed && row.user.id != row.key.id).then(|| format!("/admin/users/{}", row.user.id));
    add("User", name(&row.user), user.or_else(|| list("user", &row.user.id)));
    if let Some(model) = &row.model {
        let text = visible(model);
        let text = if row.unresolved { format!("{text}, which no backend has") } else { text };
        add("Model", text, list("model", model));
    }
    match &row.backend {
        Some(backend) => add("Backend", name(backend), list("backend", &backend.id)),
        None => add("Backend", "none: the gateway answered itself".to_owned(), None),
    }
    if let Some(reason) = reason {
        add("Why this backend", sentence(&visible(&reason)), None);
    }
    let retries = u64::from(row.retries);
    if retries > 0 {
        add("Retries", format!("{} before", plural(retries, "other backend")), None);
    }
    if let Some(warm) = row.warm {
        add("The model was", if warm { "loaded already" } else { "not loaded yet" }.to_owned(), None);
    }
    if let Some(key) = evicted_by {
        add("Evicted before by", format!("a model of key {}", name(&key)), list("key", &key.id));
    }
    add("Endpoint", row.endpoint.path().to_owned(), list("endpoint", row.endpoint.path()));
    add(
        "Status",
        format!("{}, {}", row.status, outcome(row.outcome).to_lowercase()),
        list("status", &row.status.to_string()),
    );
    let counted = if row.tokens_estimated { ", counted by the gateway" } else { "" };
    for (name, count) in [("Prompt tokens", row.prompt_tokens), ("Completion tokens", row.completion_tokens)] {
        if let Some(count) = count {
            add(name, format!("{}{counted}", number(count)), None);
        }
    }
    if let Some(speed) = tokens_per_second(row) {
        add("Speed of the answer", format!("{}.{} tokens a second", speed / 10, speed % 10), None);
    }
    if let Some(us) = row.ttft_us {
        add("To the first byte", duration(us), None);
    }
    add("In all", duration(row.total_us), None);
    if row.gpu_us > 0 {
        add("The backend worked", duration(row.gpu_us), None);
    }
    add("Request body", plural(row.bytes_in, "byte"), None);
    add("Answer", plural(row.bytes_out, "byte"), None);
    facts
}

/// Tenths of tokens a second, while the answer came; `None` where it came in one piece.
fn tokens_per_second(row: &LogRow) -> Option<u64> {
    let answering = row.total_us.checked_sub(row.ttft_us?)?;
    let tokens = row.completion_tokens?;
    (answering >= 10_000 && tokens > 1).then(|| tokens.saturating_mul(10_000_000) / answering)
}
