//! What the role of whoever looks may do. It decides what is drawn and nothing else: `control` refuses all the same.

use domain::admin::Role;
use leptos::prelude::*;

use crate::visit;

/// Whether whoever looks has at least this role. The same on the server and while the page is brought to life.
pub fn may(role: Role) -> bool {
    visit::role().is_some_and(|own| own >= role)
}

/// Says why something is missing, to those it is missing for: `to` finishes the sentence "… may ….".
#[component]
pub fn NeedsRole(role: Role, to: &'static str) -> impl IntoView {
    let own = visit::role().filter(|own| *own < role);
    own.map(|own| {
        let who = if role == Role::Owner { "an owner" } else { "an operator or owner" };
        view! {
            <p role="note" class="mb-4 rounded-box border border-base-300 bg-base-100 px-4 py-3 text-sm text-muted">
                {format!("Your role is {own}: you may read this page; only {who} may {to}.")}
            </p>
        }
    })
}

/// Forms that only this role may send: drawn for everybody, and locked for those who may not.
#[component]
pub fn Locked(role: Role, children: Children) -> impl IntoView {
    view! { <fieldset class="contents" disabled=!may(role)>{children()}</fieldset> }.into_any()
}
