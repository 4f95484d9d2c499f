//! The whole configuration in memory, and the one way to change it: compute the writes against what is known, commit
//! them to the store, put them in force here and in the gateway, and only then answer.

use std::sync::{Arc, atomic::Ordering};

use domain::{
    error::AdminError,
    id::{AdminId, BackendId, KeyId, UserId},
    key::KeyStatus,
};
use store::{
    StoreError,
    row::{AdminRow, BackendRow, KeyRow, Op, UserRow},
};
use tokio::sync::OwnedMutexGuard;

use crate::{Control, Inner, audit, by::By, clock::Now, fault, keys, snapshot, tombstones};

/// How often a write is computed anew because another gateway changed the shared database first.
const TRIES: usize = 8;

/// The configuration at one revision. Swapped whole, so every reader sees one revision.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub rows: store::row::State,
}

impl State {
    pub fn admin(&self, id: &AdminId) -> Option<&AdminRow> {
        self.rows.admins.iter().find(|row| row.id == *id)
    }

    pub fn backend(&self, id: &BackendId) -> Result<&BackendRow, AdminError> {
        self.rows.backends.iter().find(|row| row.id == *id).ok_or_else(|| fault::not_found("backend"))
    }

    /// A user that is not removed.
    pub fn user(&self, id: &UserId) -> Result<&UserRow, AdminError> {
        self.users().find(|row| row.id == *id).ok_or_else(|| fault::not_found("user"))
    }

    pub fn users(&self) -> impl Iterator<Item = &UserRow> {
        self.rows.users.iter().filter(|row| row.removed_at.is_none())
    }

    pub fn key(&self, id: &KeyId) -> Result<&KeyRow, AdminError> {
        self.rows.keys.iter().find(|row| row.id == *id).ok_or_else(|| fault::not_found("key"))
    }

    /// The key that took its place. One that was revoked since leaves the place empty.
    pub fn successor<'s>(&'s self, key: &KeyRow) -> Option<&'s KeyRow> {
        let by = key.replaced_by.as_ref()?;
        let by = self.rows.keys.iter().find(|row| row.id == *by)?;
        (by.status != KeyStatus::Revoked).then_some(by)
    }

    pub fn keys_of(&self, user: &UserId) -> impl Iterator<Item = &KeyRow> {
        self.rows.keys.iter().filter(move |row| row.user == *user)
    }

    pub fn setting(&self, name: &str) -> Option<&str> {
        self.rows.settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The same with `ops` applied, as the store applied them.
    pub(crate) fn after(&self, ops: Vec<Op>, revision: u64) -> Self {
        let mut rows = self.rows.clone();
        rows.revision = revision;
        for op in ops {
            match op {
                Op::PutAdmin(row) => put(&mut rows.admins, row, |left, right| left.id == right.id),
                Op::DeleteAdmin(id) => rows.admins.retain(|row| row.id != id),
                Op::PutSession(row) => put(&mut rows.sessions, row, |left, right| left.token_hash == right.token_hash),
                Op::DeleteSession(hash) => rows.sessions.retain(|row| row.token_hash != hash),
                Op::PutBackend(row) => put(&mut rows.backends, row, |left, right| left.id == right.id),
                Op::DeleteBackend(id) => rows.backends.retain(|row| row.id != id),
                Op::PutUser(row) => put(&mut rows.users, row, |left, right| left.id == right.id),
                Op::PutKey(row) => put(&mut rows.keys, row, |left, right| left.id == right.id),
                Op::PutAlias(row) => {
                    put(&mut rows.aliases, row, |left, right| left.name == right.name);
                    rows.aliases.sort_by(|left, right| left.name.cmp(&right.name));
                }
                Op::DeleteAlias(name) => rows.aliases.retain(|row| row.name != name),
                Op::PutSetting(name, value) => put(&mut rows.settings, (name, value), |left, right| left.0 == right.0),
                Op::DeleteSetting(name) => rows.settings.retain(|(known, _)| *known != name),
                // Not held in memory.
                Op::Audit(_) => {}
            }
        }
        Self { rows }
    }
}

fn put<T>(rows: &mut Vec<T>, row: T, same: impl Fn(&T, &T) -> bool) {
    match rows.iter_mut().find(|known| same(known, &row)) {
        Some(known) => *known = row,
        None => rows.push(row),
    }
}

