//! Code to paste, and the same call with several clients.

use leptos::prelude::*;

use super::copy_button::CopyButton;
use crate::examples::Example;

/// Code with a copy button.
#[component]
pub fn CodeBlock(#[prop(into)] code: String) -> impl IntoView {
    view! {
        <div class="relative flex flex-col rounded-box bg-base-300 md:block">
            // Above the code where there is no room beside it.
            <div class="self-end px-2 pt-2 md:absolute md:top-2 md:right-2 md:p-0"><CopyButton text=code.clone()/></div>
            <pre class="overflow-x-auto p-4 max-md:pt-2 text-sm leading-relaxed md:pr-20" tabindex="0"><code>{code}</code></pre>
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
