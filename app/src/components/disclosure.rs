//! Parts that open in place. Built on `<details>`, so they work without JavaScript.

use leptos::{html, prelude::*};

/// A button-like `label` that opens `children` under it.
#[component]
pub fn Disclosure(
    label: &'static str,
    #[prop(default = "btn btn-sm")] class: &'static str,
    /// Bound by callers that close it, see [`close`].
    #[prop(optional)]
    details: NodeRef<html::Details>,
    /// Open from the start: something inside wants to be seen.
    #[prop(optional)]
    open: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <details class="group open:order-last open:basis-full" node_ref=details open=open>
            <summary class=format!("{class} list-none")>
                <span class="group-open:hidden">{label}</span>
                <span class="hidden group-open:inline">"Cancel"</span>
            </summary>
            <div class="mt-3 rounded-box border border-base-300 bg-base-200 p-4">{children()}</div>
        </details>
    }
    .into_any()
}

/// A step before something that cannot be undone: `question` and, in `children`, the form that does it.
#[component]
pub fn Confirm(
    label: &'static str,
    #[prop(into)] question: String,
    #[prop(optional)] open: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <Disclosure label class="btn btn-sm btn-ghost text-error" open>
            <p class="mb-3 max-w-prose text-sm">{question}</p>
            {children()}
        </Disclosure>
    }
    .into_any()
}

pub fn close(details: NodeRef<html::Details>) {
    if let Some(details) = details.get_untracked() {
        details.set_open(false);
    }
}
