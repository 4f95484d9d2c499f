//! The frame of one section of the Help page, and the list of all of them.

use leptos::prelude::*;

/// Anchor and heading of every section, in order.
const SECTIONS: [(&str, &str); 10] = [
    ("start", "How to use the gateway"),
    ("routing", "What the gateway does with a request"),
    ("keys", "Keys: limits and status"),
    ("calls", "Examples"),
    ("playground", "Ask models from here"),
    ("port", "Close the way around the gateway"),
    ("network", "Who may come in"),
    ("redis", "Redis (optional)"),
    ("backup", "Backup"),
    ("credits", "Credits"),
];

/// Links to the sections.
#[component]
pub fn Contents() -> impl IntoView {
    let links = SECTIONS
        .into_iter()
        .map(|(id, title)| view! { <li><a class="link" href=format!("#{id}")>{title}</a></li> })
        .collect_view();
    view! { <nav aria-label="On this page"><ul class="flex flex-wrap gap-x-5 gap-y-1 text-sm">{links}</ul></nav> }
}

/// A section under the heading that belongs to `id`.
#[component]
pub fn Section(id: &'static str, children: Children) -> impl IntoView {
    let title = SECTIONS.iter().find(|section| section.0 == id).map(|section| section.1);
    view! {
        <section id=id class="flex scroll-mt-4 flex-col gap-3 rounded-box border border-base-300 bg-base-100 p-5 lg:p-6">
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
