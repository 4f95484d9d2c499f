//! Rows as SurrealDB holds them, and the way to and from the plain structs of [`crate::row`].

use domain::{
    admin::Role,
    backend::Timeouts,
    id::{AdminId, BackendId, KeyId, UserId},
    key::KeyStatus,
    limit::RateLimit,
    policy::Policy,
    remarks::Remarks,
};
use surrealdb::types::{Bytes, SurrealValue};

use crate::{
    StoreError,
    row::{AdminRow, AliasRow, BackendRow, KeyRow, SessionRow, State, TotpRow, UserRow},
};

#[derive(SurrealValue)]
pub(crate) struct AdminRecord {
    name: String,
    password_hash: String,
    role: String,
    enabled: bool,
    totp: Option<TotpRecord>,
    signed_in_at: Option<u64>,
    created_at: u64,
}

#[derive(SurrealValue)]
struct TotpRecord {
    sealed: Bytes,
    last_step: u64,
    recovery: Vec<String>,
}

#[derive(SurrealValue)]
pub(crate) struct SessionRecord {
    admin: String,
    created_at: u64,
    last_seen_at: u64,
    address: String,
    user_agent: String,
}

#[derive(SurrealValue)]
pub(crate) struct BackendRecord {
    name: String,
    url: String,
    enabled: bool,
    sealed_token: Option<Bytes>,
    parallel: Option<u32>,
    weight: u32,
    priority: u32,
    draining: bool,
    connect_timeout_s: Option<u32>,
    first_byte_timeout_s: Option<u32>,
    stall_timeout_s: Option<u32>,
    created_at: u64,
}

#[derive(SurrealValue)]
pub(crate) struct UserRecord {
    name: String,
    live_name: Option<String>,
    enabled: bool,
    created_at: u64,
    removed_at: Option<u64>,
    policy: Option<String>,
    label: Option<String>,
    note: Option<String>,
}

#[derive(SurrealValue)]
pub(crate) struct KeyRecord {
    user: String,
    name: String,
    status: String,
    hash: Option<Bytes>,
    last_four: String,
    limit_requests: Option<u32>,
    limit_minutes: Option<u32>,
    created_at: u64,
    policy: Option<String>,
    label: Option<String>,
    note: Option<String>,
    replaced_by: Option<String>,
}

#[derive(SurrealValue)]
pub(crate) struct AliasRecord {
    targets: Vec<String>,
    note: String,
    changes: u64,
    created_at: u64,
}

#[derive(SurrealValue)]
pub(crate) struct SettingRecord {
    pub text: String,
}

/// A row with the key it is stored under.
#[derive(SurrealValue)]
pub(crate) struct Keyed<T: SurrealValue> {
    pub key: String,
    pub row: T,
}

/// The answer to [`crate::load`]'s one statement.
#[derive(SurrealValue)]
pub(crate) struct StateRecord {
    revision: u64,
    admins: Vec<Keyed<AdminRecord>>,
    sessions: Vec<Keyed<SessionRecord>>,
    backends: Vec<Keyed<BackendRecord>>,
    users: Vec<Keyed<UserRecord>>,
    keys: Vec<Keyed<KeyRecord>>,
    aliases: Vec<Keyed<AliasRecord>>,
    settings: Vec<Keyed<SettingRecord>>,
}

impl From<AdminRow> for AdminRecord {
    fn from(row: AdminRow) -> Self {
        Self {
            name: row.name,
            password_hash: row.password_hash,
            role: row.role.as_str().to_owned(),
            enabled: row.enabled,
            totp: row.totp.map(|totp| TotpRecord {
                sealed: Bytes::from(totp.sealed),
                last_step: totp.last_step,
                recovery: totp.recovery.iter().map(to_hex).collect(),
            }),
            signed_in_at: row.signed_in_at,
            created_at: row.created_at,
        }
    }
}

impl From<SessionRow> for SessionRecord {
    fn from(row: SessionRow) -> Self {
        Self {
            admin: row.admin.into(),
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            address: row.address,
            user_agent: row.user_agent,
        }
    }
}

impl From<BackendRow> for BackendRecord {
    fn from(row: BackendRow) -> Self {
        let Timeouts { connect_timeout_s, first_byte_timeout_s, stall_timeout_s } = row.timeouts;
        Self {
            name: row.name,
            url: row.url,
            enabled: row.enabled,
            sealed_token: row.sealed_token.map(Bytes::from),
            parallel: row.parallel,
            weight: row.weight,
            priority: row.priority,
            draining: row.draining,
            connect_timeout_s,
            first_byte_timeout_s,
            stall_timeout_s,
            created_at: row.created_at,
        }
    }
}

impl From<UserRow> for UserRecord {
    fn from(row: UserRow) -> Self {
        let live_name = row.removed_at.is_none().then(|| row.name.clone());
        Self {
            name: row.name,
            live_name,
            enabled: row.enabled,
            created_at: row.created_at,
            removed_at: row.removed_at,
            policy: policy_text(&row.policy),
            label: some(row.remarks.label),
            note: some(row.remarks.note),
        }
    }
}

impl From<KeyRow> for KeyRecord {
    fn from(row: KeyRow) -> Self {
        Self {
            user: row.user.into(),
            name: row.name,
            status: status_name(row.status).to_owned(),
            hash: row.hash.map(|hash| Bytes::from(hash.to_vec())),
            last_four: row.last_four,
            limit_requests: row.limit.map(|limit| limit.requests),
            limit_minutes: row.limit.map(|limit| limit.minutes),
            created_at: row.created_at,
            policy: policy_text(&row.policy),
            label: some(row.remarks.label),
            note: some(row.remarks.note),
            replaced_by: row.replaced_by.map(Into::into),
        }
    }
}

