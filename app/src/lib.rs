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
pub mod decode;
pub mod error;
pub mod examples;
pub mod format;
pub mod pages;
pub mod reading;
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
    pages::{
        layout::Layout,
        lazy::{
            account, administrators, aliases, audit, backend, backends, code, confirm, dashboard, help, history, login,
            models, network, playground, pulls, request, requests, settings, setup, upgrade, usage, user, users,
        },
        not_found::NotFoundPage,
    },
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
    let product = components::brand::look().title;
    view! {
        <Title formatter=move |title: String| format::document_title(&title, &product)/>
        <Router>
            <SessionWatch/>
            <ForgetAnswer/>
            <Routes fallback=NotFoundPage>
                <Route path=path!("/admin/login") view=login::route() ssr=SsrMode::Async/>
                <Route path=path!("/admin/login/code") view=code::route() ssr=SsrMode::Async/>
                <Route path=path!("/admin/setup") view=setup::route() ssr=SsrMode::Async/>
                <ParentRoute path=path!("/admin") view=Layout ssr=SsrMode::Async>
                    <Route path=path!("") view=dashboard::route() ssr=SsrMode::Async/>
                    <Route path=path!("backends") view=backends::route() ssr=SsrMode::Async/>
                    <Route path=path!("backends/upgrade") view=upgrade::route() ssr=SsrMode::Async/>
                    <Route path=path!("aliases") view=aliases::route() ssr=SsrMode::Async/>
                    <Route path=path!("backends/:id") view=backend::route() ssr=SsrMode::Async/>
                    <Route path=path!("backends/:id/history") view=history::route() ssr=SsrMode::Async/>
                    <Route path=path!("models") view=models::route() ssr=SsrMode::Async/>
                    <Route path=path!("users") view=users::route() ssr=SsrMode::Async/>
                    <Route path=path!("users/:id") view=user::route() ssr=SsrMode::Async/>
                    <Route path=path!("requests") view=requests::route() ssr=SsrMode::Async/>
                    <Route path=path!("requests/:id") view=request::route() ssr=SsrMode::Async/>
                    <Route path=path!("playground") view=playground::route() ssr=SsrMode::Async/>
                    <Route path=path!("usage") view=usage::route() ssr=SsrMode::Async/>
                    <Route path=path!("audit") view=audit::route() ssr=SsrMode::Async/>
                    <Route path=path!("administrators") view=administrators::route() ssr=SsrMode::Async/>
                    <Route path=path!("account") view=account::route() ssr=SsrMode::Async/>
                    <Route path=path!("confirm") view=confirm::route() ssr=SsrMode::Async/>
                    <Route path=path!("pulls") view=pulls::route() ssr=SsrMode::Async/>
                    <Route path=path!("network") view=network::route() ssr=SsrMode::Async/>
                    <Route path=path!("settings") view=settings::route() ssr=SsrMode::Async/>
                    <Route path=path!("help") view=help::route() ssr=SsrMode::Async/>
                </ParentRoute>
            </Routes>
        </Router>
    }
}
