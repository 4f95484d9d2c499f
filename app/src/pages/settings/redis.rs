//! Where Redis is: as single fields or as one address, a test of what is typed, and how it is with it now.

use domain::settings::{RedisState, RedisStatus, Sourced, redis_warning};
use leptos::{ev::MouseEvent, prelude::*, server_fn::ServerFn};
use serde::Deserialize;
use web_sys::{FormData, HtmlButtonElement};

use super::{fields::origin, typed};
use crate::{
    answer::ticked_or_tried,
    api::settings::{StoreSettings, TestRedis},
    components::{
        action::FormAction,
        area::Area,
        fault::{FormFault, field_fault},
        field::{Field, input_name},
    },
    format::sentence,
    pages::dashboard::feed,
    pages::redis_state::{RedisNews, State},
};

#[component]
pub(super) fn RedisSetting(
    save: FormAction<StoreSettings>,
    test: FormAction<TestRedis>,
    url: Sourced<String>,
    ca: Sourced<String>,
    has_password: bool,
) -> impl IntoView {
    let parts = Parts::of(&url.value);
    let hint = format!(
        "For limits and lock-outs shared by several gateways; one gateway needs none. Empty: no Redis. {}",
        origin(&url)
    );
    let password = if has_password {
        "A password is stored. Empty keeps it, as long as the other fields stay."
    } else {
        "None is stored."
    };
    let authority = format!(
        "Certificates in PEM. With any here, one of them must have signed Redis\u{2019}s; without, one of those this machine trusts. To go without although the environment names some, type none. {}",
        origin(&ca)
    );
    let tls = ticked_or_tried::<StoreSettings, TestRedis>("redis_tls", parts.tls);
    view! {
        <Field label="Redis host" name="redis_host" value={typed("redis_host", &parts.host)} placeholder="127.0.0.1" hint fault=field_fault(save, "redis_host") />
        <Field label="Redis port" name="redis_port" value={typed("redis_port", &parts.port)} inputmode="numeric" placeholder="6379" hint="Empty is 6379." fault=field_fault(save, "redis_port") />
        <Field label="Redis user" name="redis_user" value={typed("redis_user", &parts.user)} hint="Empty is Redis's user default." fault=field_fault(save, "redis_user") />
        <Field label="Redis password" name="redis_password" kind="password" hint=password fault=field_fault(save, "redis_password") />
        <Field label="Redis database" name="redis_database" value={typed("redis_database", &parts.database)} inputmode="numeric" placeholder="0" hint="Its number. Empty is 0." fault=field_fault(save, "redis_database") />
        <div class="flex flex-col gap-2">
            <Checkbox name="redis_tls" label="Redis over TLS" checked=tls />
            {has_password.then(|| view! { <Checkbox name="redis_forget_password" label="Forget the stored Redis password" checked=false /> })}
        </div>
        <Field
            label="Or one Redis address" name="redis_url" value={typed("redis_url", "")} inputmode="url" placeholder="redis://user:password@127.0.0.1:6379/0"
            hint="In place of the single fields: rediss:// for TLS." fault=field_fault(save, "redis_url")
        />
        <Area
            label="Authority for Redis over TLS (optional)" name="redis_ca" id="redis_ca" value={typed("redis_ca", &ca.value)} hint=authority
            fault=field_fault(save, "redis_ca")
        />
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
fn Checkbox(name: &'static str, label: &'static str, checked: bool) -> impl IntoView {
    view! {
        <label class="flex items-center gap-2 text-sm">
            <input type="checkbox" class="checkbox checkbox-sm" name=input_name(name) value="on" checked=checked />
            {label}
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
