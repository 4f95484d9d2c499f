//! Section: asking models from the admin pages.

use leptos::prelude::*;

use super::section::Section;

#[component]
pub fn Playground() -> impl IntoView {
    view! {
        <Section id="playground">
            <p>
                "On the "<a class="link" href="/admin/playground">"Playground"</a>
                " page operators and owners ask any model of the fleet, or any alias, without a key: to see whether a model answers as it should, how fast, and what two models make of the same prompt. It goes the way of every request: the default limit, the queue and the choice of a backend are the same, and usage and the request log have it under "
                <code>"Playground (NAME)"</code>", with the name of who asked. Models cannot be loaded, pulled or deleted there."
            </p>
            <p>
                "Below an answer stands what is known of it: the backend, whether the model was warm, the time to the first words as your browser saw it, the tokens and how many a second as the backend measured them. Stopping an answer, leaving the page and signing out free the backend at once."
            </p>
            <p>
                "A conversation is in its browser tab and nowhere else; the gateway keeps and logs no word of it. Export saves it as a file, pictures and options with it, and Import reads such a file again. What models write is shown as text, lists, tables and code, and pictures they point to are never fetched."
            </p>
            <p>
                "The tab Embeddings compares up to 50 phrases by an embedding model, or by two: a table says how alike every two are, and a plane shows them near or far from each other."
            </p>
        </Section>
    }
}
