//! Where each setting's value comes from, in words, and going back from a saved value to what counts without it.

use domain::{
    balance::Balance,
    error::AdminError,
    limit::RateLimit,
    settings::{Origin, ResetSetting, SettingsView, Source, Sourced, least_body_memory_mb},
};
use store::row::{self, Op};

use super::{
    BALANCE, BODY_MEMORY, CATALOGUE, CATALOGUE_CLASS, CONNECT, FIRST_BYTE, INFERENCE, LIMIT, MANAGEMENT, MAX_BODY,
    PATIENCE, PUBLIC_URL, RECORDS, REDIS_CA, REDIS_PASSWORD, REDIS_URL, REPLICAS, ROLLUPS, STALL, WAITING,
    check_version, view,
};
use crate::{EnvironmentSettings, look, state::State};

/// What is reset at once.
struct Unit {
    /// The first field of it, as the page calls it.
    name: &'static str,
    /// What it is saved as.
    saved_as: &'static [&'static str],
    value: fn(&SettingsView) -> Told,
}

/// A value in words, and whether it is saved and hides one of the environment.
struct Told {
    words: String,
    source: Source,
    overrides_environment: bool,
}

const fn unit(name: &'static str, saved_as: &'static [&'static str], value: fn(&SettingsView) -> Told) -> Unit {
    Unit { name, saved_as, value }
}

const UNITS: [Unit; 21] = [
    unit("requests", &[LIMIT], |view| told(&view.default_limit, |value| limit(*value))),
    unit("balance", &[BALANCE], |view| told(&view.balance, |balance| strategy(*balance).to_owned())),
    unit("queue_max", &[WAITING.name], |view| told(&view.queue_max, u32::to_string)),
    unit("queue_seconds", &[PATIENCE.name], |view| told(&view.queue_seconds, u32::to_string)),
    unit("redis_host", &[REDIS_URL, REDIS_PASSWORD], |view| told(&view.redis_url, |url| or(url, "no Redis"))),
    unit("redis_ca", &[REDIS_CA], |view| told(&view.redis_ca, |pem| authority(pem))),
    unit("replicas", &[REPLICAS.name], |view| told(&view.replicas, u32::to_string)),
    unit("catalogue_interval_s", &[CATALOGUE.name], |view| told(&view.catalogue_interval_s, u32::to_string)),
    unit("connect_timeout_s", &[CONNECT.name], |view| told(&view.connect_timeout_s, u32::to_string)),
    unit("first_byte_timeout_s", &[FIRST_BYTE.name], |view| told(&view.first_byte_timeout_s, u32::to_string)),
    unit("stall_timeout_s", &[STALL.name], |view| told(&view.stall_timeout_s, u32::to_string)),
    unit("class_inference", &[INFERENCE.name], |view| told(&view.class_inference, |all| all_or_none(*all))),
    unit("class_catalogue", &[CATALOGUE_CLASS.name], |view| told(&view.class_catalogue, |all| all_or_none(*all))),
    unit("class_management", &[MANAGEMENT.name], |view| told(&view.class_management, |all| by_permission(*all))),
    unit("max_body_mb", &[MAX_BODY.name], |view| told(&view.max_body_mb, u32::to_string)),
    unit("body_memory_mb", &[BODY_MEMORY.name], |view| told(&view.body_memory_mb, u32::to_string)),
    unit("usage_days", &[RECORDS.name], |view| told(&view.usage_days, u32::to_string)),
    unit("rollup_days", &[ROLLUPS.name], |view| told(&view.rollup_days, u32::to_string)),
    unit("public_url", &[PUBLIC_URL], |view| told(&view.public_url, |url| or(url, "any address"))),
    unit("product_title", &[look::TITLE], |view| told(&view.product_title, String::clone)),
    unit("accent", &[look::ACCENT], |view| told(&view.accent, |accent| or(accent, "the product\u{2019}s own colours"))),
];

fn told<T>(value: &Sourced<T>, words: impl Fn(&T) -> String) -> Told {
    let Sourced { value, source, overrides_environment } = value;
    Told { words: words(value), source: *source, overrides_environment: *overrides_environment }
}

fn or(text: &str, empty: &str) -> String {
    if text.is_empty() { empty } else { text }.to_owned()
}

fn limit(limit: Option<RateLimit>) -> String {
    limit.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string())
}

