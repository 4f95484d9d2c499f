//! Section: what happens to a request.

use domain::{balance::Balance, dashboard::HelpFacts};
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
            "Choosing a backend",
            format!(
                "Among the backends that have the model, those that are switched off, drained, ejected or full are left out, and of the rest \
                 those of the highest priority are looked at first. This gateway has {backends}; the strategy in force is {} (Settings).",
                strategy(facts.balance).0
            ),
        ),
        (
            "When all are busy",
            if facts.queue_max == 0 {
                "The request is answered 503 with Retry-After: no queue is kept (Settings).".to_owned()
            } else {
                format!(
                    "Up to {} wait for a slot, each at most {}; what finds no place or waits longer is answered 503 with Retry-After. Keys take turns \
                     by the tokens they use, so that one key\u{2019}s flood does not hold up another\u{2019}s single request. \
                     GET /fortress/v1/queue tells a key its place.",
                    plural(facts.queue_max.into(), "request"),
                    plural(facts.queue_seconds.into(), "second"),
                )
            },
        ),
        (
            "When a backend fails",
            "A request goes to another backend only while nothing of an answer has reached the caller, and never because a first byte is slow. \
             A backend or a model on it that fails again and again is ejected, first for 10 seconds, then longer, tried with one request, and gets its \
             part of the work back step by step."
                .to_owned(),
        ),
        (
            "Drain",
            "A drained backend finishes what it has and gets nothing new, until it is taken back: for maintenance without losses, on the Backends page \
             or with ollama-fortress backend drain NAME --wait."
                .to_owned(),
        ),
        (
            "Rolling upgrade",
            "One backend after another is drained, handed over to you, looked at, and given back the models it had loaded, while the others serve: from \
             the Backends page, or with ollama-fortress fleet upgrade, which can run a command of yours for each. The next one begins only while every \
             model is served elsewhere."
                .to_owned(),
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
    let strategies = Balance::ALL.map(|balance| {
        let (name, rule) = strategy(balance);
        let now = (balance == facts.balance).then(|| view! { <span class="badge badge-soft ml-2">"in force"</span> });
        view! { <div><dt class="font-medium">{name}<code class="ml-2 text-sm text-muted">{balance.name()}</code>{now}</dt><dd class="text-muted">{rule}</dd></div> }
    });
    view! {
        <Section id="routing">
            <Terms terms />
            <h3 class="mt-2 font-semibold">"Strategies"</h3>
            <dl class="flex flex-col gap-2">{strategies.into_iter().collect_view()}</dl>
        </Section>
    }
    .into_any()
}

/// Name and rule of a strategy.
fn strategy(balance: Balance) -> (&'static str, &'static str) {
    match balance {
        Balance::WarmFirst => (
            "Warm first",
            "A backend where the model is loaded or loading; never a cold one while a warm one has a free slot. Else one that works on \
             nothing else, so that loading disturbs nobody. Among equals the fewest requests in flight by weight.",
        ),
        Balance::LeastInFlight => {
            ("Least in flight", "The fewest requests in flight, divided by the weight, wherever the model is loaded.")
        }
        Balance::RoundRobin => ("Round robin", "One after the other, whatever they have to do. Weights do not count."),
        Balance::Weighted => ("Weighted", "At random, each as often as its part of all weights."),
        Balance::Affinity => (
            "Affinity",
            "The same session, or the same beginning of a prompt, goes to the same backend, which may still have it in its cache, unless that one \
             has over a quarter more than its part of the requests in flight.",
        ),
    }
}
