//! The frame of one section of the Help page, and the list of all of them.

use leptos::prelude::*;

/// Anchor and heading of every section, in order.
pub const SECTIONS: [(&str, &str); 17] = [
    ("start", "How to use the gateway"),
    ("dashboard", "Dashboard"),
    ("routing", "What the gateway does with a request"),
    ("fleet", "Backends"),
    ("models", "Models"),
    ("aliases", "Aliases"),
    ("keys", "Keys: limits and status"),
    ("requests", "Requests"),
    ("usage", "Usage"),
    ("calls", "Examples"),
    ("playground", "Ask models from here"),
    ("port", "Close the way around the gateway"),
    ("network", "Who may come in"),
    ("settings", "Settings"),
    ("redis", "Redis (optional)"),
    ("backup", "Backup"),
    ("credits", "Credits"),
];

/// Sections that the search does not find, by their anchors.
#[derive(Clone, Copy)]
pub struct Unfound(pub RwSignal<Vec<&'static str>>);

/// A section under the heading that belongs to `id`.
#[component]
pub fn Section(id: &'static str, children: Children) -> impl IntoView {
    let title = SECTIONS.iter().find(|section| section.0 == id).map(|section| section.1);
    let unfound = use_context::<Unfound>();
    let hidden = move || unfound.is_some_and(|Unfound(unfound)| unfound.with(|unfound| unfound.contains(&id)));
    view! {
        <section
            id=id tabindex="-1" class:hidden=hidden
            class="flex scroll-mt-16 flex-col gap-3 rounded-box border border-base-300 bg-base-100 p-5 outline-none lg:scroll-mt-8 lg:p-6"
        >
            <h2 class="text-xl font-semibold">{title}</h2>
            {children()}
        </section>
    }
}

/// A term and what it means, one below the other.
#[component]
pub fn Terms(terms: Vec<(&'static str, String)>) -> impl IntoView {
    let terms = terms
        .into_iter()
        .map(|(term, meaning)| view! { <div><dt class="font-medium">{term}</dt><dd class="text-muted">{meaning}</dd></div> })
        .collect_view();
    view! { <dl class="flex flex-col gap-2">{terms}</dl> }
}
