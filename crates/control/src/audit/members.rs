//! What of each stored row the audit log tells, as written lists. Every row is taken apart without `..`, so that a new
//! column does not compile before somebody has decided here whether it is shown, secret, or not told; a setting that
//! nobody listed counts as secret.

use domain::{
    auto::{Auto, AutoModel},
    key::KEY_PREFIX,
    limit::RateLimit,
    policy::{Policy, format_utc},
    remarks::Remarks,
};
use store::row::{AdminRow, AliasRow, BackendRow, KeyRow, SessionRow, TotpRow, UserRow};
use url::Url;

use crate::{
    auto, look,
    settings::{LIMIT, NO_LIMIT},
    tls, upgrade,
};

/// A value as the log tells it. No Debug: it may hold what is secret.
#[derive(PartialEq, Eq)]
pub(super) enum Value {
    Nothing,
    Plain(String),
    /// Only that there is one, and whether it is another than before.
    Secret(Vec<u8>),
}

use Value::{Nothing, Plain, Secret};

/// One member of a row by the name people know it under.
pub(super) struct Member {
    pub name: String,
    pub value: Value,
}

fn member(name: &str, value: Value) -> Member {
    Member { name: name.to_owned(), value }
}

fn plain<T: ToString>(value: Option<T>) -> Value {
    value.map_or(Nothing, |value| Plain(value.to_string()))
}

fn secret(value: Option<impl AsRef<[u8]>>) -> Value {
    value.map_or(Nothing, |value| Secret(value.as_ref().to_vec()))
}

fn yes_no(value: bool) -> Value {
    Plain(if value { "yes" } else { "no" }.to_owned())
}

fn moment(at: Option<u64>) -> Value {
    plain(at.map(|at| format!("{} UTC", format_utc(at).replace('T', " "))))
}

/// Lists that are stored one item a line.
fn list(lines: &str) -> Value {
    if lines.is_empty() { Nothing } else { Plain(lines.replace('\n', ", ")) }
}

/// An address without the name and password that may be in it.
fn address(text: &str) -> Value {
    let Ok(mut url) = Url::parse(text) else { return Secret(text.as_bytes().to_vec()) };
    // Addresses that cannot have them have none.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    Plain(url.as_str().trim_end_matches('/').to_owned())
}

pub(super) fn admin(row: &AdminRow) -> Vec<Member> {
    let AdminRow { id: _, name, password_hash, role, enabled, totp, signed_in_at: _, created_at: _ } = row;
    let parts = totp.as_ref().map(|TotpRow { sealed, last_step: _, recovery }| (sealed, recovery.concat()));
    vec![
        member("name", plain(Some(name))),
        member("password", secret(Some(password_hash))),
        member("role", plain(Some(role.as_str()))),
        member("enabled", yes_no(*enabled)),
        member("second factor", secret(parts.as_ref().map(|(sealed, _)| sealed))),
        member("recovery codes", secret(parts.as_ref().map(|(_, recovery)| recovery))),
    ]
}

pub(super) fn session(row: &SessionRow) -> Vec<Member> {
    let SessionRow { token_hash: _, admin: _, created_at: _, last_seen_at: _, address, user_agent } = row;
    vec![member("address", plain(Some(address))), member("browser", list(user_agent))]
}

pub(super) fn backend(row: &BackendRow) -> Vec<Member> {
    let BackendRow {
        id: _,
        name,
        url,
        enabled,
        sealed_token,
        parallel,
        weight,
        priority,
        draining,
        timeouts,
        created_at: _,
    } = row;
    let [connect, first_byte, stall] = timeouts.values();
    let other_than = |value: u32, usual: u32| plain((value != usual).then_some(value));
    vec![
        member("name", plain(Some(name))),
        member("address", address(url)),
        member("enabled", yes_no(*enabled)),
        member("token", secret(sealed_token.as_ref())),
        member("requests at once", plain(*parallel)),
        member("weight", other_than(*weight, 1)),
        member("priority", other_than(*priority, 0)),
        member("draining", if *draining { yes_no(true) } else { Nothing }),
        member("connect timeout in seconds", plain(connect)),
        member("first byte timeout in seconds", plain(first_byte)),
        member("stall timeout in seconds", plain(stall)),
    ]
}

