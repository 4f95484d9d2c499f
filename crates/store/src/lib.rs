//! SurrealDB and its migrations. Nothing else in the workspace names SurrealDB. Rows go in and out as plain structs; the
//! whole configuration is small enough to be loaded at once, so reads are one `load` and writes are transactions of
//! [`row::Op`]s.

mod address;
mod audit;
mod commit;
pub mod dump;
mod engine;
pub mod error;
mod load;
mod lock;
mod manifest;
mod migrate;
mod read_only;
mod record;
mod recover;
mod remote;
pub mod restore;
pub mod row;
mod usage;
mod wal;

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use domain::{
    audit::{AuditEntry, AuditQuery, AuditRows},
    id::KeyId,
    usage::UsageRecord,
};
use tokio::sync::{Mutex, RwLock, RwLockReadGuard, mpsc};

pub use address::{StoreConfig, check_address};
pub use error::StoreError;
pub use lock::FileLock;
pub use read_only::Room;

use address::{Engine, Place};
use engine::Handle;
use lock::FolderLock;
use row::{MinuteRow, Op, RollupRow, SessionRow, SpentRow, State, SumsQuery, UsageFound, UsageSearch, UsageSum};

/// Totals of a key over all its usage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyTotals {
    pub requests: u64,
    /// Unix milliseconds.
    pub last_used_at: Option<u64>,
    /// Where the last one came from; what was used before schema 7 does not say.
    pub last_address: Option<IpAddr>,
}

impl KeyTotals {
    pub fn add(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        let last = |totals: &Self| (totals.last_used_at, totals.last_address);
        (self.last_used_at, self.last_address) = last(self).max(last(&other));
    }

    /// Adds one request.
    pub fn add_request(&mut self, at: u64, address: Option<IpAddr>) {
        self.add(Self { requests: 1, last_used_at: Some(at), last_address: address });
    }
}

/// An open store; cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    /// `None` once closed, and where it could not be opened again by [`Store::recover`].
    handle: RwLock<Option<Handle>>,
    /// For good, by [`Store::close`].
    closed: AtomicBool,
    /// Writes go one after the other: two at once would only meet as a conflict inside the engine.
    writes: Mutex<()>,
    /// Why nothing can be written, once that is known.
    read_only: std::sync::RwLock<Option<String>>,
    remote: bool,
    /// The folder of a database whose log we look after.
    folder: Option<PathBuf>,
    /// A folder on the disk that is written to, whatever the engine.
    disk: Option<PathBuf>,
    /// How far that log was well when a write was refused.
    refused_at: std::sync::Mutex<Option<(PathBuf, usize)>>,
    /// Freed by `close`, and by the end of the process.
    held: std::sync::Mutex<Held>,
}

/// What an open database keeps: its lock, and the copy it runs on where the real folder cannot be written.
#[derive(Default)]
struct Held {
    #[expect(dead_code, reason = "dropping it frees the lock")]
    lock: Option<FolderLock>,
    #[expect(dead_code, reason = "dropping it removes the folder")]
    copy: Option<read_only::Copy>,
}

