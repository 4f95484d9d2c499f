//! Section: who may come in.

use leptos::prelude::*;

use super::section::{Section, Terms};
use crate::components::code_block::CodeBlock;

const RESET: &str = "ollama-fortress settings reset network";

#[component]
pub fn Network() -> impl IntoView {
    let terms = vec![
        (
            "Allowed and denied addresses",
            "Lists of addresses and networks, for the API and for these pages apart, on the Network page or as ALLOWED_IPS, DENIED_IPS, ADMIN_ALLOWED_IPS and ADMIN_DENIED_IPS. Denied wins. They count before any key or password is looked at. Behind a reverse proxy set TRUSTED_PROXIES, or every caller has the proxy\u{2019}s address.".to_owned(),
        ),
        (
            "A listener for these pages alone",
            "ADMIN_LISTEN=127.0.0.1:8081 moves them to a port of their own; the port of the API then knows none of their paths.".to_owned(),
        ),
        (
            "TLS",
            "TLS_CERT and TLS_KEY name PEM files, which are read again when they change; or upload a pair on the Network page, or have one made for a LAN. Plain requests to the port are then refused, or led to https where a browser asks for a page.".to_owned(),
        ),
        (
            "Only over TLS (HSTS)",
            "HSTS_DAYS, or the field on the Network page, tells browsers that came over TLS to refuse plain HTTP at this host name for so many days: on every port of it, and also after you turned TLS off. Begin with 1; 0 takes it back. It is never sent over plain HTTP, and browsers ignore it for bare addresses.".to_owned(),
        ),
        (
            "Scripts of web pages (CORS)",
            "Off unless their origins are listed, each exactly, on the Network page or as CORS_ORIGINS. A key is needed all the same.".to_owned(),
        ),
        (
            "Where backends may be",
            "Anywhere but link-local, multicast and metadata addresses; BACKEND_NETWORKS narrows it further.".to_owned(),
        ),
        (
            "Administrators",
            "Viewers read these pages, operators also run backends, users and keys, owners do everything, on the Administrators page. Everybody has an account page: password, second factor, and where one is signed in. Dangerous changes ask for the password again after ten minutes.".to_owned(),
        ),
        (
            "Audit",
            "Every action in these pages and on the command line, and every refused one, is on the Audit page: who, when, from where, before and after, never a secret. It can be filtered and exported, and nobody can change it. ollama-fortress audit list prints it.".to_owned(),
        ),
        (
            "Metrics",
            "Prometheus reads /metrics on the port of these pages, with METRICS_TOKEN (16 characters or more) as its bearer token; whoever is signed in may read them, too. Nothing of a caller is in them.".to_owned(),
        ),
        (
            "Guessing",
            "Five wrong passwords for an account or from an address, or a hundred from everybody together, close the door for five minutes. A browser that signed in before has tries of its own, so nobody locks you out by guessing.".to_owned(),
        ),
    ];
    view! {
        <Section id="network">
            <Terms terms />
            <p>"Locked out? On the gateway\u{2019}s machine, whether it runs or not, this forgets what was saved on the Network page:"</p>
            <CodeBlock code=RESET/>
        </Section>
    }
}
