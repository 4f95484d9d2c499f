//! Section: what happens to a request.

use domain::dashboard::HelpFacts;
use leptos::prelude::*;

use super::section::{Section, Terms};
use crate::format::plural;

#[component]
pub fn Routing(facts: HelpFacts) -> impl IntoView {
    let interval = plural(u64::from(facts.catalogue_interval_s), "second");
    let backends = plural(facts.backends, "backend");
    let terms = vec![
        (
            "Live overview",
            "The dashboard shows every backend as it is now: whether it answers, its models, the requests it is working on and what went wrong last, \
             with the requests and tokens of the last hour. It updates by itself."
                .to_owned(),
        ),
        (
            "A key for every call",
            "Calls of the Ollama, OpenAI and Anthropic interfaces all need a valid key, the list of models included. Without one the answer is 401 and no \
             backend hears of it."
                .to_owned(),
        ),
        (
            "Round robin",
            format!("Requests take turns among the backends that are switched on and have the model. This gateway has {backends} now."),
        ),
        (
            "Routing by model",
            "A request goes only to backends that really have its model, by the same rules for names that Ollama uses: llama3 and llama3:latest are one. \
             A model that no backend has is answered with Ollama\u{2019}s own error."
                .to_owned(),
        ),
        (
            "One list of models",
            format!(
                "/api/tags, /api/ps and /v1/models list the models of all backends, each once. The gateway asks the backends in the background every \
                 {interval}, and at once after one was added, so a backend that hangs never delays the list."
            ),
        ),
        (
            "True streaming",
            "Answers are passed on byte for byte as they arrive. A program that hangs up ends the work on the backend at once.".to_owned(),
        ),
    ];
    view! { <Section id="routing"><Terms terms/></Section> }
}