pub(super) fn user(row: &UserRow) -> Vec<Member> {
    let UserRow { id: _, name, enabled, created_at: _, removed_at, policy: own, remarks: written } = row;
    let mut members = vec![
        member("name", plain(Some(name))),
        member("enabled", yes_no(*enabled)),
        member("removed", if removed_at.is_some() { yes_no(true) } else { Nothing }),
    ];
    members.extend(remarks(written));
    members.extend(policy(own));
    members
}

/// `owner` is the name of its user.
pub(super) fn key(row: &KeyRow, owner: &str) -> Vec<Member> {
    use domain::key::KeyStatus::{Active, Disabled, Revoked};
    let KeyRow {
        id: _,
        user: _,
        name,
        status,
        hash,
        last_four,
        limit,
        policy: own,
        created_at: _,
        remarks: written,
        replaced_by,
    } = row;
    let status = match status {
        Active => "active",
        Disabled => "disabled",
        Revoked => "revoked",
    };
    let mut members = vec![
        member("user", plain(Some(owner))),
        member("name", plain(Some(name))),
        member("status", plain(Some(status))),
        member("secret", secret(hash.as_ref())),
        member("ends in", plain(Some(last_four))),
        member("limit", plain(*limit)),
        member("replaced by", plain(replaced_by.as_ref().map(|id| format!("{KEY_PREFIX}{id}")))),
    ];
    members.extend(remarks(written));
    members.extend(policy(own));
    members
}

fn remarks(row: &Remarks) -> [Member; 2] {
    let Remarks { label, note } = row;
    let text = |text: &str| if text.is_empty() { Nothing } else { Plain(text.to_owned()) };
    [member("label", text(label)), member("note", text(note))]
}

pub(super) fn alias(row: &AliasRow) -> Vec<Member> {
    let AliasRow { name: _, targets, note, changes: _, created_at: _ } = row;
    vec![member("models", list(&targets.join("\n"))), member("note", list(note))]
}

pub(super) fn auto(text: &str) -> Vec<Member> {
    let Auto { on, models } = auto::parse(text);
    let models = models.iter().map(|AutoModel { model, purposes }| format!("{model} for {}", purposes.words()));
    let models: Vec<String> = models.collect();
    let models = if models.is_empty() { Nothing } else { Plain(models.join("; ")) };
    vec![member("switched on", yes_no(on)), member("models", models)]
}

fn policy(row: &Policy) -> Vec<Member> {
    let Policy {
        concurrent,
        tokens_per_minute,
        tokens_per_day,
        tokens_per_month,
        gpu_seconds_per_day,
        expires_at,
        models,
        management,
        topology,
        num_ctx,
        num_predict,
        keep_alive_s,
        networks,
    } = row;
    let models: Vec<String> = models.iter().map(ToString::to_string).collect();
    vec![
        member("requests at once", plain(*concurrent)),
        member("tokens a minute", plain(*tokens_per_minute)),
        member("tokens a day", plain(*tokens_per_day)),
        member("tokens a month", plain(*tokens_per_month)),
        member("GPU seconds a day", plain(*gpu_seconds_per_day)),
        member("expires", moment(*expires_at)),
        member("models", list(&models.join("\n"))),
        member("may manage models", if *management { yes_no(true) } else { Nothing }),
        member("may see which backend answers", if *topology { yes_no(true) } else { Nothing }),
        member("largest num_ctx", plain(*num_ctx)),
        member("largest num_predict", plain(*num_predict)),
        member("longest keep_alive in seconds", plain(*keep_alive_s)),
        member("networks", list(&networks.to_string())),
    ]
}

