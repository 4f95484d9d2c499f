//! Code to paste, and the same call with several clients.

use leptos::prelude::*;

use super::copy_button::CopyButton;
use crate::examples::Example;

/// Code with a copy button.
#[component]
pub fn CodeBlock(#[prop(into)] code: String) -> impl IntoView {
    view! {
        <div class="relative">
            <pre class="overflow-x-auto rounded-box bg-base-300 p-4 pr-20 text-sm leading-relaxed" tabindex="0"><code>{code.clone()}</code></pre>
            <div class="absolute top-2 right-2"><CopyButton text=code/></div>
        </div>
    }
}

/// The examples as tabs that need no JavaScript. `group` must be unique on the page.
#[component]
pub fn ExampleTabs(examples: Vec<Example>, #[prop(default = "examples")] group: &'static str) -> impl IntoView {
    let tabs = examples
        .into_iter()
        .enumerate()
        .map(|(at, Example { title, install, code })| {
            view! {
                <input type="radio" name=group class="tab" aria-label=title checked=at == 0/>
                <div class="tab-content pt-3">
                    {install.map(|install| view! { <p class="mb-2 text-sm text-muted">"First: "<code>{install}</code></p> })}
                    <CodeBlock code/>
                </div>
            }
        })
        .collect_view();
    view! { <div class="tabs tabs-border">{tabs}</div> }
}
