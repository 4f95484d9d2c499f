//! Section: a file that holds everything, and getting back from it.

use leptos::prelude::*;

use super::section::Section;
use crate::components::code_block::CodeBlock;

const BACKUP: &str = "ollama-fortress backup today.backup
ollama-fortress backup verify today.backup";
const RESTORE: &str = "# with the gateway stopped
ollama-fortress restore today.backup";

#[component]
pub fn Backup() -> impl IntoView {
    view! {
        <Section id="backup">
            <p>
                "On the gateway\u{2019}s machine, while it runs or not, this writes everything but the sessions into one file. It asks for a passphrase, without which the file is worth nothing: keep the two apart, and neither on this machine alone."
            </p>
            <CodeBlock code=BACKUP/>
            <p>"Back from it, here or on a new machine, where the API keys work as before:"</p>
            <CodeBlock code=RESTORE/>
            <p>
                "What was there is kept beside it. Keys that were revoked after the backup stay revoked; what else differs is listed. The key that stored secrets are sealed with is changed by "
                <code>"ollama-fortress secrets rotate"</code>"; API keys go on working."
            </p>
        </Section>
    }
}
