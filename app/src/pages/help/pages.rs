//! Sections: what the pages show, and what can be done there.

use leptos::prelude::*;

use super::section::{Section, Terms};

/// A section that is a paragraph and terms.
fn section(id: &'static str, about: &'static str, terms: &[(&'static str, &'static str)]) -> AnyView {
    let terms = terms.iter().map(|(term, meaning)| (*term, (*meaning).to_owned())).collect();
    view! { <Section id><p>{about}</p><Terms terms /></Section> }.into_any()
}

#[component]
pub fn Dashboard() -> impl IntoView {
    section(
        "dashboard",
        "How the gateway is now. The page goes on by itself; where it cannot, it says since when it shows what was.",
        &[
            (
                "Needs attention",
                "What you may have to do something about, worst first, each with the way to where it is mended: a backend that is down, left out after failures or drained, a queue, a lost Redis, keys and users at a limit, a model that is not the same everywhere, a disk that is nearly full, certificates that end.",
            ),
            (
                "Requests and tokens",
                "The last hour by the minute. Failed is what ended in an error, whosever it was; what each of them was is on the Requests page.",
            ),
            (
                "Slow requests",
                "The latest that were kept waiting, each with its reason in one sentence, which leads to the request.",
            ),
        ],
    )
}

#[component]
pub fn Fleet() -> impl IntoView {
    section(
        "fleet",
        "The servers that do the work. A backend that is added serves at once; one that is removed here stays removed, whatever the environment says.",
        &[
            (
                "Requests at once",
                "Empty: learned from the backend\u{2019}s own refusals. Set it where you know better, for example what OLLAMA_NUM_PARALLEL allows.",
            ),
            (
                "Weight and priority",
                "Of the backends that could take a request those with the highest priority are looked at first; the weight says how much of the work is a backend\u{2019}s part.",
            ),
            (
                "Token",
                "Sent to the backend in place of the caller\u{2019}s key, which no backend ever sees. It is kept sealed and not shown again.",
            ),
            (
                "Switch off, drain, remove",
                "Switched off, a backend gets nothing new at once. Drained, it finishes what it has, which you can watch; take it back when you are done. Both outlive a restart.",
            ),
            (
                "Its own page",
                "The name leads to it: its models with what can be done to them, and the history of its requests, errors and times.",
            ),
        ],
    )
}

#[component]
pub fn Models() -> impl IntoView {
    section(
        "models",
        "Every model of all backends once, as the backends\u{2019} last answers say.",
        &[
            (
                "Warm",
                "Loaded in a backend\u{2019}s memory, and for how long. A request for a cold model waits until it is loaded, which may push another one out.",
            ),
            (
                "Load, keep, unload",
                "Sent to the backends you choose; what each of them made of it is told. Keep holds the model until you unload it or the backend restarts.",
            ),
            (
                "Copy and delete",
                "Copy gives a model another name on the same backends. Delete removes its files and asks you to type the name; requests for it are answered 404 where nobody else has it.",
            ),
            (
                "Differs",
                "Backends have different files under one name, so that answers depend on which of them is chosen. Pull the model again where it is old.",
            ),
        ],
    )
}

#[component]
pub fn AliasNames() -> impl IntoView {
    section(
        "aliases",
        "A name that clients ask for, and an ordered list of models that stand for it. Change the list, and every client uses the other model from its next request on.",
        &[
            (
                "Which model answers",
                "The first of the list that the key may use and a backend can take; the next one where that turns out to be gone. The header x-fortress-model tells the client which it was.",
            ),
            (
                "Aliases of aliases",
                "An alias may stand in the list of another. One that would lead to itself is refused.",
            ),
            (
                "The name of a model",
                "An alias may have it, and hides the model then: so a model can be replaced without telling anybody.",
            ),
            (
                "The model auto",
                "Switched on below the aliases, it gets each request a model that its key may use: one that makes embeddings, sees images or uses tools where the request needs that; one for code where the user's last message has a code fence or a word like code, function, python or sql (the README has all of them); then by your order. The header x-fortress-auto and the request log say why. It hides a model of its name.",
            ),
        ],
    )
}

#[component]
pub fn Requests() -> impl IntoView {
    section(
        "requests",
        "Every request with a valid key, newest first, for as many days as the Settings say. No prompt and no answer is kept.",
        &[
            (
                "Finding one",
                "The filter takes a time, key, user, model, backend, endpoint, status and outcome, and the x-request-id that every answer carries: ask whoever reports a fault for it. What is asked for stands in the address, which you can pass on.",
            ),
            ("Live", "New requests come in at the top while you watch, within the same filter."),
            (
                "One request",
                "Its own page shows where the time went: in the queue, loading the model, until the first token, answering; and why its backend was chosen.",
            ),
            ("Export", "What the filter shows, as CSV or as JSON lines. Who exported it is in the audit log."),
        ],
    )
}

#[component]
pub fn Usage() -> impl IntoView {
    section(
        "usage",
        "What was used, over time and by whom or of what: requests, tokens, GPU seconds, errors and times. Sums stay longer than single requests; both are settings.",
        &[
            (
                "Range, step and time zone",
                "A range by one click, or days of your own. Steps are as long as fits, or hours, days or weeks, in your browser\u{2019}s time zone unless you name another.",
            ),
            ("Group by", "User, key, model, backend or endpoint: the largest are shown, the rest together."),
            (
                "Tokens that are estimated",
                "Where an answer did not say how many tokens it had, for example because the caller hung up, they are estimated.",
            ),
            ("Take it along", "Each chart as PNG or as a table, totals and groups as CSV and JSON lines."),
        ],
    )
}

#[component]
pub fn Settings() -> impl IntoView {
    section(
        "settings",
        "What can be changed while the gateway runs. All fields are saved together or not at all, and count from the moment the page says so.",
        &[
            (
                "Where a value comes from",
                "Each field says it. The default counts until the environment (or .env) says something else, and what is saved here wins over both.",
            ),
            (
                "Reset",
                "Forgets the saved value of one setting, and says before what will count then. What the environment sets cannot be reset here: there is nothing saved.",
            ),
            (
                "Two at once",
                "Of two administrators who save at the same time the second is told, and sees the other\u{2019}s values beside what was typed.",
            ),
            (
                "Look",
                "The title and the logo are on every page and on the sign-in page. An accent counts in the light and the dark theme; it is made darker or lighter where it could not be read, and the field says to what. Pages that are open show all of it once they are loaded again.",
            ),
            (
                "Back to the beginning",
                "On the gateway\u{2019}s machine ollama-fortress settings reset all forgets everything that was saved.",
            ),
        ],
    )
}
