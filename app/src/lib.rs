//! The admin app: one Leptos program compiled twice, as pages for the server (`ssr`) and as WebAssembly for the browser
//! (`hydrate`). Here are only the root component and the route table.

// Views are types nested as deep as their elements.
#![recursion_limit = "256"]

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
    pages::{
        account::AccountPage,
        administrators::AdministratorsPage,
        audit::AuditPage,
        backends::BackendsPage,
        confirm::ConfirmPage,
        dashboard::DashboardPage,
        help::HelpPage,
        layout::Layout,
        login::{CodePage, LoginPage},
        network::NetworkPage,
        not_found::NotFoundPage,
        settings::SettingsPage,
        setup::SetupPage,
        upgrade::UpgradePage,
        user::UserPage,
        users::UsersPage,
    },
    session::SessionWatch,
};

/// URL paths of the built files, for example `/pkg/ollama-fortress.1a2b3c.js`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assets {
    pub js: String,
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
                <Route path=path!("/admin/login") view=LoginPage ssr=SsrMode::Async/>
                <Route path=path!("/admin/login/code") view=CodePage ssr=SsrMode::Async/>
                <Route path=path!("/admin/setup") view=SetupPage ssr=SsrMode::Async/>
                <ParentRoute path=path!("/admin") view=Layout ssr=SsrMode::Async>
                    <Route path=path!("") view=DashboardPage ssr=SsrMode::Async/>
                    <Route path=path!("backends") view=BackendsPage ssr=SsrMode::Async/>
                    <Route path=path!("backends/upgrade") view=UpgradePage ssr=SsrMode::Async/>
                    <Route path=path!("users") view=UsersPage ssr=SsrMode::Async/>
                    <Route path=path!("users/:id") view=UserPage ssr=SsrMode::Async/>
                    <Route path=path!("audit") view=AuditPage ssr=SsrMode::Async/>
                    <Route path=path!("administrators") view=AdministratorsPage ssr=SsrMode::Async/>
                    <Route path=path!("account") view=AccountPage ssr=SsrMode::Async/>
                    <Route path=path!("confirm") view=ConfirmPage ssr=SsrMode::Async/>
                    <Route path=path!("network") view=NetworkPage ssr=SsrMode::Async/>
                    <Route path=path!("settings") view=SettingsPage ssr=SsrMode::Async/>
                    <Route path=path!("help") view=HelpPage ssr=SsrMode::Async/>
                </ParentRoute>
            </Routes>
        </Router>
    }
}