impl Inner {
    /// Puts a state in force: for the pages, for sessions, and for every request that the gateway starts from now on.
    pub fn install(&self, state: State) {
        // First, because the rest opens what is sealed.
        self.secrets.follow(&state);
        self.sessions.follow(&state.rows.sessions, Now::read());
        self.doors.follow(&state, &self.environment.network);
        self.pairs.follow(&state, &self.secrets.sealer());
        self.follow_redis(&state);
        let snapshot = snapshot::build(&state, &self.secrets.now(), &self.environment);
        self.seed_spending(&state);
        self.state.store(Arc::new(state));
        self.gateway.publish(snapshot);
    }

    /// The same for a state that differs in sessions only, which do not count the revision up.
    fn install_sessions(&self, state: State, now: Now) {
        self.sessions.follow(&state.rows.sessions, now);
        self.state.store(Arc::new(state));
    }

    /// Writes down that keys are revoked, so that no backup brings them back. The database says so already: where it
    /// cannot be written down, that is shown with the key, and tried again by housekeeping and by the next start.
    pub async fn bury(&self, revoked: Vec<KeyId>) {
        if revoked.iter().all(|id| self.tombstones.is_written(id)) {
            return;
        }
        let tombstones = Arc::clone(&self.tombstones);
        let ids = revoked.clone();
        let written = tokio::task::spawn_blocking(move || tombstones.add(ids, Now::read().wall)).await;
        // One that was cut off is tried again, too. Said once, not with every try.
        if !matches!(written, Ok(Ok(()))) && self.tombstones.owe_to_file(revoked) {
            let error = written.ok().and_then(Result::err).map(|error| error.to_string()).unwrap_or_default();
            tracing::error!(error, "the list of revoked keys cannot be written; trying again");
        }
    }

    async fn reload(&self) -> Result<(), StoreError> {
        let mut state = State { rows: self.store.load().await? };
        // What was revoked while the database could not be written.
        self.tombstones.lay(&mut state);
        if !self.secrets.follow(&state) {
            tracing::error!(
                "another gateway sealed the database's secrets with a key that this one does not have: give it the same \
                 SECRET_KEY or key file; until then it goes on with what it knows"
            );
            return Err(StoreError::Other { detail: "the key of the database is not here".into() });
        }
        let revoked: Vec<_> = state.rows.keys.iter().filter_map(tombstones::revoked_in).collect();
        self.bury(revoked).await;
        self.know_spending(&state).await;
        self.install(state);
        Ok(())
    }

    async fn commit(&self, expected: u64, ops: Vec<Op>) -> Result<(), StoreError> {
        match self.store.commit(expected, ops.clone()).await {
            Ok(revision) => {
                self.bury(tombstones::revoked_by(&ops)).await;
                let state = self.state.load().after(ops, revision);
                if revision == expected {
                    self.install_sessions(state, Now::read())
                } else {
                    self.know_spending(&state).await;
                    self.install(state)
                }
                Ok(())
            }
            Err(StoreError::Stale) => {
                self.reload().await?;
                Err(StoreError::Stale)
            }
            Err(error) => {
                // It may have been written all the same, so housekeeping compares revisions.
                self.doubtful.store(true, Ordering::Release);
                Err(error)
            }
        }
    }
}

impl Control {
    /// Revokes a key although the store cannot be written: the one change that does not wait for it, because whoever has
    /// the key would not wait either. The error says that it ends with this process.
    pub(crate) async fn revoke_unsaved(&self, by: &By, id: &KeyId) -> Result<(), AdminError> {
        let held = Arc::clone(&self.0.write).lock_owned().await;
        let inner = Arc::clone(&self.0);
        let id = id.clone();
        // In a task of its own, as every write.
        let task = tokio::spawn(async move {
            let _held = held;
            let tombstones = Arc::clone(&inner.tombstones);
            let buried = id.clone();
            let write = move || tombstones.revoke_unsaved(&buried, Now::read().wall);
            let written = tokio::task::spawn_blocking(write).await;
            let state = inner.state.load_full();
            let row = keys::revoked(state.key(&id)?);
            inner.install(state.after(vec![Op::PutKey(row)], state.rows.revision));
            written.map_err(|error| fault::internal("a write was cut off", &error))?.map_err(|error| {
                tracing::error!(%error, key = %id, "a revoked key cannot be written down: it would work again after a restart");
                let message = "the key is refused from now on, but nothing can be written: as long as that is so, it would \
                               work again after a restart. Make room on the disk and leave the gateway running, which then \
                               writes it down by itself";
                AdminError::ReadOnly { message: message.into() }
            })
        });
        let done = task.await.map_err(|error| fault::internal("a write was cut off", &error))?;
        self.note_unsaved(by);
        done
    }