impl Store {
    /// Opens the store, takes its lock, runs missing migrations. Errors say what an operator can do; after
    /// [`StoreError::Full`] the configuration can still be had by [`Store::open_read_only`].
    pub async fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let place = Place::parse(&config.address)?;
        if matches!(place, Place::Folder { .. }) {
            read_only::sweep();
        }
        let lock = match &place {
            Place::Folder { path, .. } => {
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent)
                        .map_err(|error| StoreError::file(&format!("cannot make {}", parent.display()), &error))?;
                }
                Some(FolderLock::take(path)?)
            }
            Place::Memory | Place::Server(_) => None,
        };
        let folder = match &place {
            Place::Folder { engine: Engine::SurrealKv, path } => Some(path.clone()),
            _ => None,
        };
        let held = Held { lock, copy: None };
        let Some(folder) = folder else { return Self::start(&place, None, held, None).await };
        restore::settle(&folder)?;
        // The engine would try for two minutes.
        if let Some(detail) = read_only::refusal(&folder) {
            return Err(StoreError::Full { detail });
        }
        manifest::check(&folder)?;
        wal::prepare(&folder)?;
        let end = wal::end(&folder);
        let store = Self::start(&place, Some(folder.clone()), held, None).await;
        if let (Err(StoreError::Full { .. }), Some(end)) = (&store, end) {
            // Half a write must not stand in the way of the next start. The first fault is the one to tell.
            let _ = wal::settle(&folder, end);
        }
        store
    }

    /// Opens a copy of the database in memory or in the temporary folder, for a disk that is full or read-only: the
    /// configuration can be loaded, and every write answers [`StoreError::Full`]. A database that is not in a folder, or
    /// not there yet, cannot be opened this way.
    pub async fn open_read_only(config: &StoreConfig) -> Result<Self, StoreError> {
        let Place::Folder { engine, path } = Place::parse(&config.address)? else {
            return Err(StoreError::other("only a database in a folder can be opened read-only"));
        };
        let lock = FolderLock::take(&path)?;
        let why = read_only::refusal(&path)
            .unwrap_or_else(|| format!("{}: a write was refused at the start", path.display()));
        let copy = read_only::copy(&path, &why)?;
        let folder = copy.path().join("db");
        manifest::check(&folder)?;
        wal::prepare(&folder)?;
        let place = Place::Folder { engine, path: folder };
        Self::start(&place, None, Held { lock: Some(lock), copy: Some(copy) }, Some(why)).await
    }

    async fn start(
        place: &Place,
        folder: Option<PathBuf>,
        held: Held,
        read_only: Option<String>,
    ) -> Result<Self, StoreError> {
        let handle = Handle::open(place).await?;
        let remote = handle.is_remote();
        let disk = match place {
            Place::Folder { path, .. } if read_only.is_none() => Some(path.clone()),
            _ => None,
        };
        let ready = match migrate::run(&handle).await {
            Ok(()) if remote => commit::check_allowed(&handle).await,
            done => done,
        };
        if let Err(error) = ready {
            // The reason counts, not how the closing went.
            let _ = handle.close().await;
            return Err(error);
        }
        Ok(Self(Arc::new(Inner {
            handle: RwLock::new(Some(handle)),
            closed: AtomicBool::new(false),
            writes: Mutex::new(()),
            read_only: std::sync::RwLock::new(read_only),
            remote,
            folder,
            disk,
            refused_at: std::sync::Mutex::default(),
            held: std::sync::Mutex::new(held),
        })))
    }

    /// Waits for what is being written, flushes and closes; when it returns, another process may open the same folder.
    /// Other clones answer with an error from then on.
    pub async fn close(self) -> Result<(), StoreError> {
        let handle = {
            let mut slot = self.0.handle.write().await;
            self.0.closed.store(true, Ordering::Release);
            slot.take()
        };
        let closed = match handle {
            Some(handle) => handle.close().await,
            None => Ok(()),
        };
        let refused_at = self.0.refused_at.lock().unwrap_or_else(PoisonError::into_inner).take();
        let repaired = match (&self.0.folder, refused_at) {
            (Some(folder), Some(end)) => wal::settle(folder, end),
            _ => Ok(()),
        };
        drop(std::mem::take(&mut *self.0.held.lock().unwrap_or_else(PoisonError::into_inner)));
        closed.and(repaired)
    }

    /// The database is a server that other gateways may share.
    pub fn is_remote(&self) -> bool {
        self.0.remote
    }

    /// How much room the disk of the database has. `None` where the database is on no disk of ours, or a copy.
    pub fn room(&self) -> Option<Room> {
        read_only::room_of(self.0.disk.as_deref()?)
    }

    /// Why nothing can be written, if that is so.
    pub fn read_only(&self) -> Option<String> {
        self.0.read_only.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything but usage.
    pub async fn load(&self) -> Result<State, StoreError> {
        load::state(&*self.handle().await?).await
    }

    /// The revision in the database now; other gateways on a shared database count it up too.
    pub async fn revision(&self) -> Result<u64, StoreError> {
        load::revision(&*self.handle().await?).await
    }

    /// The sessions in the database now, oldest first; they change without the revision.
    pub async fn sessions(&self) -> Result<Vec<SessionRow>, StoreError> {
        load::sessions(&*self.handle().await?).await
    }

    /// Sends everything but sessions, as it is at one moment, in bounded pieces; `usage` includes the usage. Fails when
    /// nobody takes the pieces any more. Others go on writing meanwhile.
    pub async fn dump(&self, usage: bool, pieces: mpsc::Sender<dump::Piece>) -> Result<(), StoreError> {
        dump::read(&*self.handle().await?, usage, pieces).await
    }

    /// Applies all `ops` in one transaction, or none. Fails with [`StoreError::Stale`] if the database's revision is no
    /// longer `expected`. Returns the new revision. When it returns, the change survives kill -9.
    pub async fn commit(&self, expected: u64, ops: Vec<Op>) -> Result<u64, StoreError> {
        let handle = self.handle().await?;
        let _turn = self.0.writes.lock().await;
        self.writable()?;
        self.noting_full(commit::run(&handle, expected, ops).await)
    }

    /// Adds rows that belong to no change to the audit log. Rows that are there already stay as they are.
    pub async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        let handle = self.handle().await?;
        let _turn = self.0.writes.lock().await;
        self.writable()?;
        self.noting_full(audit::append(&handle, entries).await)
    }

    /// The audit log, newest first: at most `limit` rows of at most `look` that are looked through.
    pub async fn audit(&self, query: &AuditQuery) -> Result<AuditRows, StoreError> {
        audit::read(&*self.handle().await?, query).await
    }

    /// Appends records in one transaction. The segment's name comes from the records, so the same ones handed over again
    /// are counted once: after an error, which leaves open whether they were written, try again with exactly the same.
    pub async fn append_usage(&self, records: &[UsageRecord]) -> Result<(), StoreError> {
        let handle = self.handle().await?;
        let _turn = self.0.writes.lock().await;
        self.writable()?;
        self.noting_full(usage::append(&handle, records).await)
    }

    /// Adds what was appended to the roll-ups and the totals of the keys, so that their readers need not: worth doing now
    /// and then, and safe to leave out. Returns whether there may be more to do.
    pub async fn roll_up_usage(&self) -> Result<bool, StoreError> {
        let handle = self.handle().await?;
        let _turn = self.0.writes.lock().await;
        self.writable()?;
        self.noting_full(usage::roll_up(&handle).await)
    }

    /// Records with `from <= at < to` (Unix milliseconds), newest first, at most `limit`.
    pub async fn usage(&self, from: u64, to: u64, limit: usize) -> Result<Vec<UsageRecord>, StoreError> {
        usage::records(&*self.handle().await?, from, to, limit).await
    }

    /// A page of the log of requests, newest first.
    pub async fn search_usage(&self, search: &UsageSearch) -> Result<UsageFound, StoreError> {
        usage::search(&*self.handle().await?, search).await
    }

    /// Hands every roll-up that the query means to `take`, each once, in no order. Fails with [`StoreError::Stale`] where
    /// roll-ups were moved meanwhile: forget then what was taken, and ask again.
    pub async fn usage_sums(
        &self,
        query: &SumsQuery,
        take: &mut (dyn FnMut(&UsageSum<'_>) + Send),
    ) -> Result<(), StoreError> {
        usage::sums(&*self.handle().await?, query, take).await
    }

    /// Brings the roll-ups of one day or month that was over at `now` (Unix milliseconds) together, so that they are read
    /// faster. Worth doing every hour, and safe to leave out. Returns whether there may be more to do.
    pub async fn fold_usage(&self, now: u64) -> Result<bool, StoreError> {
        let handle = self.handle().await?;
        self.writable()?;
        self.carry_out(&handle, usage::fold::plan(&handle, now).await).await
    }

    /// Deletes a piece of the segments that end before `records` and of the roll-ups of days that ended before `sums` (Unix
    /// milliseconds). What is not rolled up yet stays. Returns whether there may be more to do.
    pub async fn forget_usage(&self, records: u64, sums: u64) -> Result<bool, StoreError> {
        let handle = self.handle().await?;
        self.writable()?;
        self.carry_out(&handle, usage::retention::plan(&handle, records, sums).await).await
    }

    /// Appends wait only for the transaction, not for the computing of what it moves.
    async fn carry_out(
        &self,
        handle: &Handle,
        plan: Result<Option<usage::fold::Plan>, StoreError>,
    ) -> Result<bool, StoreError> {
        let done = match plan {
            Ok(None) => return Ok(false),
            Ok(Some(plan)) => {
                let _turn = self.0.writes.lock().await;
                self.writable()?;
                self.noting_full(plan.carry_out(handle).await)
            }
            Err(error) => Err(error),
        };
        match done {
            // Something else was moved first: the next piece is computed anew.
            Ok(()) | Err(StoreError::Stale) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Roll-ups whose stretch starts in `from..to`: slots of 15 minutes, hours of the days that are folded.
    pub async fn rollups(&self, from: u64, to: u64) -> Result<Vec<RollupRow>, StoreError> {
        usage::rollups(&*self.handle().await?, from, to).await
    }

    /// Per-minute sums of the records in `from..to`, read from the segments; used once at start. Oldest first, without
    /// the minutes in which nothing happened.
    pub async fn minutes(&self, from: u64, to: u64) -> Result<Vec<MinuteRow>, StoreError> {
        usage::minutes(&*self.handle().await?, from, to).await
    }

    /// What keys used in the stretches that start in `from..to`; keys that used nothing are left out.
    pub async fn spent(&self, from: u64, to: u64) -> Result<Vec<SpentRow>, StoreError> {
        usage::spent(&*self.handle().await?, from, to).await
    }

    /// Totals of every key that was ever used; used once at start.
    pub async fn key_totals(&self) -> Result<Vec<(KeyId, KeyTotals)>, StoreError> {
        usage::key_totals(&*self.handle().await?).await
    }

    async fn handle(&self) -> Result<RwLockReadGuard<'_, Handle>, StoreError> {
        RwLockReadGuard::try_map(self.0.handle.read().await, Option::as_ref).map_err(|_| {
            let closed = self.0.closed.load(Ordering::Acquire);
            StoreError::other(if closed { "the database is closed" } else { "the database could not be opened again" })
        })
    }

    fn writable(&self) -> Result<(), StoreError> {
        match self.read_only() {
            Some(detail) => Err(StoreError::Full { detail }),
            None => Ok(()),
        }
    }

    /// After a refused write the engine's log may end in half a record. Writing on behind it could lose what comes
    /// later, so nothing is written until [`Store::recover`] or the next start has repaired it.
    fn noting_full<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        let detail = match &result {
            Err(StoreError::Full { detail }) => detail.clone(),
            // The engine does not say why a commit failed: the disk is asked.
            Err(StoreError::Other { .. }) => match self.0.folder.as_deref().and_then(read_only::refusal) {
                Some(detail) => detail,
                None => return result,
            },
            _ => return result,
        };
        tracing::error!(%detail, "the database is read-only until there is room on the disk");
        if let Some(end) = self.0.folder.as_deref().and_then(wal::end) {
            self.0.refused_at.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(end);
        }
        *self.0.read_only.write().unwrap_or_else(PoisonError::into_inner) = Some(detail.clone());
        Err(StoreError::Full { detail })
    }
}
