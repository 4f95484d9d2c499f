//! The admin app: one Leptos program compiled twice, as pages for the server (`ssr`) and as WebAssembly for the browser
//! (`hydrate`). Here are only the root component and the route table.

// Views are types nested as deep as their elements.
#![recursion_limit = "256"]

#[cfg(not(erase_components))]
compile_error!(
    "build with the flags of .cargo/config.toml: RUSTFLAGS in the environment hides them, and hydration would fail"
);

pub mod answer;
pub mod api;
pub mod components;
pub mod error;
pub mod examples;
pub mod format;
pub mod pages;
#[cfg(test)]
mod rendering;
pub mod session;
#[cfg(feature = "ssr")]
pub mod ssr;
pub mod visit;

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

use crate::{
    answer::ForgetAnswer,
    pages::{layout::Layout, lazy, not_found::NotFoundPage},
    session::SessionWatch,
};

/// URL paths of the built files, for example `/pkg/ollama-fortress.1a2b3c.js`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assets {
    pub js: String,
    /// Fetches the parts of pages; `js` imports it.
    pub loader: String,
    pub wasm: String,
    pub css: String,
    pub chart_js: String,
    /// Reloads the page after a rebuild; only in builds of the live-reload loop.
    pub reload_js: Option<String>,
}

/// The root component. Every page is rendered whole before it is sent, so that it works without JavaScript.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    answer::provide();
    visit::provide();
    components::reentry::provide();
    view! {
        <Title formatter=|title: String| format::document_title(&title)/>
        <Router>
            <SessionWatch/>
            <ForgetAnswer/>
            <Routes fallback=NotFoundPage>
                <Route path=path!("/admin/login") view=lazy::login() ssr=SsrMode::Async/>
                <Route path=path!("/admin/login/code") view=lazy::code() ssr=SsrMode::Async/>
                <Route path=path!("/admin/setup") view=lazy::setup() ssr=SsrMode::Async/>
                <ParentRoute path=path!("/admin") view=Layout ssr=SsrMode::Async>
                    <Route path=path!("") view=lazy::dashboard() ssr=SsrMode::Async/>
                    <Route path=path!("backends") view=lazy::backends() ssr=SsrMode::Async/>
                    <Route path=path!("backends/upgrade") view=lazy::upgrade() ssr=SsrMode::Async/>
                    <Route path=path!("users") view=lazy::users() ssr=SsrMode::Async/>
                    <Route path=path!("users/:id") view=lazy::user() ssr=SsrMode::Async/>
                    <Route path=path!("audit") view=lazy::audit() ssr=SsrMode::Async/>
                    <Route path=path!("administrators") view=lazy::administrators() ssr=SsrMode::Async/>
                    <Route path=path!("account") view=lazy::account() ssr=SsrMode::Async/>
                    <Route path=path!("confirm") view=lazy::confirm() ssr=SsrMode::Async/>
                    <Route path=path!("network") view=lazy::network() ssr=SsrMode::Async/>
                    <Route path=path!("settings") view=lazy::settings() ssr=SsrMode::Async/>
                    <Route path=path!("help") view=lazy::help() ssr=SsrMode::Async/>
                </ParentRoute>
            </Routes>
        </Router>
    }
}
