//! For tests: a view as the HTML the server would send.

use leptos::prelude::*;
use leptos_router::{components::Router, location::RequestUrl};

/// Renders `view` inside a router at `/admin`. Needs the feature `ssr`, which the workspace's tests have.
pub(crate) fn html<V: IntoView + 'static>(view: impl FnOnce() -> V + Send + 'static) -> String {
    let owner = Owner::new();
    let html = owner.with(|| {
        provide_context(RequestUrl::new("/admin"));
        leptos_meta::provide_meta_context();
        view! { <Router>{view()}</Router> }.to_html()
    });
    drop(owner);
    html
}
