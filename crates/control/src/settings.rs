//! The settings an administrator can save: default < environment < saved. A save is checked whole before anything of it
//! is written.

mod origin;
pub(crate) mod origins;

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    backend::{MAX_CONNECT_TIMEOUT_S, MAX_TIMEOUT_S},
    balance::Balance,
    error::{AdminError, FieldError},
    limit::RateLimit,
    network::NONE,
    settings::{
        BODY_MEMORY_MB, MAX_BODY_MB, MAX_BODY_MEMORY_MB, MAX_QUEUE, MAX_QUEUE_SECONDS, MAX_REPLICAS, MAX_ROLLUP_DAYS,
        MAX_USAGE_DAYS, MIN_BODY_MEMORY_MB, MIN_ROLLUP_DAYS, QUEUE, QUEUE_SECONDS, ROLLUP_DAYS, ResetSetting,
        SaveSettings, SettingsView, Source, Sourced, USAGE_DAYS, least_body_memory_mb,
    },
};
use sha2::{Digest, Sha256};
use store::row::Op;
use url::Url;

use crate::{
    Actor, Control, EnvironmentSettings, look,
    redis::{RedisAddress, authority, is_on},
    secrets::seal::{Place, Sealer},
    state::State,
};

pub(crate) const LIMIT: &str = "default_limit";
pub(crate) const NO_LIMIT: &str = "none";
const REDIS_URL: &str = "redis_url";
pub(crate) const REDIS_PASSWORD: &str = "redis_password";
const REDIS_CA: &str = "redis_ca";
pub(crate) const PUBLIC_URL: &str = "public_url";
const BALANCE: &str = "balance";

/// A setting that is a whole number.
struct Number {
    name: &'static str,
    min: u32,
    max: u32,
    default: u32,
}

const CATALOGUE: Number = Number { name: "catalogue_interval_s", min: 1, max: 3_600, default: 30 };
const CONNECT: Number = Number { name: "connect_timeout_s", min: 1, max: MAX_CONNECT_TIMEOUT_S, default: 3 };
const FIRST_BYTE: Number = Number { name: "first_byte_timeout_s", min: 1, max: MAX_TIMEOUT_S, default: 600 };
const STALL: Number = Number { name: "stall_timeout_s", min: 1, max: MAX_TIMEOUT_S, default: 300 };
const REPLICAS: Number = Number { name: "replicas", min: 1, max: MAX_REPLICAS, default: 1 };
const WAITING: Number = Number { name: "queue_max", min: 0, max: MAX_QUEUE, default: QUEUE };
const PATIENCE: Number = Number { name: "queue_seconds", min: 1, max: MAX_QUEUE_SECONDS, default: QUEUE_SECONDS };
const RECORDS: Number = Number { name: "usage_days", min: 1, max: MAX_USAGE_DAYS, default: USAGE_DAYS };
const ROLLUPS: Number =
    Number { name: "rollup_days", min: MIN_ROLLUP_DAYS, max: MAX_ROLLUP_DAYS, default: ROLLUP_DAYS };
const MAX_BODY: Number = Number { name: "max_body_mb", min: 1, max: MAX_BODY_MB, default: 64 };
const BODY_MEMORY: Number =
    Number { name: "body_memory_mb", min: MIN_BODY_MEMORY_MB, max: MAX_BODY_MEMORY_MB, default: BODY_MEMORY_MB };

/// Whether keys reach a class of endpoints without a permission of their own.
struct Class {
    name: &'static str,
    default: bool,
}

const INFERENCE: Class = Class { name: "class_inference", default: true };
const CATALOGUE_CLASS: Class = Class { name: "class_catalogue", default: true };
const MANAGEMENT: Class = Class { name: "class_management", default: false };

impl Class {
    fn parse(&self, text: &str) -> Result<bool, FieldError> {
        match text {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err(FieldError::new(self.name, "must be yes or no")),
        }
    }

    fn view(&self, state: &State) -> Sourced<bool> {
        sourced(state.setting(self.name).and_then(|text| self.parse(text).ok()), None, self.default)
    }
}