/// How a setting is told.
enum Kind {
    Text,
    Lines,
    Limit,
    Address,
    Certificate,
    Logo,
    Secret,
}

/// Every setting there is.
const SETTINGS: &[(&str, &str, Kind)] = &[
    (LIMIT, "default limit", Kind::Limit),
    ("redis_url", "Redis", Kind::Address),
    ("redis_password", "Redis password", Kind::Secret),
    ("redis_ca", "authority for Redis over TLS", Kind::Certificate),
    ("replicas", "gateways on one Redis", Kind::Text),
    ("catalogue_interval_s", "seconds between looks at the backends", Kind::Text),
    ("connect_timeout_s", "connect timeout in seconds", Kind::Text),
    ("first_byte_timeout_s", "first byte timeout in seconds", Kind::Text),
    ("stall_timeout_s", "stall timeout in seconds", Kind::Text),
    ("balance", "choosing a backend", Kind::Text),
    ("queue_max", "requests that may wait", Kind::Text),
    ("queue_seconds", "longest wait for a slot in seconds", Kind::Text),
    ("usage_days", "days that requests stay in the log", Kind::Text),
    ("rollup_days", "days that sums of usage stay", Kind::Text),
    ("max_body_mb", "largest request body in MB", Kind::Text),
    ("body_memory_mb", "memory for request bodies in MB", Kind::Text),
    ("network.hsts_days", "days that browsers keep to https", Kind::Text),
    ("public_url", "public URL", Kind::Text),
    ("class_inference", "inference without a permission", Kind::Text),
    ("class_catalogue", "catalogue without a permission", Kind::Text),
    ("class_management", "model management without a permission", Kind::Text),
    ("network.allowed_ips", "addresses allowed to the API", Kind::Lines),
    ("network.denied_ips", "addresses denied to the API", Kind::Lines),
    ("network.admin_allowed_ips", "addresses allowed to the admin pages", Kind::Lines),
    ("network.admin_denied_ips", "addresses denied to the admin pages", Kind::Lines),
    ("network.cors_origins", "web origins", Kind::Lines),
    ("network.backend_networks", "networks of backends", Kind::Lines),
    (look::TITLE, "product title", Kind::Text),
    (look::ACCENT, "accent", Kind::Text),
    (look::LOGO, "logo", Kind::Logo),
    (tls::CERTIFICATE, "TLS certificate", Kind::Certificate),
    (tls::KEY, "TLS key", Kind::Secret),
];

/// How far a rolling upgrade is.
pub(super) fn upgrade(text: &str) -> Vec<Member> {
    upgrade::told(text).into_iter().map(|(name, value)| member(name, plain(value))).collect()
}

/// The name people know a setting under.
pub(super) fn setting_name(name: &str) -> &str {
    match SETTINGS.iter().find(|(known, ..)| *known == name) {
        Some((_, label, _)) => label,
        None => name,
    }
}

pub(super) fn setting(name: &str, text: &str) -> Vec<Member> {
    let kind = SETTINGS.iter().find(|(known, ..)| *known == name).map_or(&Kind::Secret, |(.., kind)| kind);
    let hidden = || Secret(text.as_bytes().to_vec());
    let value = match kind {
        Kind::Text => Plain(text.to_owned()),
        Kind::Lines => list(text),
        Kind::Limit if text == NO_LIMIT => Plain("no limit".to_owned()),
        Kind::Limit => {
            let numbers = text.split_once('/').and_then(|(n, m)| RateLimit::new(n.parse().ok()?, m.parse().ok()?));
            numbers.map_or_else(hidden, |limit| Plain(limit.to_string()))
        }
        Kind::Address => address(text),
        Kind::Certificate => tls::told(text).map_or_else(hidden, Plain),
        Kind::Logo => look::told(text).map_or_else(hidden, Plain),
        Kind::Secret => hidden(),
    };
    vec![member("value", value)]
}
