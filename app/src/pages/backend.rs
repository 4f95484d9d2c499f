//! Page: one backend: how it is now and what can be done about it, how much it did lately, and its models with what can be done
//! to them. While it is seen it is read again every few seconds: the live status of the whole fleet would be more code than
//! all of this.

mod models;

use std::time::Duration;

use domain::{
    admin::Role,
    backend::{BackendView, BreakerState},
    id::BackendId,
    models::{AskBackend, BackendPage as Page, Did},
};
use leptos::{
    either::{Either, EitherOf3},
    prelude::*,
};
use leptos_router::{
    components::A,
    hooks::{use_params_map, use_query_map},
};

use self::models::Models;
use super::backends::{card::Standing, share};
use crate::{
    api::backends::get_backend,
    components::{
        allowed::NeedsRole,
        badge::BackendBadge,
        fault::LoadFault,
        listing::Loading,
        page::PageHeader,
        refresh::{Behind, Refresh},
        timestamp::Timestamp,
    },
    error::AppError,
    format::{number, plural, sentence, visible},
    reading::reading,
    visit,
};

/// Between two readings of a page that is seen.
const AGAIN: Duration = Duration::from_secs(5);

type Found = Memo<Option<Result<Page, AppError>>>;

#[component]
pub fn BackendPage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let asked = Memo::new(move |_| {
        let page = query.with(|query| query.get("page").unwrap_or_default());
        AskBackend { id: params.with(|params| params.get("id").unwrap_or_default()), page }
    });
    let refresh = Refresh::new();
    let ticks = RwSignal::new(0_u32);
    Effect::new(move |_| {
        let tick = move || {
            if !document().hidden() {
                ticks.update(|ticks| *ticks += 1);
            }
        };
        if let Ok(ticking) = set_interval_with_handle(tick, AGAIN) {
            on_cleanup(move || ticking.clear());
        }
    });
    let read = reading(move || (asked.get(), refresh.count(), ticks.get()), |(asked, ..)| get_backend(asked));
    view! {
        <nav aria-label="Breadcrumb" class="breadcrumbs mb-2 text-sm">
            <ul><li><A href="/admin/backends">"Backends"</A></li><li aria-current="page">"Backend"</li></ul>
        </nav>
        <Transition fallback=Loading>
            {
                let found = Memo::new(move |_| read.get());
                view! { <Whole asked found refresh /> }
            }
        </Transition>
    }
    .into_any()
}

/// Draws the page once for a backend, however often it is read again.
#[component]
fn Whole(asked: Memo<AskBackend>, found: Found, refresh: Refresh) -> impl IntoView {
    // What is seen stays while the gateway does not answer for a moment.
    let read = Memo::new(move |last: Option<&Option<Page>>| {
        found.get().and_then(Result::ok).or_else(|| last.cloned().flatten())
    });
    let first = Memo::new(move |last: Option<&Option<Result<BackendId, AppError>>>| {
        let now = found.get().map(|page| page.map(|page| page.backend.id));
        match (&now, last) {
            (Some(Err(error)), Some(Some(Ok(id)))) if error.may_pass() => Some(Ok(id.clone())),
            _ => now,
        }
    });
    move || match first.get() {
        None => EitherOf3::A(()),
        Some(Err(error)) => {
            visit::answer_with(&error);
            EitherOf3::B(not_shown(&error, refresh))
        }
        Some(Ok(_)) => EitherOf3::C(read.get_untracked().map(|first| view! { <Detail first asked read refresh /> })),
    }
}

/// The backend is gone, or could not be read.
fn not_shown(error: &AppError, refresh: Refresh) -> AnyView {
    let fault = error.to_string();
    let rest = if error.is_stale() {
        Either::Left(
            view! { <div role="alert" class="alert alert-warning alert-soft mb-3"><span>{sentence(&fault)}</span></div> },
        )
    } else {
        Either::Right(view! { <LoadFault fault retry=move || refresh.again() /> })
    };
    view! {
        <PageHeader title="Backend" />
        {rest}
        <A href="/admin/backends" attr:class="link">"All backends"</A>
    }
    .into_any()
}

