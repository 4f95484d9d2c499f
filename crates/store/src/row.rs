//! What is stored, as plain structs. How it looks inside the database is the business of the sibling modules.

use domain::{
    admin::Role,
    audit::AuditEntry,
    endpoint::Endpoint,
    id::{AdminId, BackendId, KeyId, UserId},
    key::KeyStatus,
    limit::RateLimit,
    policy::Policy,
    usage::{MinutePoint, Outcome},
};

/// An administrator. No Debug: it holds a password hash.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminRow {
    pub id: AdminId,
    pub name: String,
    /// PHC string of argon2id.
    pub password_hash: String,
    pub role: Role,
    /// A disabled one cannot sign in.
    pub enabled: bool,
    /// The second factor, where there is one.
    pub totp: Option<TotpRow>,
    /// The last sign-in; what came after is in the sessions.
    pub signed_in_at: Option<u64>,
    /// Unix milliseconds, as all times here.
    pub created_at: u64,
}

/// An administrator's second factor.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpRow {
    /// The shared secret, sealed by `control`.
    pub sealed: Vec<u8>,
    /// Number of the last 30-second step a code was taken for: no code counts twice.
    pub last_step: u64,
    /// Digests of the recovery codes that are left.
    pub recovery: Vec<[u8; 32]>,
}

/// A session, found by the SHA-256 of its token.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRow {
    pub token_hash: [u8; 32],
    pub admin: AdminId,
    pub created_at: u64,
    pub last_seen_at: u64,
    pub address: String,
    pub user_agent: String,
}

#[derive(Clone, PartialEq, Eq)]
pub struct BackendRow {
    pub id: BackendId,
    pub name: String,
    pub url: String,
    pub enabled: bool,
    /// The bearer token, sealed by `control`.
    pub sealed_token: Option<Vec<u8>>,
    /// Most requests at once; `None` is learned.
    pub parallel: Option<u32>,
    pub weight: u32,
    pub priority: u32,
    /// It gets nothing new.
    pub draining: bool,
    pub created_at: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    pub id: UserId,
    pub name: String,
    pub enabled: bool,
    pub created_at: u64,
    /// A removed user stays as a name for its usage.
    pub removed_at: Option<u64>,
    pub policy: Policy,
}

#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    pub id: KeyId,
    pub user: UserId,
    pub name: String,
    pub status: KeyStatus,
    /// `None` once revoked.
    pub hash: Option<[u8; 32]>,
    pub last_four: String,
    pub limit: Option<RateLimit>,
    pub policy: Policy,
    pub created_at: u64,
}

/// Everything but usage, at one revision.
#[derive(Clone, Default)]
pub struct State {
    pub revision: u64,
    pub admins: Vec<AdminRow>,
    pub sessions: Vec<SessionRow>,
    /// Oldest first, as all lists here.
    pub backends: Vec<BackendRow>,
    pub users: Vec<UserRow>,
    pub keys: Vec<KeyRow>,
    /// Saved settings and the store's own marks, by name. Values are text; secrets among them are sealed and base64.
    pub settings: Vec<(String, String)>,
}

/// One write. `Put` inserts or replaces the whole row.
#[derive(Clone)]
pub enum Op {
    PutAdmin(AdminRow),
    DeleteAdmin(AdminId),
    PutSession(SessionRow),
    DeleteSession([u8; 32]),
    PutBackend(BackendRow),
    DeleteBackend(BackendId),
    PutUser(UserRow),
    PutKey(KeyRow),
    PutSetting(String, String),
    DeleteSetting(String),
    /// A row of the audit log, in the same transaction as what it tells of.
    Audit(AuditEntry),
}

/// One minute's sums.
pub type MinuteRow = MinutePoint;

/// What a key used in a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpentRow {
    pub key: KeyId,
    pub user: UserId,
    /// Prompt and answer.
    pub tokens: u64,
    /// Microseconds that backends worked.
    pub gpu_us: u64,
}

/// One 15-minute slot of one observed combination.
#[derive(Debug, Clone, PartialEq)]
pub struct RollupRow {
    /// Start of the slot.
    pub at: u64,
    pub user: UserId,
    pub key: KeyId,
    pub model: Option<String>,
    pub backend: Option<BackendId>,
    pub endpoint: Endpoint,
    pub outcome: Outcome,
    pub requests: u64,
    /// Of these, with a status of 400 or more.
    pub errors: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub load_us: u64,
    pub gpu_us: u64,
    pub last_at: u64,
    /// Counts by power of two of milliseconds: bucket i holds durations in `[2^(i-1), 2^i)` ms, bucket 0 under 1 ms.
    pub total_histogram: Vec<u32>,
    pub ttft_histogram: Vec<u32>,
}