impl Number {
    fn parse(&self, text: &str) -> Result<u32, FieldError> {
        let (min, max) = (self.min, self.max);
        let value = text.parse::<u32>().ok().filter(|value| (min..=max).contains(value));
        value.ok_or_else(|| FieldError::new(self.name, format!("must be a whole number from {min} to {max}")))
    }

    /// A saved value that is out of bounds (written by another version) counts as not saved.
    fn view(&self, state: &State, environment: Option<u32>) -> Sourced<u32> {
        let saved = state.setting(self.name).and_then(|text| self.parse(text).ok());
        sourced(saved, environment, self.default)
    }
}

pub(crate) fn sourced<T>(saved: Option<T>, environment: Option<T>, default: T) -> Sourced<T> {
    let overrides_environment = saved.is_some() && environment.is_some();
    let (value, source) = match (saved, environment) {
        (Some(value), _) => (value, Source::Saved),
        (None, Some(value)) => (value, Source::Environment),
        (None, None) => (default, Source::Default),
    };
    Sourced { value, source, overrides_environment }
}

/// The settings in force, each with its source.
pub(crate) fn view(state: &State, environment: &EnvironmentSettings) -> SettingsView {
    let environment_redis = environment.redis_url.as_deref().and_then(|text| RedisAddress::parse(text).ok());
    let saved_redis = state.setting(REDIS_URL).map(str::to_owned);
    let redis_has_password = match (&saved_redis, &environment_redis) {
        (Some(_), _) => state.setting(REDIS_PASSWORD).is_some(),
        (None, Some(address)) => address.password.is_some(),
        (None, None) => false,
    };
    let max_body_mb = MAX_BODY.view(state, environment.max_body_mb);
    let mut body_memory_mb = BODY_MEMORY.view(state, environment.body_memory_mb);
    if body_memory_mb.source == Source::Default {
        // It follows a body size that was raised.
        body_memory_mb.value = body_memory_mb.value.max(least_body_memory_mb(max_body_mb.value));
    }
    let environment_origins =
        environment.public_url.as_deref().map(|text| origins::parse(text).unwrap_or_else(|_| text.trim().to_owned()));
    let mut view = SettingsView {
        default_limit: sourced(state.setting(LIMIT).and_then(parse_limit), environment.default_limit, None),
        redis_url: sourced(saved_redis, environment_redis.map(|address| address.url.to_string()), String::new()),
        redis_has_password,
        redis_ca: sourced(state.setting(REDIS_CA).map(str::to_owned), environment.redis_ca.clone(), String::new()),
        replicas: REPLICAS.view(state, environment.replicas),
        catalogue_interval_s: CATALOGUE.view(state, None),
        connect_timeout_s: CONNECT.view(state, None),
        first_byte_timeout_s: FIRST_BYTE.view(state, None),
        stall_timeout_s: STALL.view(state, None),
        balance: sourced(
            state.setting(BALANCE).and_then(|name| name.parse().ok()),
            environment.balance,
            Balance::default(),
        ),
        queue_max: WAITING.view(state, environment.queue_max),
        queue_seconds: PATIENCE.view(state, environment.queue_seconds),
        usage_days: RECORDS.view(state, environment.usage_days),
        rollup_days: ROLLUPS.view(state, environment.rollup_days),
        max_body_mb,
        body_memory_mb,
        public_url: sourced(state.setting(PUBLIC_URL).map(str::to_owned), environment_origins, String::new()),
        class_inference: INFERENCE.view(state),
        class_catalogue: CATALOGUE_CLASS.view(state),
        class_management: MANAGEMENT.view(state),
        product_title: look::title(state, environment),
        accent: look::accent(state, environment),
        version: String::new(),
        origins: Vec::new(),
        accent_words: String::new(),
        logo: None,
    };
    // Numbers, texts and options always have a JSON form.
    let digest = Sha256::digest(serde_json::to_vec(&view).unwrap_or_default());
    view.version = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    view
}

