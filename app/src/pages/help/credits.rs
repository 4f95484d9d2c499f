//! Section: who this stands on.

use leptos::prelude::*;

use super::section::Section;

/// Projects inside this program, with what each does here.
const PROJECTS: [(&str, &str, &str); 14] = [
    ("Leptos", "https://leptos.dev", "these pages, on the server and in the browser"),
    ("Axum", "https://github.com/tokio-rs/axum", "routing of the pages"),
    ("hyper", "https://hyper.rs", "HTTP on the way of every request"),
    ("Tokio", "https://tokio.rs", "the asynchronous runtime"),
    ("SurrealDB", "https://surrealdb.com", "the database inside the program"),
    ("rustls", "https://github.com/rustls/rustls", "TLS to backends"),
    ("reqwest", "https://github.com/seanmonstar/reqwest", "probes of backends"),
    ("RustCrypto", "https://github.com/RustCrypto", "password hashes and encryption"),
    ("serde", "https://serde.rs", "reading and writing data"),
    ("wasm-bindgen", "https://github.com/wasm-bindgen/wasm-bindgen", "Rust in the browser"),
    ("Chart.js", "https://www.chartjs.org", "the charts"),
    ("chart-js-rs", "https://github.com/Billy-Sheppard/chart-js-rs", "Chart.js from Rust"),
    ("Tailwind CSS", "https://tailwindcss.com", "the styles"),
    ("daisyUI", "https://daisyui.com", "buttons, forms and themes"),
];

#[component]
pub fn Credits(version: String) -> impl IntoView {
    let projects = PROJECTS
        .into_iter()
        .map(|(name, href, what)| view! { <li><External href name/>": "{what}</li> })
        .collect_view();
    view! {
        <Section id="credits">
            <p>
                "Ollama Proxy Fortress follows "<External href="https://github.com/ParisNeo/ollama_proxy_server" name="ollama_proxy_server"/>
                " by "<strong>"Saifeddine ALOUI (ParisNeo)"</strong>" and its contributors, published under the Apache License 2.0. The idea, the names of its settings and the flow of these pages are theirs: thank you! Visit that project to contribute, to report issues or to leave a star."
            </p>
            <p>"That project was built with FastAPI, SQLAlchemy and Jinja2. This program is written in Rust and stands on:"</p>
            <ul class="list-disc space-y-1 pl-6">{projects}</ul>
            <p>"It speaks to "<External href="https://ollama.com" name="Ollama"/>", without which there would be nothing to guard."</p>
            <p class="text-sm text-muted">"Version "{version}</p>
        </Section>
    }
}

#[component]
fn External(href: &'static str, name: &'static str) -> impl IntoView {
    view! { <a class="link" href=href target="_blank" rel="noopener noreferrer">{name}</a> }
}
