//! The frame of a page's content: its title and heading, and the narrow frame of pages without navigation.

use leptos::prelude::*;
use leptos_meta::Title;

use super::{banner::PlainTextBanner, theme_toggle::ThemeToggle};

/// Title of the document, heading of the page, and what can be done beside it.
#[component]
pub fn PageHeader(#[prop(into)] title: String, #[prop(optional)] children: Option<Children>) -> impl IntoView {
    view! {
        <Title text=title.clone()/>
        <header class="mb-6 flex flex-wrap items-center justify-between gap-3">
            <h1 class="text-2xl font-semibold">{title}</h1>
            {children.map(|children| view! { <div class="flex flex-wrap gap-2">{children()}</div> })}
        </header>
    }
    .into_any()
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
            <div class="flex items-center justify-between">
                <p class="font-semibold">"Ollama Proxy Fortress"</p>
                <ThemeToggle/>
            </div>
            <div class="card border border-base-300 bg-base-100 shadow-sm">
                <div class="card-body gap-4">
                    <h1 class="text-2xl font-semibold">{title}</h1>
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
