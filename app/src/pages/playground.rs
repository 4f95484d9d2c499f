//! Page: asking models from here, by the way of every request with a key. The conversation is in this tab's memory only.

mod ask;
mod composer;
mod conversation;
mod embeddings;
mod file;
mod geometry;
mod json;
mod kept;
mod markdown;
mod options;
mod pane;
mod parts;
mod pictures;
mod setup;
mod transcript;
mod wire;
mod writer;

use domain::{admin::Role, playground::PlaygroundFacts};
use leptos::{
    ev::{self, DragEvent},
    prelude::*,
};
use leptos_router::hooks::use_query_map;

use self::{composer::Composer, conversation::Chat, embeddings::Embeddings, pane::Pane, setup::Setup};
use crate::{
    api::playground::playground_facts,
    components::{
        allowed::{NeedsRole, may},
        fault::LoadFault,
        listing::Loading,
        page::{Empty, PageHeader},
    },
    reading::reading,
};

/// By such a word in its name one knows a model that only embeds.
const EMBEDS: &str = "embed";

#[component]
pub fn PlaygroundPage() -> impl IntoView {
    let asked = use_query_map().with_untracked(|query| query.get("model").unwrap_or_default());
    let chat = Chat::new(asked);
    let who = StoredValue::new(String::new());
    on_cleanup(move || {
        chat.stop_all();
        kept::keep(chat, who.try_get_value().unwrap_or_default());
    });
    warn_before_unload(chat);
    let facts = reading(|| (), |()| playground_facts());
    let content = move || match facts.get() {
        None => view! { <Loading/> }.into_any(),
        Some(Err(error)) => view! { <LoadFault fault=error.to_string() retry=move || facts.refetch() /> }.into_any(),
        Some(Ok(facts)) if facts.models.is_empty() => nothing(facts.next),
        Some(Ok(_)) if !may(Role::Operator) => ().into_any(),
        Some(Ok(facts)) => {
            who.set_value(facts.who.clone());
            kept::take(chat, &facts.who);
            table(chat, facts)
        }
    };
    view! {
        <PageHeader title="Playground" />
        <NeedsRole role=Role::Operator to="ask models" />
        <Transition fallback=Loading>{content}</Transition>
    }
    .into_any()
}

/// A conversation goes with the document, so the browser asks first.
fn warn_before_unload(chat: Chat) {
    Effect::new(move |_| {
        let asks = window_event_listener(ev::beforeunload, move |event| {
            if chat.turns.try_with_untracked(|turns| !turns.is_empty()).unwrap_or_default() {
                event.prevent_default();
            }
        });
        on_cleanup(move || asks.remove());
    });
}

/// There is no model, and what to do about it.
fn nothing(next: String) -> AnyView {
    view! {
        <Empty text=next />
        <p class="mt-4 flex flex-wrap justify-center gap-2">
            <a class="btn btn-sm btn-primary" href="/admin/backends">"Backends"</a>
            <a class="btn btn-sm" href="/admin/models">"Models"</a>
        </p>
    }
    .into_any()
}

/// Everything to ask with, once it is known what there is.
fn table(chat: Chat, facts: PlaygroundFacts) -> AnyView {
    let PlaygroundFacts { models, aliases, largest_body, .. } = facts;
    chat.room.set(usize::try_from(largest_body).unwrap_or(usize::MAX));
    // One to begin with, and another to compare it with where there is one.
    let two = |embeds: bool, first: &str| {
        let fitting = || models.iter().filter(move |model| model.contains(EMBEDS) == embeds);
        let asked = models.iter().find(|model| model.strip_suffix(":latest") == Some(first)).map(String::as_str);
        let first = asked.unwrap_or(first);
        let first = if first.is_empty() { fitting().next().cloned().unwrap_or_default() } else { first.to_owned() };
        let second = fitting().find(|model| **model != first).cloned().unwrap_or_default();
        [first, second]
    };
    let chosen = two(false, &chat.models[0].get_untracked());
    chat.models.into_iter().zip(chosen).for_each(|(signal, model)| signal.set(model));
    let embedding = two(true, "").map(RwSignal::new);
    let known = StoredValue::new(models.into_iter().chain(aliases).collect::<Vec<String>>());
    let class = move || if chat.both.get() { "grid gap-4 lg:grid-cols-2" } else { "grid gap-4" };
    // A file that is let fall a little beside the field must not take the page's place.
    let over = move |event: DragEvent| {
        if composer::holds_file(&event) {
            event.prevent_default();
            chat.over.set(true);
        }
    };
    let drop = move |event: DragEvent| {
        chat.over.set(false);
        let files = event.data_transfer().and_then(|data| data.files());
        if let Some(files) = files.filter(|files| files.length() > 0) {
            event.prevent_default();
            composer::take(chat, &files);
        }
    };
    view! {
        <p class="mb-4 hidden text-muted noscript:block">"The Playground needs JavaScript."</p>
        <div class="tabs tabs-border">
            <input type="radio" name="tab" class="tab" aria-label="Chat" checked=true/>
            <div class="tab-content pt-4">
                <div class="flex flex-col gap-4" on:dragover=over on:dragleave=move |_| chat.over.set(false) on:drop=drop>
                    <Setup chat known />
                    <div class=class>
                        <Pane chat side=0 />
                        <div class="grid" class:hidden=parts::when(move || !chat.both.get())><Pane chat side=1 /></div>
                    </div>
                    <Composer chat />
                </div>
            </div>
            <input type="radio" name="tab" class="tab" aria-label="Embeddings"/>
            <div class="tab-content pt-4"><Embeddings models=embedding known /></div>
        </div>
    }
    .into_any()
}
