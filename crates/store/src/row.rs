//! What is stored, as plain structs. How it looks inside the database is the business of the sibling modules.

use domain::{
    admin::Role,
    audit::AuditEntry,
    backend::Timeouts,
    endpoint::Endpoint,
    id::{AdminId, BackendId, KeyId, UserId},
    key::KeyStatus,
    limit::RateLimit,
    policy::Policy,
    remarks::Remarks,
    usage::{MinutePoint, Outcome, UsageRecord},
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
    pub timeouts: Timeouts,
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
    pub remarks: Remarks,
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
    pub remarks: Remarks,
    /// The key that was made in its place.
    pub replaced_by: Option<KeyId>,
}

/// Another name for models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasRow {
    /// In its shortest spelling, which no other has.
    pub name: String,
    /// In their order, as they were written.
    pub targets: Vec<String>,
    pub note: String,
    /// How often it was saved.
    pub changes: u64,
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
    /// By name.
    pub aliases: Vec<AliasRow>,
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
    PutAlias(AliasRow),
    DeleteAlias(String),
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

/// What one observed combination did in a stretch of time: a slot of 15 minutes, an hour or a day.
#[derive(Debug, Clone, PartialEq)]
pub struct RollupRow {
    /// Start of the stretch.
    pub at: u64,
    pub user: UserId,
    pub key: KeyId,
    pub model: Option<String>,
    pub backend: Option<BackendId>,
    pub endpoint: Endpoint,
    pub outcome: Outcome,
    /// All of them were answered with a status of 400 or more; what was rolled up before schema 5 is not told apart.
    pub failed: bool,
    pub requests: u64,
    /// Of these, with a status of 400 or more.
    pub errors: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub load_us: u64,
    pub gpu_us: u64,
    /// Waiting for slots. Not known, and 0, of what was rolled up before schema 5, like the two fields below.
    pub queue_us: u64,
    /// Requests whose model had to be loaded first.
    pub cold: u64,
    pub last_at: u64,
    /// Counts by power of two of milliseconds: bucket i holds durations in `[2^(i-1), 2^i)` ms, bucket 0 under 1 ms.
    pub total_histogram: Vec<u32>,
    /// Of all, also where nobody knows whether the model was loaded.
    pub ttft_histogram: Vec<u32>,
    pub warm_ttft_histogram: Vec<u32>,
    pub cold_ttft_histogram: Vec<u32>,
}

/// The same for whoever goes over many of them: everything is borrowed from the block it was read from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsageSum<'a> {
    pub at: u64,
    pub user: &'a str,
    pub key: &'a str,
    pub model: Option<&'a str>,
    pub backend: Option<&'a str>,
    pub endpoint: Endpoint,
    pub outcome: Outcome,
    pub failed: bool,
    pub requests: u64,
    pub errors: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub load_us: u64,
    pub gpu_us: u64,
    pub queue_us: u64,
    pub cold: u64,
    pub last_at: u64,
    pub total: Counts<'a>,
    /// Times to the first byte of warm and of cold answers, and of those of which that is not known.
    pub warm_ttft: Counts<'a>,
    pub cold_ttft: Counts<'a>,
    pub other_ttft: Counts<'a>,
}

/// The buckets of a histogram that are not empty.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counts<'a> {
    pub(crate) buckets: &'a [u8],
    pub(crate) counts: &'a [u32],
}

impl<'a> Counts<'a> {
    /// Numbers of buckets, as in [`RollupRow::total_histogram`], and how many fell into each.
    pub fn iter(self) -> impl Iterator<Item = (usize, u32)> + 'a {
        self.buckets.iter().map(|&bucket| usize::from(bucket)).zip(self.counts.iter().copied())
    }
}

/// Which requests are meant; what is not given does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageFilter {
    pub user: Option<UserId>,
    pub key: Option<KeyId>,
    /// `Some(None)` is requests without a model that some backend has.
    pub model: Option<Option<String>>,
    pub backend: Option<BackendId>,
    pub endpoint: Option<Endpoint>,
    pub outcome: Option<Outcome>,
    /// Only those that were answered with a status of 400 or more, or broken off by a backend.
    pub failed: bool,
}

/// What to add up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SumsQuery {
    /// Unix milliseconds, included. Stretches count by their start.
    pub from: u64,
    /// Not included.
    pub to: u64,
    pub filter: UsageFilter,
    /// Days of UTC are fine enough: whole months are then read at once.
    pub days: bool,
}

/// A place in the log: everything that is older than it is still to come. `at` and `request_id` of a record.
pub type LogPlace = (u64, u64);

/// What to look for in the log of requests, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageSearch {
    /// Unix milliseconds, included.
    pub from: u64,
    /// Not included.
    pub to: u64,
    pub filter: UsageFilter,
    /// Keys of which the filter's user can have only these.
    pub keys: Option<Vec<KeyId>>,
    /// First and last HTTP status.
    pub statuses: Option<(u16, u16)>,
    pub request_id: Option<u64>,
    /// Stretches of time outside of which nothing is, where that is known: each from its start to its end, which is not
    /// included; in the order of time, and apart.
    pub within: Option<Vec<(u64, u64)>>,
    /// Where the page before ended.
    pub after: Option<LogPlace>,
    /// Records returned at most.
    pub limit: usize,
    /// Segments looked at, and records read out of them, at most: about, since a page ends where a piece of it does.
    pub look: usize,
    pub read: usize,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UsageFound {
    /// Newest first.
    pub records: Vec<UsageRecord>,
    /// Where to go on; `None` where the range was searched to its end. There may be one although nothing was found.
    pub next: Option<LogPlace>,
}