/// The Redis address in force with its password, `None` where none is configured or its password does not open.
pub(crate) fn redis_address(state: &State, environment: &EnvironmentSettings, sealer: &Sealer) -> Option<RedisAddress> {
    let Some(saved) = state.setting(REDIS_URL) else {
        return environment.redis_url.as_deref().and_then(|text| RedisAddress::parse(text).ok());
    };
    let url = Url::parse(saved).ok()?;
    let password = match state.setting(REDIS_PASSWORD) {
        None => None,
        Some(text) => {
            let opened =
                STANDARD.decode(text).ok().and_then(|sealed| sealer.open(&Place::setting(REDIS_PASSWORD), &sealed));
            if opened.is_none() {
                tracing::error!("the stored Redis password cannot be opened");
            }
            Some(opened?)
        }
    };
    Some(RedisAddress { url, password })
}

/// Who must vouch for Redis over TLS; `None` is whoever this machine trusts.
pub(crate) fn redis_authority(state: &State, environment: &EnvironmentSettings) -> Option<String> {
    let authority = view(state, environment).redis_ca.value;
    (!authority.is_empty() && authority != NONE).then_some(authority)
}

/// The same as it would be if this were saved. Empty goes back to the environment.
pub(crate) fn typed_authority(
    typed: &str,
    environment: &EnvironmentSettings,
) -> Result<Option<String>, Vec<FieldError>> {
    match typed.trim() {
        "" => Ok(environment.redis_ca.clone()),
        NONE => Ok(None),
        text => authority(text).map(Some).map_err(|message| vec![FieldError::new(REDIS_CA, message)]),
    }
}

/// `Some(None)` is "no limit", said explicitly; `None` is unreadable.
fn parse_limit(text: &str) -> Option<Option<RateLimit>> {
    if text == NO_LIMIT {
        return Some(None);
    }
    let (requests, minutes) = text.split_once('/')?;
    RateLimit::new(requests.parse().ok()?, minutes.parse().ok()?).map(Some)
}

/// Refuses what was done to settings that are others by now. Nothing in place of a version fits all.
fn check_version(now: &SettingsView, seen: &str) -> Result<(), AdminError> {
    if seen.is_empty() || seen == now.version {
        return Ok(());
    }
    Err(AdminError::Conflict {
        message: "the settings were changed in the meantime, and nothing was saved: look at them, then save again"
            .into(),
    })
}

/// What a save writes, or every fault of it.
fn plan(
    state: &State,
    environment: &EnvironmentSettings,
    sealer: &Sealer,
    input: &SaveSettings,
) -> Result<Vec<Op>, AdminError> {
    let now = view(state, environment);
    check_version(&now, &input.version)?;
    let mut plan = Plan { state, ops: Vec::new(), faults: Vec::new() };
    plan.limit(input, now.default_limit.value);
    plan.redis(input, &now.redis_url.value, sealer)?;
    plan.number(&REPLICAS, &input.replicas, now.replicas.value);
    plan.number(&CATALOGUE, &input.catalogue_interval_s, now.catalogue_interval_s.value);
    plan.number(&CONNECT, &input.connect_timeout_s, now.connect_timeout_s.value);
    plan.number(&FIRST_BYTE, &input.first_byte_timeout_s, now.first_byte_timeout_s.value);
    plan.number(&STALL, &input.stall_timeout_s, now.stall_timeout_s.value);
    plan.balance(&input.balance, environment.balance.unwrap_or_default());
    plan.number(&WAITING, &input.queue_max, now.queue_max.value);
    plan.number(&PATIENCE, &input.queue_seconds, now.queue_seconds.value);
    plan.number(&RECORDS, &input.usage_days, now.usage_days.value);
    plan.number(&ROLLUPS, &input.rollup_days, now.rollup_days.value);
    plan.number(&MAX_BODY, &input.max_body_mb, now.max_body_mb.value);
    plan.number(&BODY_MEMORY, &input.body_memory_mb, now.body_memory_mb.value);
    plan.body_memory(environment);
    match input.redis_ca.trim() {
        "" => plan.clear(REDIS_CA),
        text => match if text == NONE { Ok(NONE.to_owned()) } else { authority(text) } {
            Ok(pem) => plan.keep_or_put(REDIS_CA, pem, &now.redis_ca.value),
            Err(message) => plan.faults.push(FieldError::new(REDIS_CA, message)),
        },
    }
    plan.class(&INFERENCE, &input.class_inference, now.class_inference.value);
    plan.class(&CATALOGUE_CLASS, &input.class_catalogue, now.class_catalogue.value);
    plan.class(&MANAGEMENT, &input.class_management, now.class_management.value);
    plan.text(PUBLIC_URL, &input.public_url, &now.public_url.value, origins::parse);
    plan.text(look::TITLE, &input.product_title, &now.product_title.value, look::check_title);
    plan.text(look::ACCENT, &input.accent, &now.accent.value, look::check_accent);
    if plan.faults.is_empty() { Ok(plan.ops) } else { Err(AdminError::Invalid { fields: plan.faults }) }
}

