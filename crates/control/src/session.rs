//! Sessions of administrators: which tokens are valid now. A token is known by its hash only. The database has a row for
//! each; this table is what requests are checked against, so a page costs no database read.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
    time::Duration,
};

use domain::id::AdminId;
use store::row::SessionRow;
use tokio::time::Instant;

use crate::{clock::Now, lock::lock};

/// A session ends this long after its last request.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// A session ends this long after signing in.
const ABSOLUTE: Duration = Duration::from_secs(12 * 3600);
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
        table.entries.insert(row.token_hash, Entry { row, first: now.instant, last: now.instant, written: None });
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

/// The sessions of `admin` that must end so that one more fits, oldest first.
pub(crate) fn surplus(rows: &[SessionRow], admin: &AdminId) -> Vec<Hash> {
    let mut own: Vec<&SessionRow> = rows.iter().filter(|row| row.admin == *admin).collect();
    own.sort_by_key(|row| row.created_at);
    let excess = (own.len() + 1).saturating_sub(PER_ADMIN);
    own.into_iter().take(excess).map(|row| row.token_hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin() -> AdminId {
        AdminId::new("aaaaaaaaaaaa").unwrap()
    }

    fn row(number: u8, now: Now) -> SessionRow {
        SessionRow {
            token_hash: [number; 32],
            admin: admin(),
            created_at: now.wall,
            last_seen_at: now.wall,
            address: "127.0.0.1".into(),
            user_agent: String::new(),
        }
    }

    fn table(now: Now) -> Sessions {
        let sessions = Sessions::default();
        sessions.follow(&[row(1, now)], now);
        sessions
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_session_ends_after_thirty_idle_minutes() {
        let now = Now::read();
        let sessions = table(now);
        assert!(sessions.touch(&[1; 32], now.plus(MINUTE * 29)).is_some());
        assert!(sessions.touch(&[1; 32], now.plus(MINUTE * 58)).is_some(), "use keeps it");
        assert!(!sessions.is_live(&[1; 32], now.plus(MINUTE * 88)));
        assert!(sessions.touch(&[1; 32], now.plus(MINUTE * 88)).is_none());
    }

    #[test]
    fn a_session_ends_after_twelve_hours_of_use() {
        let now = Now::read();
        let sessions = table(now);
        for minutes in (20..720).step_by(20) {
            assert!(sessions.touch(&[1; 32], now.plus(MINUTE * minutes)).is_some(), "{minutes}");
        }
        assert!(sessions.touch(&[1; 32], now.plus(MINUTE * 720)).is_none());
    }

    #[test]
    fn use_through_another_gateway_keeps_a_session_as_long_as_use_here() {
        let now = Now::read();
        let sessions = table(now);
        let used = SessionRow { last_seen_at: now.plus(MINUTE * 29).wall, ..row(1, now) };
        sessions.follow(&[used], now.plus(MINUTE * 40));
        assert!(sessions.is_live(&[1; 32], now.plus(MINUTE * 58)));
        assert!(
            !sessions.is_live(&[1; 32], now.plus(MINUTE * 59)),
            "counted from its use, not from when that was read"
        );
    }

    #[test]
    fn turning_the_wall_clock_back_revives_nothing() {
        let now = Now::read();
        let sessions = table(now);
        let back = Now { wall: now.wall - 3_600_000, instant: now.instant + IDLE };
        assert!(sessions.touch(&[1; 32], back).is_none());
    }

    #[test]
    fn asking_whether_a_session_is_live_does_not_keep_it_alive() {
        let now = Now::read();
        let sessions = table(now);
        assert!(sessions.is_live(&[1; 32], now.plus(MINUTE * 29)));
        assert!(!sessions.is_live(&[1; 32], now.plus(MINUTE * 31)));
    }

    #[test]
    fn the_last_use_is_written_at_most_once_a_minute() {
        let now = Now::read();
        let sessions = table(now);
        sessions.touch(&[1; 32], now.plus(MINUTE / 2));
        assert!(sessions.to_write(false).is_empty());
        assert_eq!(sessions.to_write(true).len(), 1);
        sessions.touch(&[1; 32], now.plus(MINUTE));
        let due = sessions.to_write(false);
        assert_eq!(due.len(), 1);
        sessions.follow(&due, now.plus(MINUTE));
        assert!(sessions.to_write(false).is_empty());
    }

    #[test]
    fn a_session_whose_row_vanished_ends_and_one_in_memory_stays() {
        let now = Now::read();
        let sessions = table(now);
        sessions.begin_in_memory(row(2, now), now);
        sessions.follow(&[], now);
        assert!(!sessions.is_live(&[1; 32], now));
        assert!(sessions.is_live(&[2; 32], now));
        assert_eq!(sessions.to_write(false).len(), 1);
    }

    #[test]
    fn a_sixth_session_ends_the_oldest() {
        let now = Now::read();
        let rows: Vec<SessionRow> = (1..=5).map(|number| row(number, now.plus(MINUTE * u32::from(number)))).collect();
        assert_eq!(surplus(&rows, &admin()), [[1; 32]]);
        assert_eq!(surplus(&rows[..4], &admin()), Vec::<Hash>::new());
    }

    #[test]
    fn a_sixth_session_in_memory_says_that_one_ended_for_it() {
        let now = Now::read();
        let sessions = Sessions::default();
        let ended: Vec<usize> = (1..=6)
            .map(|number| sessions.begin_in_memory(row(number, now.plus(MINUTE / 60 * u32::from(number))), now))
            .collect();
        assert_eq!(ended, [0, 0, 0, 0, 0, 1]);
        assert!(!sessions.is_live(&[1; 32], now) && sessions.is_live(&[6; 32], now));
    }

    #[test]
    fn lapsed_sessions_are_named_until_their_rows_are_gone() {
        let now = Now::read();
        let sessions = table(now);
        assert!(sessions.lapse(now).is_empty());
        assert_eq!(sessions.lapse(now.plus(IDLE)), [[1; 32]]);
        assert_eq!(sessions.lapse(now.plus(IDLE)), [[1; 32]], "the row may not have been deleted");
        sessions.follow(&[], now.plus(IDLE));
        assert!(sessions.lapse(now.plus(IDLE)).is_empty());
    }

    #[test]
    fn a_row_that_could_not_be_deleted_revives_nothing() {
        let now = Now::read();
        let sessions = table(now);
        sessions.end(|row| row.token_hash == [1; 32]);
        sessions.follow(&[row(1, now), row(2, now)], now);
        assert!(!sessions.is_live(&[1; 32], now));
        assert!(sessions.is_live(&[2; 32], now));
    }
}