fn authority(pem: &str) -> String {
    if pem.is_empty() { "those this machine trusts" } else { "its certificates" }.to_owned()
}

fn all_or_none(all: bool) -> String {
    if all { "all keys" } else { "no key" }.to_owned()
}

fn by_permission(all: bool) -> String {
    if all { "all keys" } else { "keys with the permission" }.to_owned()
}

fn strategy(balance: Balance) -> &'static str {
    match balance {
        Balance::WarmFirst => "warm first",
        Balance::LeastInFlight => "least in flight",
        Balance::RoundRobin => "round robin",
        Balance::Weighted => "weighted",
        Balance::Affinity => "affinity",
    }
}

/// The settings alone, without those saved as `forgotten`.
fn without(state: &State, forgotten: &[&str]) -> State {
    let kept = |(name, _): &&(String, String)| !forgotten.contains(&name.as_str());
    let settings = state.rows.settings.iter().filter(kept).cloned().collect();
    State { rows: row::State { settings, ..Default::default() } }
}

/// Of every setting, in the page's order of names.
pub(super) fn origins(state: &State, environment: &EnvironmentSettings) -> Vec<Origin> {
    let now = view(state, environment);
    let default = view(&State::default(), &EnvironmentSettings::default());
    let origin = |unit: &Unit| {
        let (value, default) = ((unit.value)(&now), (unit.value)(&default).words);
        let (text, reset) = match (value.source, value.overrides_environment) {
            (Source::Default, _) => ("This is the default.".to_owned(), None),
            (Source::Environment, _) => {
                (format!("Set by the environment, so there is nothing to reset here; the default is {default}."), None)
            }
            (Source::Saved, overrides) => {
                let unsaved = (unit.value)(&view(&without(state, unit.saved_as), environment)).words;
                let text = match overrides {
                    true => format!("Saved here, overrides the environment, which says {unsaved}."),
                    false => format!("Saved here; the default is {unsaved}."),
                };
                (text, Some(unsaved))
            }
        };
        Origin { name: unit.name.to_owned(), text, reset }
    };
    UNITS.iter().map(origin).collect()
}

/// What a reset writes, or why there is nothing to reset.
pub(super) fn plan(
    state: &State,
    environment: &EnvironmentSettings,
    input: &ResetSetting,
) -> Result<Vec<Op>, AdminError> {
    let now = view(state, environment);
    check_version(&now, &input.version)?;
    let refuse = |message: &str| Err(AdminError::invalid("name", message));
    let Some(unit) = UNITS.iter().find(|unit| unit.name == input.name) else {
        return refuse("there is no such setting to reset");
    };
    let saved = unit.saved_as.iter().filter(|name| state.setting(name).is_some());
    let ops: Vec<Op> = saved.map(|name| Op::DeleteSetting((*name).to_owned())).collect();
    if ops.is_empty() {
        return refuse(match (unit.value)(&now).source {
            Source::Environment => "the environment sets this: there is nothing saved to reset",
            Source::Default | Source::Saved => "this is the default already: there is nothing saved to reset",
        });
    }
    let after = view(&without(state, unit.saved_as), environment);
    if after.body_memory_mb.value < least_body_memory_mb(after.max_body_mb.value) {
        return refuse(
            "that would leave less memory for request bodies than two of the largest take: change the other of the two first",
        );
    }
    Ok(ops)
}

#[cfg(test)]
#[path = "origin/tests.rs"]
mod tests;
