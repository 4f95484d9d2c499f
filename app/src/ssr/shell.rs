//! The HTML document around the app. Every script carries the response's nonce.

use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::MetaTags;

use crate::{App, Assets, visit::Visit};

/// The whole document. A page that shows a secret once is not hydrated: it then is in this HTML and nowhere else.
pub(super) fn shell(assets: Assets) -> impl IntoView {
    let visit = use_context::<Visit>().unwrap_or_default();
    let answer = visit.answer.as_ref().and_then(|answer| serde_json::to_string(answer).ok());
    let Assets { js, loader, wasm, css, chart_js, reload_js } = assets;
    let reload = reload_js.map(|src| view! { <script defer src=src nonce=use_nonce()></script> });
    let hydrate = (!visit.shows_secret()).then(|| {
        let start = format!(
            "import init, {{ hydrate }} from {js:?}; init({{ module_or_path: {wasm:?} }}).then(() => hydrate());"
        );
        view! {
            <link rel="modulepreload" href=js nonce=use_nonce()/>
            <link rel="modulepreload" href=loader nonce=use_nonce()/>
            <script defer src=chart_js nonce=use_nonce()></script>
            <script type="module" nonce=use_nonce()>{start}</script>
        }
    });
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=visit.theme.name() data-unencrypted=visit.unencrypted.then_some("true") data-answer=answer data-role=visit.role.map(|role| role.as_str())>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="robots" content="noindex, nofollow"/>
                <link rel="icon" type="image/svg+xml" href="/pkg/favicon.svg"/>
                <link rel="stylesheet" href=css/>
                {hydrate}
                {reload}
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}