impl From<AliasRow> for AliasRecord {
    fn from(row: AliasRow) -> Self {
        Self { targets: row.targets, note: row.note, changes: row.changes, created_at: row.created_at }
    }
}

impl TryFrom<StateRecord> for State {
    type Error = StoreError;

    fn try_from(record: StateRecord) -> Result<Self, StoreError> {
        Ok(Self {
            revision: record.revision,
            admins: rows(record.admins, |key, row| {
                Some(AdminRow {
                    id: AdminId::new(key).ok()?,
                    name: row.name,
                    password_hash: row.password_hash,
                    // A role that cannot be read must not become another.
                    role: row.role.parse::<Role>().ok()?,
                    enabled: row.enabled,
                    totp: match row.totp {
                        Some(totp) => Some(TotpRow {
                            sealed: totp.sealed.to_vec(),
                            last_step: totp.last_step,
                            recovery: totp.recovery.iter().map(|digest| from_hex(digest)).collect::<Option<_>>()?,
                        }),
                        None => None,
                    },
                    signed_in_at: row.signed_in_at,
                    created_at: row.created_at,
                })
            })?,
            sessions: sessions(record.sessions)?,
            backends: rows(record.backends, |key, row| {
                Some(BackendRow {
                    id: BackendId::new(key).ok()?,
                    name: row.name,
                    url: row.url,
                    enabled: row.enabled,
                    sealed_token: row.sealed_token.map(|token| token.to_vec()),
                    parallel: row.parallel,
                    weight: row.weight,
                    priority: row.priority,
                    draining: row.draining,
                    timeouts: Timeouts {
                        connect_timeout_s: row.connect_timeout_s,
                        first_byte_timeout_s: row.first_byte_timeout_s,
                        stall_timeout_s: row.stall_timeout_s,
                    },
                    created_at: row.created_at,
                })
            })?,
            users: rows(record.users, |key, row| {
                Some(UserRow {
                    id: UserId::new(key).ok()?,
                    name: row.name,
                    enabled: row.enabled,
                    created_at: row.created_at,
                    removed_at: row.removed_at,
                    policy: policy_from(row.policy)?,
                    remarks: remarks(row.label, row.note),
                })
            })?,
            keys: rows(record.keys, key_row)?,
            aliases: rows(record.aliases, |key, row| {
                Some(AliasRow {
                    name: key.to_owned(),
                    targets: row.targets,
                    note: row.note,
                    changes: row.changes,
                    created_at: row.created_at,
                })
            })?,
            settings: record.settings.into_iter().map(|Keyed { key, row }| (key, row.text)).collect(),
        })
    }
}

fn key_row(key: &str, row: KeyRecord) -> Option<KeyRow> {
    Some(KeyRow {
        id: KeyId::new(key).ok()?,
        user: UserId::new(&row.user).ok()?,
        name: row.name,
        status: status_from(&row.status)?,
        hash: match row.hash {
            Some(hash) => Some(hash.as_ref().try_into().ok()?),
            None => None,
        },
        last_four: row.last_four,
        limit: match (row.limit_requests, row.limit_minutes) {
            (None, None) => None,
            // A limit that cannot be read must not become "no limit".
            (requests, minutes) => Some(RateLimit::new(requests?, minutes?)?),
        },
        policy: policy_from(row.policy)?,
        created_at: row.created_at,
        remarks: remarks(row.label, row.note),
        replaced_by: match row.replaced_by {
            Some(id) => Some(KeyId::new(&id).ok()?),
            None => None,
        },
    })
}

fn remarks(label: Option<String>, note: Option<String>) -> Remarks {
    Remarks { label: label.unwrap_or_default(), note: note.unwrap_or_default() }
}

/// Nothing in place of an empty text.
fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn rows<T: SurrealValue, R>(
    records: Vec<Keyed<T>>,
    convert: impl Fn(&str, T) -> Option<R>,
) -> Result<Vec<R>, StoreError> {
    records
        .into_iter()
        .map(|Keyed { key, row }| {
            convert(&key, row).ok_or_else(|| StoreError::corrupt(format_args!("the row {key} makes no sense")))
        })
        .collect()
}

/// Nothing where nothing is restricted. A policy always has a JSON form.
fn policy_text(policy: &Policy) -> Option<String> {
    if policy.is_default() { None } else { serde_json::to_string(policy).ok() }
}

/// `None` for one that cannot be read: it must not become "nothing is restricted".
fn policy_from(text: Option<String>) -> Option<Policy> {
    text.map_or_else(|| Some(Policy::default()), |text| serde_json::from_str(&text).ok())
}

fn status_name(status: KeyStatus) -> &'static str {
    match status {
        KeyStatus::Active => "active",
        KeyStatus::Disabled => "disabled",
        KeyStatus::Revoked => "revoked",
    }
}

fn status_from(name: &str) -> Option<KeyStatus> {
    [KeyStatus::Active, KeyStatus::Disabled, KeyStatus::Revoked].into_iter().find(|&status| status_name(status) == name)
}

pub(crate) fn sessions(records: Vec<Keyed<SessionRecord>>) -> Result<Vec<SessionRow>, StoreError> {
    rows(records, |key, row| {
        Some(SessionRow {
            token_hash: from_hex(key)?,
            admin: AdminId::new(&row.admin).ok()?,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            address: row.address,
            user_agent: row.user_agent,
        })
    })
}

/// A session's record key. The digest of a token is no secret, and no use without the token.
pub(crate) fn to_hex(digest: &[u8; 32]) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(digest)
}
