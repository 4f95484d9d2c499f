//! Sessions of administrators: which tokens are valid now. A token is known by its hash only. The database has a row for
//! each; this table is what requests are checked against, so a page costs no database read.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
    time::Duration,
};

use domain::id::AdminId;
use sha2::{Digest, Sha256};
use store::row::SessionRow;
use tokio::time::Instant;

use crate::{clock::Now, lock::lock};

/// A session ends this long after its last request.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// A session ends this long after signing in.
const ABSOLUTE: Duration = Duration::from_secs(12 * 3600);
/// Dangerous changes are made within this time of giving the password.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Sessions of one administrator; the oldest ends when another begins.
pub(crate) const PER_ADMIN: usize = 5;
/// The last request is written at most this often.
const WRITE_EVERY: Duration = Duration::from_secs(60);

type Hash = [u8; 32];

struct Entry {
    row: SessionRow,
    /// When this process first saw it, and its last request: these bound it whatever happens to the wall clock.
    first: Instant,
    last: Instant,
    /// `last_seen_at` as the database has it; `None` while it has no row, because it could not be written.
    written: Option<u64>,
    /// When its password was last given. Not stored: after a restart it is asked for again.
    password_at: Option<Instant>,
}

impl Entry {
    fn is_live(&self, now: Now) -> bool {
        within(self.row.created_at, now.wall, ABSOLUTE)
            && within(self.row.last_seen_at, now.wall, IDLE)
            && now.instant.duration_since(self.first) < ABSOLUTE
            && now.instant.duration_since(self.last) < IDLE
    }
}

fn within(from: u64, to: u64, bound: Duration) -> bool {
    Duration::from_millis(to.saturating_sub(from)) < bound
}

/// The table of valid sessions.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Table>);

#[derive(Default)]
struct Table {
    entries: HashMap<Hash, Entry>,
    /// Ended here while their rows could not be deleted: those rows begin nothing.
    ended: HashSet<Hash>,
}

impl Sessions {
    /// Follows the database: rows that vanished end here, rows of other gateways begin.
    pub fn follow(&self, rows: &[SessionRow], now: Now) {
        let mut table = lock(&self.0);
        let Table { entries, ended } = &mut *table;
        let known: HashSet<&Hash> = rows.iter().map(|row| &row.token_hash).collect();
        entries.retain(|hash, entry| entry.written.is_none() || known.contains(hash));
        ended.retain(|hash| known.contains(hash));
        for row in rows.iter().filter(|row| !ended.contains(&row.token_hash)) {
            let entry = entries.entry(row.token_hash).or_insert_with(|| Entry {
                row: row.clone(),
                first: now.instant,
                last: now.instant,
                written: Some(row.last_seen_at),
                password_at: None,
            });
            if row.last_seen_at > entry.row.last_seen_at {
                // Used through another gateway, as long ago as its row says.
                entry.row.last_seen_at = row.last_seen_at;
                let ago = Duration::from_millis(now.wall.saturating_sub(row.last_seen_at));
                entry.last = now.instant.checked_sub(ago).unwrap_or(entry.last).max(entry.last);
            }
            entry.written = Some(row.last_seen_at);
        }
    }

    /// Begins a session that lives in memory only, because the store cannot be written; says how many ended for it.
    pub fn begin_in_memory(&self, row: SessionRow, now: Now) -> usize {
        let mut table = lock(&self.0);
        let rows: Vec<SessionRow> = table.entries.values().map(|entry| entry.row.clone()).collect();
        let ended = surplus(&rows, &row.admin);
        ended.iter().for_each(|hash| table.end(*hash));
        let entry = Entry { first: now.instant, last: now.instant, written: None, password_at: None, row };
        table.entries.insert(entry.row.token_hash, entry);
        ended.len()
    }

    /// The administrator behind a token, whose session is thereby used.
    pub fn touch(&self, hash: &Hash, now: Now) -> Option<AdminId> {
        let mut table = lock(&self.0);
        let entry = table.entries.get_mut(hash).filter(|entry| entry.is_live(now))?;
        entry.last = now.instant;
        entry.row.last_seen_at = entry.row.last_seen_at.max(now.wall);
        Some(entry.row.admin.clone())
    }

