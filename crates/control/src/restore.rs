//! Restoring a backup into a stopped gateway: a new database beside the present one, made whole, and only then put in its
//! place, together with the key that opens it. What was revoked since stays revoked; what else differs is told, not
//! guessed at.

mod differences;

use std::{fs, io, path::Path};

use domain::{
    audit::{AuditChange, AuditEntry, AuditField},
    key::{KEY_PREFIX, KeyStatus},
};
use serde::Serialize;
use store::{
    Store, StoreConfig, StoreError,
    restore::Restoring,
    row::{KeyRow, Op, State},
};

use crate::{
    Actor, ControlConfig, audit,
    backup::{Backup, BackupError, BackupSummary},
    by::By,
    clock::Now,
    keys::revoked,
    secrets::{check_of, root, root::Root},
    tombstones::{Tombstones, revoked_in},
};

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    pub backup: BackupSummary,
    /// Keys that were revoked after the backup, as `op_<id>`: they stay revoked.
    pub revoked: Vec<String>,
    /// What the restored database has otherwise than the one before it, a sentence each.
    pub differences: Vec<String>,
    /// What else should be known, a sentence each.
    pub notes: Vec<String>,
    /// Where the database from before is, if there was one.
    pub kept_database: Option<String>,
    /// Where the key file from before is, if another one took its place.
    pub kept_key_file: Option<String>,
}

/// Why a restore was not done: everything is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Something that was given has to be changed.
    #[error("{0}")]
    Given(String),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Other(String),
}

impl RestoreError {
    fn file(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::Other(format!("cannot {what} {}: {error}", path.display()))
    }
}

/// Refuses, before anybody is asked anything, what cannot be restored with this configuration.
pub fn check_restore(config: &ControlConfig, store: &StoreConfig, backup: &Backup) -> Result<(), RestoreError> {
    if store.folder().is_none() {
        return Err(RestoreError::Given(
            "DATABASE_URL names no folder: a backup is restored into a database in a folder. Unset DATABASE_URL to restore \
             into the data folder; a SurrealDB server is restored with its own tools"
                .into(),
        ));
    }
    let given = [&config.secret_key, &config.secret_key_previous];
    let fits = |text: &&String| check_of(&Root::of_text(text)) == backup.check();
    if config.secret_key.is_some() && !given.into_iter().flatten().any(|text| fits(&text)) {
        let was = if backup.is_from_environment() {
            "set it to the SECRET_KEY of the gateway that was backed up, or unset it"
        } else {
            "unset it"
        };
        return Err(RestoreError::Given(format!(
            "SECRET_KEY is not the one this backup was made with, and API keys would not work: {was} (the backup brings its \
             own key, which is then kept in the key file)"
        )));
    }
    Ok(())
}

/// Restores `backup`. The data folder must be there and held by the caller, so that no gateway starts meanwhile.
pub async fn restore(
    config: &ControlConfig,
    store: &StoreConfig,
    backup: &Backup,
) -> Result<RestoreReport, RestoreError> {
    check_restore(config, store, backup)?;
    let now = Now::read().wall;
    let at = stamp(now);
    let mut notes = Vec::new();
    let tombstones = Tombstones::read(&config.data_dir).map_err(|error| RestoreError::Other(error.to_string()))?;
    // Boxed: the engine recurses deeply, and these are large.
    let present = Box::pin(present(store, &mut notes)).await?;
    let restoring = Restoring::begin(store, &at)?;
    if let Some(found) = &restoring.found {
        notes.push(format!(
            "an interrupted restore had left the database from before it, which is now {}",
            found.display()
        ));
    }
    Box::pin(fill(&restoring, backup)).await?;
    let (restored, revoked) = Box::pin(finish(&restoring, backup, present.as_ref(), &tombstones)).await?;
    let differences = present.as_ref().map(|present| differences::between(present, &restored)).unwrap_or_default();

    // The list must outlive what comes now, whatever becomes of the database.
    let gone = restored.keys.iter().filter_map(revoked_in);
    tombstones
        .add(gone, now)
        .map_err(|error| RestoreError::file("write the list of revoked keys in", &config.data_dir, &error))?;
    let kept_key_file = match config.secret_key {
        Some(_) => None,
        None => bring_key(&config.data_dir, backup.root(), &at)?,
    };
    let target = restoring.target().to_owned();
    let kept_database = restoring.swap(&at)?;
    if config.secret_key.is_none() {
        // From here on only the backup's key is needed; the file held both until now.
        root::write(&config.data_dir, std::slice::from_ref(backup.root()))
            .map_err(|error| RestoreError::file("write the key file in", &config.data_dir, &error))?;
    }
    tracing::info!(database = %target.display(), "restored");
    let shown = |path: std::path::PathBuf| path.display().to_string();
    Ok(RestoreReport {
        backup: backup.summary().clone(),
        revoked: revoked.iter().map(|key| format!("{KEY_PREFIX}{} ({})", key.id, key.name)).collect(),
        differences,
        notes,
        kept_database: kept_database.map(shown),
        kept_key_file: kept_key_file.map(shown),
    })
}

