//! Section: from a user to a call.

use domain::dashboard::HelpFacts;
use leptos::prelude::*;

use super::section::Section;
use crate::components::copy_button::CopyButton;

#[component]
pub fn Start(facts: HelpFacts) -> impl IntoView {
    let address = facts.address;
    view! {
        <Section id="start">
            <p>
                "The gateway stands before your Ollama servers as their only door. Programs call it exactly as they would call Ollama, with a key; it sends each call to a server that has the model and passes the answer on as it comes."
            </p>
            <ol class="list-decimal space-y-2 pl-6">
                <li><strong>"Add a user."</strong>" On the "<a class="link" href="/admin/users">"Users"</a>" page. A user owns keys; take one for every person or application, so that you can tell their usage apart."</li>
                <li><strong>"Create a key."</strong>" Open the user and choose \u{201c}Create key\u{201d}."</li>
                <li><strong>"Copy the key."</strong>" It is shown once. The gateway keeps only a fingerprint of it, so a lost key cannot be looked up: revoke it and create another."</li>
                <li><strong>"Call the gateway."</strong>" Use its address in place of Ollama\u{2019}s, and send the key as a bearer token in the "<code>"Authorization"</code>" header."</li>
            </ol>
            <p class="flex flex-wrap items-center gap-2">"Address of this gateway: "<code class="rounded bg-base-300 px-2 py-1">{address.clone()}</code><CopyButton text=address/></p>
        </Section>
    }
}