struct Plan<'a> {
    state: &'a State,
    ops: Vec<Op>,
    faults: Vec<FieldError>,
}

impl Plan<'_> {
    fn clear(&mut self, name: &str) {
        if self.state.setting(name).is_some() {
            self.ops.push(Op::DeleteSetting(name.into()));
        }
    }

    fn put(&mut self, name: &str, value: String) {
        if self.state.setting(name) != Some(value.as_str()) {
            self.ops.push(Op::PutSetting(name.into(), value));
        }
    }

    /// The page shows what is in force; sending that back unchanged must not turn a default into a saved value.
    fn keep_or_put(&mut self, name: &str, value: String, in_force: &str) {
        if self.state.setting(name).is_some() || value != in_force {
            self.put(name, value);
        }
    }

    /// `check` gives the spelling that is kept, or what is wrong.
    fn text(&mut self, name: &str, typed: &str, in_force: &str, check: fn(&str) -> Result<String, String>) {
        match typed.trim() {
            "" => self.clear(name),
            text => match check(text) {
                Ok(text) => self.keep_or_put(name, text, in_force),
                Err(message) => self.faults.push(FieldError::new(name, message)),
            },
        }
    }

    fn number(&mut self, number: &Number, typed: &str, in_force: u32) {
        match typed.trim() {
            "" => self.clear(number.name),
            text => match number.parse(text) {
                Ok(value) => self.keep_or_put(number.name, value.to_string(), &in_force.to_string()),
                Err(fault) => self.faults.push(fault),
            },
        }
    }

    /// What all bodies may take together must hold the largest, as both will be after the save.
    fn body_memory(&mut self, environment: &EnvironmentSettings) {
        let after = view(&self.state.after(self.ops.clone(), 0), environment);
        let least = least_body_memory_mb(after.max_body_mb.value);
        if after.body_memory_mb.value < least {
            self.faults.push(FieldError::new(
                BODY_MEMORY.name,
                format!("must be at least {least}, twice the largest request body; or empty"),
            ));
        }
    }

    /// A choice has no empty value to go back by: choosing what counts without a saved value saves none.
    fn balance(&mut self, typed: &str, unsaved: Balance) {
        match typed.trim() {
            "" => self.clear(BALANCE),
            text => match text.parse::<Balance>() {
                Ok(balance) if balance == unsaved => self.clear(BALANCE),
                Ok(balance) => self.put(BALANCE, balance.to_string()),
                Err(fault) => self.faults.push(FieldError::new(BALANCE, fault.to_string())),
            },
        }
    }

    fn class(&mut self, class: &Class, typed: &str, in_force: bool) {
        match typed.trim() {
            "" => self.clear(class.name),
            text => match class.parse(text) {
                Ok(value) if value == class.default => self.clear(class.name),
                Ok(value) if value == in_force => {}
                Ok(_) => self.put(class.name, text.to_owned()),
                Err(fault) => self.faults.push(fault),
            },
        }
    }

    fn limit(&mut self, input: &SaveSettings, in_force: Option<RateLimit>) {
        if input.requests.trim() == "0" {
            return self.put(LIMIT, NO_LIMIT.into());
        }
        match RateLimit::from_fields(&input.requests, &input.minutes) {
            Ok(None) => self.clear(LIMIT),
            Ok(Some(limit)) => {
                let in_force = in_force.map(limit_text).unwrap_or_default();
                self.keep_or_put(LIMIT, limit_text(limit), &in_force);
            }
            Err(faults) => self.faults.extend(faults),
        }
    }

    fn redis(&mut self, input: &SaveSettings, in_force: &str, sealer: &Sealer) -> Result<(), AdminError> {
        let address = match RedisAddress::typed(input, in_force) {
            Ok(address) => address,
            Err(faults) => {
                self.faults.extend(faults);
                return Ok(());
            }
        };
        let Some(address) = address else {
            self.clear(REDIS_URL);
            self.clear(REDIS_PASSWORD);
            return Ok(());
        };
        let typed = match input.redis_password.as_str() {
            "" => None,
            typed => Some(typed),
        };
        let same = address.same_place(in_force);
        match address.password.as_ref().map(|password| password.as_str()).or(typed) {
            // The page shows the address without its password: the same again keeps the stored one. Another address
            // does not get it, since it could be somebody else's.
            None if same && !is_on(&input.redis_forget_password) => {}
            None => {
                self.put(REDIS_URL, address.url.to_string());
                self.clear(REDIS_PASSWORD);
            }
            Some(password) => {
                let sealed = sealer.seal(&Place::setting(REDIS_PASSWORD), password)?;
                self.put(REDIS_URL, address.url.to_string());
                self.put(REDIS_PASSWORD, STANDARD.encode(sealed));
            }
        }
        Ok(())
    }
}

