//! How it is with Redis, in the frame of all pages: nothing while there is none. It is read with every page; pages with the
//! live status say what is new at once.

use domain::settings::{RedisStatus, redis_warning};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::{api::settings::redis_status, components::timestamp::Timestamp, format::sentence, reading::reading};

/// The latest state that a page with the live status has heard of.
#[derive(Clone, Copy)]
pub(super) struct RedisNews(RwSignal<Option<RedisStatus>>);

impl RedisNews {
    /// Belongs in the frame, once.
    pub(super) fn provide() -> Self {
        let news = Self(RwSignal::new(None));
        provide_context(news);
        news
    }

    /// To be called with every live status.
    pub(super) fn tell(status: RedisStatus) {
        if let Some(Self(news)) = use_context::<Self>() {
            news.set(Some(status));
        }
    }
}

#[component]
pub(super) fn RedisState(news: RedisNews) -> impl IntoView {
    let RedisNews(news) = news;
    let pathname = use_location().pathname;
    // The sign-in page is seen for a moment by the frame that is being left; there is no session to ask with.
    let read = reading(
        move || pathname.get(),
        |path| async move {
            if path.starts_with("/admin/login") { Ok(RedisStatus::NotConfigured) } else { redis_status().await }
        },
    );
    // What is read anew counts until there is news again.
    Effect::new(move |_| {
        pathname.track();
        news.set(None);
    });
    view! {
        <Transition>
            {move || {
                let read = read.get().and_then(Result::ok);
                news.get().or(read).filter(|status| *status != RedisStatus::NotConfigured).map(|status| view! { <State status/> })
            }}
        </Transition>
    }
    .into_any()
}

/// One line in a badge, and what an operator should know beside it.
#[component]
pub(super) fn State(status: RedisStatus) -> impl IntoView {
    let (class, title) = match &status {
        RedisStatus::NotConfigured => ("badge badge-ghost", "Redis: not configured"),
        RedisStatus::Connecting => ("badge badge-info badge-soft", "Redis: connecting"),
        RedisStatus::InUse { .. } => ("badge badge-success badge-soft", "Redis: in use"),
        RedisStatus::Failed { .. } => ("badge badge-warning badge-soft", "Redis: not reachable"),
    };
    let detail = match status {
        RedisStatus::NotConfigured | RedisStatus::Connecting => None,
        RedisStatus::InUse { version, latency_ms } => {
            let warning = redis_warning(&version).map(|text| format!(" {}", sentence(text))).unwrap_or_default();
            Some((format!("Version {version}, answers within {latency_ms} ms.{warning}"), None))
        }
        RedisStatus::Failed { detail, since } => {
            Some((format!("{} This gateway counts alone since ", sentence(&detail)), Some(since)))
        }
    };
    view! {
        <div class="px-3 pb-3 text-sm" data-testid="redis-state">
            <p><span class=class>{title}</span></p>
            {detail.map(|(text, since)| view! {
                <p class="mt-1 text-muted">{text}{since.map(|at| view! { <Timestamp at/> "." })}</p>
            })}
        </div>
    }
    .into_any()
}