    /// Still valid; does not count as use.
    pub fn is_live(&self, hash: &Hash, now: Now) -> bool {
        lock(&self.0).entries.get(hash).is_some_and(|entry| entry.is_live(now))
    }

    /// The password was given in this session, with which it begins, or again.
    pub fn password_given(&self, hash: &Hash, now: Now) {
        if let Some(entry) = lock(&self.0).entries.get_mut(hash) {
            entry.password_at = Some(now.instant);
        }
    }

    /// The password was given so lately that dangerous changes may be made.
    pub fn is_fresh(&self, hash: &Hash, now: Now) -> bool {
        let given = lock(&self.0).entries.get(hash).and_then(|entry| entry.password_at);
        given.is_some_and(|at| now.instant.duration_since(at) < FRESH)
    }

    /// Those of an administrator that are valid now, the last used first.
    pub fn of(&self, admin: &AdminId, now: Now) -> Vec<SessionRow> {
        let table = lock(&self.0);
        let own = table.entries.values().filter(|entry| entry.row.admin == *admin && entry.is_live(now));
        let mut rows: Vec<SessionRow> = own.map(|entry| entry.row.clone()).collect();
        rows.sort_by_key(|row| (std::cmp::Reverse(row.last_seen_at), row.token_hash));
        rows
    }

    /// Ends sessions here, whether or not their rows can be deleted.
    pub fn end(&self, which: impl Fn(&SessionRow) -> bool) {
        let mut table = lock(&self.0);
        let hashes: Vec<Hash> =
            table.entries.values().map(|entry| &entry.row).filter(|row| which(row)).map(|row| row.token_hash).collect();
        hashes.into_iter().for_each(|hash| table.end(hash));
    }

    /// As far as is known here, some session with a row has lapsed.
    pub fn any_lapsed(&self, now: Now) -> bool {
        lock(&self.0).entries.values().any(|entry| entry.written.is_some() && !entry.is_live(now))
    }

    /// Ends what has lapsed and returns every hash whose row is to be deleted.
    pub fn lapse(&self, now: Now) -> Vec<Hash> {
        let mut table = lock(&self.0);
        let lapsed: Vec<Hash> =
            table.entries.iter().filter(|(_, entry)| !entry.is_live(now)).map(|(hash, _)| *hash).collect();
        lapsed.into_iter().for_each(|hash| table.end(hash));
        table.ended.iter().copied().collect()
    }

    /// Rows whose last use should be written; with `all`, every one that differs from the database.
    pub fn to_write(&self, all: bool) -> Vec<SessionRow> {
        let due = |entry: &&Entry| match entry.written {
            None => true,
            Some(written) if all => entry.row.last_seen_at > written,
            Some(written) => entry.row.last_seen_at.saturating_sub(written) >= WRITE_EVERY.as_millis() as u64,
        };
        lock(&self.0).entries.values().filter(due).map(|entry| entry.row.clone()).collect()
    }
}

impl Table {
    fn end(&mut self, hash: Hash) {
        if let Some(entry) = self.entries.remove(&hash)
            && entry.written.is_some()
        {
            self.ended.insert(hash);
        }
    }
}

/// What a session is called on the pages: tells nothing about its token.
pub(crate) fn public_id(hash: &Hash) -> String {
    let digest = Sha256::new_with_prefix(b"session id").chain_update(hash).finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The sessions of `admin` that must end so that one more fits, oldest first.
pub(crate) fn surplus(rows: &[SessionRow], admin: &AdminId) -> Vec<Hash> {
    let mut own: Vec<&SessionRow> = rows.iter().filter(|row| row.admin == *admin).collect();
    own.sort_by_key(|row| row.created_at);
    let excess = (own.len() + 1).saturating_sub(PER_ADMIN);
    own.into_iter().take(excess).map(|row| row.token_hash).collect()
}

#[cfg(test)]
#[path = "session/tests.rs"]
mod tests;
