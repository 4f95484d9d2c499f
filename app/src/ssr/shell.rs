//! The HTML document around the app. Every script carries the response's nonce.

use control::{Accent, Shade};
use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::MetaTags;

use crate::{App, Assets, visit::Visit};

/// The whole document. A page that shows a secret once is not hydrated: it then is in this HTML and nowhere else.
pub(super) fn shell(assets: Assets) -> impl IntoView {
    let visit = use_context::<Visit>().unwrap_or_default();
    let answer = visit.answer.as_ref().and_then(|answer| serde_json::to_string(answer).ok());
    let look = visit.look.clone();
    let logo = look.logo.as_ref().map(|logo| format!("{} {} {}", logo.address, logo.width, logo.height));
    let icon = match look.logo {
        Some(logo) => view! { <link rel="icon" href=logo.address/> }.into_any(),
        None => view! { <link rel="icon" type="image/svg+xml" href="/pkg/favicon.svg"/> }.into_any(),
    };
    let accent = visit.accent.clone().map(|rules| view! { <style nonce=use_nonce()>{rules}</style> });
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
        <html lang="en" data-theme=visit.theme.name() data-title=look.title data-logo=logo data-unencrypted=visit.unencrypted.then_some("true") data-answer=answer data-role=visit.role.map(|role| role.as_str())>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="robots" content="noindex, nofollow"/>
                {icon}
                <link rel="stylesheet" href=css/>
                {accent}
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

/// The accent for the light and the dark theme, whoever chose it: the viewer or the system.
pub(super) fn accent_css(accent: &Accent) -> String {
    let rule = |selector: &str, Shade { colour, content }: &Shade| {
        format!("{selector}{{--color-primary:{colour};--color-primary-content:{content}}}")
    };
    let (system, light, dark) = (":root:not([data-theme])", ":root[data-theme=light]", ":root[data-theme=dark]");
    let dark_system = rule(system, &accent.dark);
    format!(
        "{}@media (prefers-color-scheme:dark){{{dark_system}}}{}",
        rule(&format!("{system},{light}"), &accent.light),
        rule(dark, &accent.dark)
    )
}
