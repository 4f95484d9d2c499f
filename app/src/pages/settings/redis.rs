//! Where Redis is: as single fields or as one address, a test of what is typed, and how it is with it now.

use domain::settings::{RedisState, RedisStatus, Sourced, redis_warning};
use leptos::{ev::MouseEvent, prelude::*, server_fn::ServerFn};
use serde::Deserialize;
use web_sys::{FormData, HtmlButtonElement};

use super::{
    setting::{Place, Shown, Unit, guide},
    typed,
};
use crate::{
    answer::ticked_or_tried,
    api::settings::{StoreSettings, TestRedis},
    components::{
        action::FormAction,
        area::Area,
        fault::FormFault,
        field::{Field, input_name},
    },
    format::sentence,
    pages::dashboard::feed,
    pages::redis_state::{RedisNews, State},
};

#[component]
pub(super) fn RedisSetting(
    shown: Shown,
    test: FormAction<TestRedis>,
    url: Sourced<String>,
    ca: Sourced<String>,
    has_password: bool,
) -> impl IntoView {
    let parts = Parts::of(&url.value);
    let password = if has_password {
        "One is stored. Empty keeps it, as long as the other fields stay."
    } else {
        "None is stored."
    };
    let line = move |name: &'static str, value: &str, kind: &'static str, placeholder: &'static str, now: &str| {
        // A password never comes back.
        let value = if kind == "password" { String::new() } else { typed(name, value) };
        let hint = shown.hint(name, now);
        view! {
            <Place shown name>
                <Field label=guide(name).label name kind value placeholder hint fault={shown.fault(name)} />
            </Place>
        }
        .into_any()
    };
    let tick = move |name: &'static str, checked: bool| {
        view! { <Place shown name><Checkbox name checked /></Place> }.into_any()
    };
    let address = [
        line("redis_host", &parts.host, "text", "127.0.0.1", ""),
        line("redis_port", &parts.port, "text", "6379", ""),
        line("redis_user", &parts.user, "text", "", ""),
        line("redis_password", "", "password", "", password),
        line("redis_database", &parts.database, "text", "0", ""),
        tick("redis_tls", ticked_or_tried::<StoreSettings, TestRedis>("redis_tls", parts.tls)),
        has_password.then(|| tick("redis_forget_password", false)).into_any(),
        line("redis_url", "", "text", "redis://user:password@127.0.0.1:6379/0", ""),
    ];
    const CA: &str = "redis_ca";
    let authority = typed(CA, &ca.value);
    view! {
        <Unit name="redis_host">{address.into_iter().collect_view()}</Unit>
        <Unit name=CA><Place shown name=CA>
            <Area label=guide(CA).label name=CA id=CA value=authority hint={shown.hint(CA, "")} fault={shown.fault(CA)} />
        </Place></Unit>
        <div class="flex flex-col items-start gap-2">
            <LiveState />
            <TestButton test />
            <TestResult test />
        </div>
    }
    .into_any()
}

/// The parts of an address without a password. Empty where there is none.
#[derive(Default)]
struct Parts {
    tls: bool,
    user: String,
    host: String,
    port: String,
    database: String,
}

impl Parts {
    fn of(url: &str) -> Self {
        let Some((scheme, rest)) = url.split_once("://") else { return Self::default() };
        let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, place) = place.rsplit_once('@').unwrap_or(("", place));
        let colon = place.rfind(':').filter(|at| !place[*at..].contains(']'));
        let (host, port) = colon.map_or((place, ""), |at| (&place[..at], &place[at + 1..]));
        let decoded = percent(user);
        Self { tls: scheme == "rediss", user: decoded, host: host.into(), port: port.into(), database: database.into() }
    }
}

/// Undoes the percent-encoding of a user name.
fn percent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = (first == b'%').then(|| tail.get(..2)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        rest = if byte.is_some() { &tail[2..] } else { tail };
        bytes.push(byte.unwrap_or(first));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[component]
fn Checkbox(name: &'static str, checked: bool) -> impl IntoView {
    view! {
        <label class="flex items-center gap-2 py-2 text-sm">
            <input type="checkbox" class="checkbox checkbox-sm" id=name name=input_name(name) value="on" checked=checked />
            {guide(name).label}
        </label>
    }
}

/// How it is with Redis, as it changes.
#[component]
fn LiveState() -> impl IntoView {
    /// What this page reads of the stream; nothing before it says something.
    #[derive(Default, Deserialize)]
    struct Status {
        redis: Option<RedisStatus>,
    }
    let feed::Feed { status, .. } = feed::follow(Status::default());
    let redis = Memo::new(move |_| status.with(|status| status.redis.clone()));
    Effect::new(move |_| {
        if let Some(status) = redis.get() {
            RedisNews::tell(status);
        }
    });
    move || redis.get().map(|status| view! { <State status /> })
}

/// Sends the form of the settings to the test instead: by script, or by `formaction` without.
#[component]
fn TestButton(test: FormAction<TestRedis>) -> impl IntoView {
    let pending = test.pending();
    let send = move |event: MouseEvent| {
        event.prevent_default();
        let form = event_target::<HtmlButtonElement>(&event).form();
        let typed = form.and_then(|form| FormData::new_with_form(&form).ok());
        if let Some(typed) = typed
            && !pending.get_untracked()
        {
            test.send(&typed);
        }
    };
    view! {
        <button
            type="submit" formaction=TestRedis::url() class="btn btn-sm" aria-disabled=move || pending.get().then_some("true")
            on:click=send
        >
            {move || if pending.get() { "Testing…" } else { "Test these fields" }}
        </button>
    }
    .into_any()
}

#[component]
fn TestResult(test: FormAction<TestRedis>) -> impl IntoView {
    let found = move || {
        test.output().map(|state| match state {
            RedisState::NotConfigured => "No Redis is named here.".to_owned(),
            RedisState::Reachable { version } => {
                let warning = redis_warning(&version).map(|text| format!(" {}", sentence(text))).unwrap_or_default();
                format!("Redis {version} answers.{warning}")
            }
            RedisState::Unreachable { detail } => sentence(&detail),
        })
    };
    view! {
        <p role="status" class="text-sm">{found}</p>
        <FormFault action=test only_told=true />
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_apart_into_its_fields() {
        for (url, host, port, user, database, tls) in [
            ("", "", "", "", "", false),
            ("redis://cache", "cache", "", "", "", false),
            ("redis://cache:6379/0", "cache", "6379", "", "0", false),
            ("rediss://a%20b@[::1]:6380/3", "[::1]", "6380", "a b", "3", true),
            ("redis://[::1]/", "[::1]", "", "", "", false),
        ] {
            let parts = Parts::of(url);
            let found =
                (parts.host.as_str(), parts.port.as_str(), parts.user.as_str(), parts.database.as_str(), parts.tls);
            assert_eq!(found, (host, port, user, database, tls), "{url}");
        }
    }
}
