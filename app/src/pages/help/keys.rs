//! Section: limits of keys, and what their states mean.

use domain::dashboard::HelpFacts;
use leptos::prelude::*;

use super::section::{Section, Terms};

#[component]
pub fn Keys(facts: HelpFacts) -> impl IntoView {
    let default_limit = match facts.default_limit {
        Some(limit) => format!("at most {limit}"),
        None => "no limit".to_owned(),
    };
    let fields = vec![
        ("Requests", "How many requests the key may make within the window.".to_owned()),
        (
            "Window (Minutes)",
            "How long the window is. It slides: the limit holds in every interval of this length.".to_owned(),
        ),
    ];
    let states = vec![
        ("Active", "The key works.".to_owned()),
        ("Disabled", "The key is refused until you enable it again. Use it to pause an application.".to_owned()),
        (
            "Revoked",
            "The key is destroyed for good and can never be enabled again; its usage stays in the books. Use it when a key has leaked or is no longer needed."
                .to_owned(),
        ),
    ];
    view! {
        <Section id="keys">
            <h3 class="font-medium">"A limit for one key"</h3>
            <p>"A key can have a limit of its own, given when it is created or changed later. Fill in both fields or leave both empty."</p>
            <Terms terms=fields/>
            <p>"Example: with "<code>"100"</code>" requests and a window of "<code>"5"</code>" minutes the key can be used 100 times in any 5 minutes. Further calls are answered with 429 and a "<code>"Retry-After"</code>" header that says when to try again."</p>
            <p>
                "A key without a limit of its own has the default limit: "<strong>{default_limit}</strong>" now. Change it on the "
                <a class="link" href="/admin/settings">"Settings"</a>" page, or start the gateway with "<code>"RATE_LIMIT_REQUESTS"</code>" and "
                <code>"RATE_LIMIT_WINDOW_MINUTES"</code>" in its "<code>".env"</code>" file or environment. What is saved on the page wins."
            </p>
            <h3 class="font-medium">"Limits and permissions"</h3>
            <p>
                "Beside the request limit a key, and all keys of a user together, can be held to requests at once, tokens a minute, a day and a month, GPU seconds a day, a list of models, source networks, a time of expiry and ceilings for "
                <code>"num_ctx"</code>", "<code>"num_predict"</code>" and "<code>"keep_alive"</code>". Open \u{201c}Limits and permissions\u{201d} on the user's page; each key shows there where it stands. Days and months are those of UTC, and a restart does not begin them anew."
            </p>
            <p>
                "Managing models (pull, push, create, copy, delete) takes a permission of the key or its user. Which other endpoints keys reach is on the "
                <a class="link" href="/admin/settings">"Settings"</a>" page under \u{201c}Endpoint protection\u{201d}."
            </p>
            <h3 class="font-medium">"Status of a key"</h3>
            <Terms terms=states/>
            <p>"Every change is in force from the moment the page confirms it."</p>
            <p>"What each user and key used, over time and of which model, is on the "<a class="link" href="/admin/usage">"Usage"</a>" page."</p>
        </Section>
    }
}