    /// Tries again to write down what was revoked meanwhile.
    pub(crate) async fn write_revoked(&self) {
        let owed = self.0.tombstones.owed_to_file();
        if !owed.is_empty() {
            self.0.bury(owed).await;
        }
        let owed = self.0.tombstones.owed_to_database();
        if owed.is_empty() || self.0.store.read_only().is_some() {
            return;
        }
        let written = self.mutate(By::gateway("revoked keys stay revoked"), |state| {
            let rows = owed.iter().filter_map(|id| state.key(id).ok());
            Ok((rows.map(|row| Op::PutKey(keys::revoked(row))).collect(), ()))
        });
        match written.await {
            Ok(()) => self.0.tombstones.saved(&owed),
            Err(error) => {
                tracing::warn!(%error, "the database does not know yet which keys were revoked; trying again")
            }
        }
    }

    /// The one write path. `compute` sees the present state and may run more than once; what it refuses changes
    /// nothing. The audit log's row is in the same transaction.
    pub(crate) async fn mutate<T>(
        &self,
        by: By,
        mut compute: impl FnMut(&State) -> Result<(Vec<Op>, T), AdminError>,
    ) -> Result<T, AdminError> {
        let mut held = Arc::clone(&self.0.write).lock_owned().await;
        for _ in 0..TRIES {
            let state = self.state();
            let (mut ops, value) = match compute(&state) {
                Ok(computed) => computed,
                // What is missing or in the way may be so only here: another gateway may have changed it.
                Err(_) if self.is_behind(&state).await => {
                    self.0.reload().await.map_err(|error| fault::of_store(&error))?;
                    continue;
                }
                Err(refusal) => return Err(refusal),
            };
            if ops.is_empty() {
                return Ok(value);
            }
            if let Some(why) = self.0.store.read_only() {
                return Err(fault::read_only(&why));
            }
            ops.extend(audit::row(&by, &state, &ops)?);
            let (guard, result) = self.commit_whole(held, state.rows.revision, ops).await?;
            held = guard;
            match result {
                Ok(()) => {
                    let (what, revision) = (by.what, self.state().rows.revision);
                    match by.actor {
                        Some(_) => tracing::info!(what, revision, "configuration changed"),
                        None => tracing::debug!(what, revision, "housekeeping written"),
                    }
                    return Ok(value);
                }
                Err(StoreError::Stale) => {}
                Err(error) => return Err(fault::of_store(&error)),
            }
        }
        Err(fault::conflict("somebody else keeps changing the configuration: try again"))
    }

    /// Commits and puts in force in a task of its own: a caller that goes away in between must not leave the store
    /// ahead of the gateway.
    async fn commit_whole(
        &self,
        held: OwnedMutexGuard<()>,
        expected: u64,
        ops: Vec<Op>,
    ) -> Result<(OwnedMutexGuard<()>, Result<(), StoreError>), AdminError> {
        let inner = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let result = inner.commit(expected, ops).await;
            (held, result)
        });
        task.await.map_err(|error| fault::internal("a write was cut off", &error))
    }

    async fn is_behind(&self, state: &State) -> bool {
        matches!(self.0.store.revision().await, Ok(revision) if revision != state.rows.revision)
    }

    /// Follows what other gateways wrote to a shared database.
    pub(crate) async fn follow_store(&self) {
        let _held = self.0.write.lock().await;
        let known = self.state().rows.revision;
        let result = match self.0.store.revision().await {
            Ok(revision) if revision == known => self.read_sessions(Now::read()).await,
            Ok(_) => self.0.reload().await,
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => self.0.doubtful.store(false, Ordering::Release),
            Err(error) => tracing::warn!(%error, "the database's revision is unknown; going on with what is in memory"),
        }
    }

    /// Follows the sessions in the database, which other gateways on a shared one write too.
    pub(crate) async fn follow_sessions(&self, now: Now) -> Result<(), StoreError> {
        let _held = self.0.write.lock().await;
        self.read_sessions(now).await
    }

    /// With the write lock held.
    async fn read_sessions(&self, now: Now) -> Result<(), StoreError> {
        let sessions = self.0.store.sessions().await?;
        let mut state = State::clone(&self.state());
        state.rows.sessions = sessions;
        self.0.install_sessions(state, now);
        Ok(())
    }

    /// The configuration now.
    pub(crate) fn state(&self) -> Arc<State> {
        self.0.state.load_full()
    }
}