#[component]
fn Detail(first: Page, asked: Memo<AskBackend>, read: Memo<Option<Page>>, refresh: Refresh) -> impl IntoView {
    let page = Memo::new(move |_| read.get().unwrap_or_else(|| first.clone()));
    let backend = Memo::new(move |_| page.with(|page| page.backend.clone()));
    let name = Memo::new(move |_| backend.with(|backend| visible(&backend.name)));
    let id = asked.with_untracked(|asked| asked.id.clone());
    let links = [("requests?backend=", "Requests"), ("usage?backend=", "Usage")]
        .map(|(page, words)| (format!("/admin/{page}{id}"), words));
    let history = format!("/admin/backends/{id}/history");
    let header = move || {
        let links = links.clone().map(|(to, words)| view! { <a class="btn btn-sm" href=to>{words}</a> });
        view! { <PageHeader title=name.get()>{links.into_iter().collect_view()}</PageHeader> }
    };
    view! {
        {header}
        <Behind refresh />
        <NeedsRole role=Role::Operator to="change backends and their models" />
        <div class="flex flex-col gap-6">
            <section aria-label="State" class="card card-border border-base-300 bg-base-100">
                <div class="card-body gap-3">
                    <div class="flex flex-wrap items-center gap-3">
                        <BackendBadge state=Signal::derive(move || backend.with(|backend| backend.state)) />
                        <code class="text-sm break-all text-muted">{move || backend.with(|backend| backend.url.clone())}</code>
                        <span class="text-sm font-medium" aria-live="polite">{move || backend.with(BackendView::drained)}</span>
                    </div>
                    {facts(backend, page)}
                    <Standing backend=backend.into() refresh />
                </div>
            </section>
            <p class="flex flex-wrap items-center gap-x-4 gap-y-2">
                <span>{move || page.with(|page| did(&page.did))}</span>
                <A href=history attr:class="btn btn-sm">"History"</A>
            </p>
            <Models asked page refresh />
        </div>
    }
    .into_any()
}

fn did(did: &Did) -> String {
    let half = |ms: Option<u64>, what: &str| {
        ms.map_or_else(String::new, |ms| format!(", half {what} within {} ms", number(ms)))
    };
    let (whole, first) = (half(did.latency, "answered"), half(did.first_byte, "with a first byte"));
    format!("Last 24 hours: {}, {}{whole}{first}.", plural(did.requests, "request"), plural(did.errors, "error"))
}

/// How it is now, in pairs.
fn facts(backend: Memo<BackendView>, page: Memo<Page>) -> AnyView {
    let fact = |name: &'static str, told: Signal<String>| {
        view! { <div class="min-w-0"><dt class="text-muted">{name}</dt><dd class="font-medium break-words">{move || told.get()}</dd></div> }.into_any()
    };
    let told = move |of: fn(&BackendView) -> String| Signal::derive(move || backend.with(of));
    let models = Signal::derive(move || plural(page.with(|page| page.models.here), "model"));
    view! {
        <dl class="grid grid-cols-2 gap-x-6 gap-y-2 text-sm md:grid-cols-4">
            {fact("In flight", told(|backend| {
                let limit = backend.limit.map_or_else(|| ", no bound known".to_owned(), |limit| format!(" of {}", number(limit.into())));
                format!("{}{limit}", number(backend.in_flight))
            }))}
            {fact("Version", told(|backend| backend.version.as_deref().map_or_else(|| "unknown".to_owned(), visible)))}
            {fact("Circuit breaker", told(breaker))}
            {fact("Models", models)}
            {fact("Token", told(|backend| if backend.has_token { "stored" } else { "none" }.to_owned()))}
            {fact("Share of the work", told(|backend| {
                let told = share::in_force(backend);
                if told.is_empty() { "as every other".to_owned() } else { told.join(", ") }
            }))}
            {move || backend.with(|backend| backend.certificate_end).map(|end| view! {
                <div class="min-w-0"><dt class="text-muted">"Certificate ends"</dt><dd class="font-medium"><Timestamp at=end /></dd></div>
            })}
            <div class="min-w-0"><dt class="text-muted">"Added"</dt><dd class="font-medium"><Timestamp at=Signal::derive(move || backend.with(|backend| backend.created_at)) /></dd></div>
        </dl>
    }
    .into_any()
}

/// Of the backend as a whole; those of its models stand below.
fn breaker(backend: &BackendView) -> String {
    let own = backend.breakers.iter().find(|breaker| breaker.model.is_none()).map(|breaker| breaker.state);
    match own {
        None => "closed: requests go there",
        Some(BreakerState::Open) => "open: nothing is sent there",
        Some(BreakerState::HalfOpen) => "half-open: being tried",
    }
    .to_owned()
}