fn limit_text(limit: RateLimit) -> String {
    format!("{}/{}", limit.requests, limit.minutes)
}

/// Who may use the pages, and who is told what gateways count: changes that ask for the password.
const DANGEROUS: [&str; 4] = [PUBLIC_URL, REDIS_URL, REDIS_PASSWORD, REDIS_CA];

fn is_dangerous(op: &Op) -> bool {
    matches!(op, Op::PutSetting(name, _) | Op::DeleteSetting(name) if DANGEROUS.contains(&name.as_str()))
}

impl Control {
    pub fn settings(&self, _actor: &Actor) -> SettingsView {
        let (state, environment) = (self.state(), &self.0.environment);
        SettingsView {
            origins: origin::origins(&state, environment),
            accent_words: look::accent_words(&state, environment),
            logo: look::logo(&state),
            ..view(&state, environment)
        }
    }

    /// Forgets what was saved of one setting.
    pub async fn reset_setting(&self, actor: &Actor, input: ResetSetting) -> Result<SettingsView, AdminError> {
        self.mutate(actor.owns("setting reset")?, |state| {
            let ops = origin::plan(state, &self.0.environment, &input)?;
            if ops.iter().any(is_dangerous) {
                self.fresh(actor)?;
            }
            Ok((ops, ()))
        })
        .await?;
        Ok(self.settings(actor))
    }

    /// All or nothing; faults name their fields.
    pub async fn save_settings(&self, actor: &Actor, input: SaveSettings) -> Result<SettingsView, AdminError> {
        self.mutate(actor.owns("settings saved")?, |state| {
            let ops = plan(state, &self.0.environment, &self.0.secrets.sealer(), &input)?;
            if ops.iter().any(is_dangerous) {
                self.fresh(actor)?;
            }
            Ok((ops, ()))
        })
        .await?;
        Ok(self.settings(actor))
    }

    /// Origins the admin app may be used from; empty means: compare with Host.
    pub fn allowed_origins(&self) -> Vec<String> {
        let value = view(&self.state(), &self.0.environment).public_url.value;
        value.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(str::to_owned).collect()
    }
}

#[cfg(test)]
#[path = "settings/tests.rs"]
mod tests;
