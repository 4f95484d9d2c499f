//! For tests: a view as the HTML the server would send.

use domain::admin::Role;
use leptos::prelude::*;
use leptos_router::{components::Router, location::RequestUrl};

use crate::visit::{self, Visit};

/// Renders `view` inside a router at `/admin`, as an owner sees it. Needs the feature `ssr`, which the workspace's tests have.
pub(crate) fn html<V: IntoView + 'static>(view: impl FnOnce() -> V + Send + 'static) -> String {
    let owner = Owner::new();
    let html = owner.with(|| {
        provide_context(RequestUrl::new("/admin"));
        leptos_meta::provide_meta_context();
        provide_context(Visit { role: Some(Role::Owner), ..Visit::default() });
        visit::provide();
        view! { <Router>{view()}</Router> }.to_html()
    });
    drop(owner);
    html
}