/// The configuration that is there now. One that cannot be read is what restoring is for; then only the list of
/// revoked keys is left to go by.
async fn present(store: &StoreConfig, notes: &mut Vec<String>) -> Result<Option<State>, RestoreError> {
    if !store.is_there() {
        return Ok(None);
    }
    let unreadable = match Store::open(store).await {
        Ok(open) => {
            let state = open.load().await;
            open.close().await?;
            match state {
                Ok(state) => return Ok(Some(state)),
                Err(error) => error,
            }
        }
        Err(error @ (StoreError::Locked | StoreError::Full { .. } | StoreError::Denied { .. })) => {
            return Err(error.into());
        }
        Err(error) => error,
    };
    notes.push(format!(
        "the present database could not be read ({unreadable}): keys that were revoked after the backup are those in the \
         list revoked-keys, and nothing else could be compared"
    ));
    Ok(None)
}

/// Puts the backup's rows into a new database and brings that up to this program's schema.
async fn fill(restoring: &Restoring, backup: &Backup) -> Result<(), RestoreError> {
    let mut items = backup.items()?;
    let fresh = restoring.fresh(items.schema()).await?;
    while let Some(page) = items.next_page()? {
        fresh.put(page).await?;
    }
    Ok(fresh.finish(items.manifest.revision).await?)
}

/// Looks whether every row makes sense, and revokes what was revoked. Returns what is in the new database now, and which
/// keys that concerned.
async fn finish(
    restoring: &Restoring,
    backup: &Backup,
    present: Option<&State>,
    tombstones: &Tombstones,
) -> Result<(State, Vec<KeyRow>), RestoreError> {
    let store = Store::open(restoring.config()).await?;
    let worked = async {
        let mut state = store.load().await?;
        let revoked_now = |key: &KeyRow| {
            present.is_some_and(|present| {
                present.keys.iter().any(|known| known.id == key.id && known.status == KeyStatus::Revoked)
            })
        };
        let late = |key: &&KeyRow| key.status != KeyStatus::Revoked && (tombstones.has(&key.id) || revoked_now(key));
        let late: Vec<KeyRow> = state.keys.iter().filter(late).map(revoked).collect();
        let mut ops: Vec<Op> = late.iter().cloned().map(Op::PutKey).collect();
        ops.extend(told(backup, &late)?.map(Op::Audit));
        ops.extend(crate::upgrade::held_back(&state.settings));
        ops.extend(crate::pulls::queue::held_back(&state.settings));
        state.revision = store.commit(state.revision, ops).await?;
        for key in &mut state.keys {
            if let Some(revoked) = late.iter().find(|row| row.id == key.id) {
                *key = revoked.clone();
            }
        }
        Ok::<_, RestoreError>((state, late))
    }
    .await;
    store.close().await?;
    worked
}

/// The audit log's row.
fn told(backup: &Backup, revoked: &[KeyRow]) -> Result<Option<AuditEntry>, RestoreError> {
    let other = |error: domain::error::AdminError| RestoreError::Other(error.to_string());
    let summary = backup.summary();
    let change = |key: &KeyRow| AuditChange {
        kind: "key".into(),
        id: key.id.to_string(),
        name: key.name.clone(),
        fields: vec![AuditField { field: "status".into(), before: None, after: Some("revoked".into()) }],
    };
    let by = By { what: "backup restored", actor: Some(Actor::command_line().map_err(other)?.audited()) };
    let entry = audit::done(&by, revoked.iter().map(change).collect()).map_err(other)?;
    let action = format!("backup of {} UTC restored", domain::policy::format_utc(summary.made_at).replace('T', " "));
    Ok(entry.map(|entry| AuditEntry { action, ..entry }))
}

/// Puts the backup's root before the present ones into the key file, so that either database can be opened with it, and
/// keeps a copy of the file from before where it held others.
fn bring_key(data_dir: &Path, root: &Root, at: &str) -> Result<Option<std::path::PathBuf>, RestoreError> {
    let path = root::path(data_dir);
    // One that cannot be read is kept as well.
    let present = root::read(data_dir).ok().flatten().unwrap_or_default();
    let mut kept = None;
    if path.exists() && (present.len() != 1 || present.iter().any(|known| known.bytes() != root.bytes())) {
        let copy = data_dir.join(format!("secret.key.before-restore-{at}"));
        fs::copy(&path, &copy)
            .and_then(|_| fs::File::open(&copy)?.sync_all())
            .map_err(|error| RestoreError::file("copy the key file to", &copy, &error))?;
        kept = Some(copy);
    }
    let others = present.into_iter().filter(|known| known.bytes() != root.bytes());
    let both: Vec<Root> = [root.clone()].into_iter().chain(others).collect();
    root::write(data_dir, &both).map_err(|error| RestoreError::file("write the key file in", data_dir, &error))?;
    Ok(kept)
}

/// A moment as a part of a file's name, for example `20260524T101530`.
fn stamp(now: u64) -> String {
    domain::policy::format_utc(now).chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
#[path = "restore/tests.rs"]
mod tests;
