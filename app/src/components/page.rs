//! The frame of a page's content: its title and heading, and the narrow frame of pages without navigation.

use std::sync::atomic::{AtomicBool, Ordering};

use leptos::{html, prelude::*};
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use super::{banner::PlainTextBanner, brand::Brand, focus::focus_soon, theme_toggle::ThemeToggle};

/// The first page of this document has been drawn, in the browser.
static ARRIVED: AtomicBool = AtomicBool::new(false);

/// The heading of a page. After a navigation the keyboard and screen readers go on from here; the first page leaves the
/// focus where the browser has it.
#[component]
fn Heading(title: String) -> impl IntoView {
    let heading = NodeRef::<html::H1>::new();
    Effect::new(move |_| {
        if heading.get().is_some() && ARRIVED.swap(true, Ordering::Relaxed) {
            // Another page may come before the next frame.
            focus_soon(move || heading.try_get_untracked().flatten().map(Into::into));
        }
    });
    view! { <h1 node_ref=heading tabindex="-1" class="min-w-0 break-words text-2xl font-semibold outline-none">{title}</h1> }
}

/// Sections of the help that speak of pages, by the beginnings of their addresses; the first that fits counts.
const HELP: [(&str, &str); 13] = [
    ("/admin/backends", "fleet"),
    ("/admin/models", "models"),
    ("/admin/playground", "playground"),
    ("/admin/pulls", "models"),
    ("/admin/aliases", "aliases"),
    ("/admin/usage", "usage"),
    ("/admin/users", "keys"),
    ("/admin/requests", "requests"),
    ("/admin/administrators", "network"),
    ("/admin/network", "network"),
    ("/admin/audit", "network"),
    ("/admin/account", "network"),
    ("/admin/settings", "settings"),
];

/// Where the help speaks of the page at `path`.
pub fn help_of(path: &str) -> Option<String> {
    let section = match path.trim_end_matches('/') {
        "/admin" => "dashboard",
        path => HELP.iter().find(|(page, _)| path.starts_with(page)).map(|(_, section)| *section)?,
    };
    Some(format!("/admin/help#{section}"))
}

/// Title of the document, heading of the page with the way to its help, and what can be done beside it.
#[component]
pub fn PageHeader(#[prop(into)] title: String, #[prop(optional)] children: Option<Children>) -> impl IntoView {
    view! {
        <Title text=title.clone()/>
        <header class="mb-6 flex flex-wrap items-center justify-between gap-3">
            <div class="flex min-w-0 items-center gap-2"><Heading title/><HelpLink/></div>
            {children.map(|children| view! { <div class="flex flex-wrap gap-2">{children()}</div> })}
        </header>
    }
    .into_any()
}

#[component]
fn HelpLink() -> impl IntoView {
    let path = use_location().pathname;
    let link = move || {
        help_of(&path.get()).map(|href| {
            view! { <a href=href class="btn btn-ghost btn-circle btn-xs text-muted" aria-label="Help on this page" title="Help on this page">"?"</a> }
        })
    };
    link.into_any()
}

/// A page without navigation: sign-in, set-up, not found.
#[component]
pub fn PlainFrame(
    #[prop(into)] title: String,
    #[prop(default = "max-w-md")] width: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <PlainTextBanner/>
        <main class=format!("mx-auto flex min-h-screen w-full flex-col justify-center gap-6 px-4 py-10 {width}")>
            <Title text=title.clone()/>
            <div class="flex items-center justify-between gap-3">
                <p class="min-w-0 font-semibold"><Brand/></p>
                <ThemeToggle/>
            </div>
            <div class="card border border-base-300 bg-base-100 shadow-sm">
                <div class="card-body gap-4">
                    <Heading title/>
                    {children()}
                </div>
            </div>
        </main>
    }
}

/// Text in place of a list that is empty, with what to do about it.
#[component]
pub fn Empty(#[prop(into)] text: String) -> impl IntoView {
    view! { <p class="rounded-box border border-dashed border-base-300 p-8 text-center text-muted">{text}</p> }
}
