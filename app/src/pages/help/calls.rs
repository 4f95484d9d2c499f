//! Section: calls to paste.

use domain::dashboard::HelpFacts;
use leptos::prelude::*;

use super::section::Section;
use crate::{
    components::code_block::{CodeBlock, ExampleTabs},
    examples::{self, KEY_PLACEHOLDER, MODEL_PLACEHOLDER},
};

#[component]
pub fn Calls(facts: HelpFacts) -> impl IntoView {
    let model = facts.model.unwrap_or_else(|| MODEL_PLACEHOLDER.to_owned());
    let address = facts.address;
    view! {
        <Section id="calls">
            <p>"Put your own key in place of "<code>{KEY_PLACEHOLDER}</code>"."</p>
            <h3 class="font-medium">"List the models of all backends"</h3>
            <CodeBlock code=examples::curl_tags(&address, KEY_PLACEHOLDER).code/>
            <h3 class="font-medium">"A whole answer at once"</h3>
            <CodeBlock code=examples::curl_whole(&address, KEY_PLACEHOLDER, &model).code/>
            <h3 class="font-medium">"A streamed answer"</h3>
            <ExampleTabs examples=examples::all(&address, KEY_PLACEHOLDER, &model)/>
        </Section>
    }
}
