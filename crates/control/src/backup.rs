//! Backups: everything of a gateway but its sessions in one file that only a passphrase opens, made while it runs. The
//! bytes go out in pieces to whoever asked; files are the business of the command line. Reading one is `read`'s,
//! restoring `restore`'s.

pub(crate) mod content;
pub(crate) mod envelope;
pub(crate) mod read;

use std::{collections::BTreeMap, io};

use domain::error::AdminError;
use serde::{Deserialize, Serialize};
use store::{StoreError, dump::Piece};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::{
    Actor, Control, audit,
    clock::Now,
    fault,
    secrets::{check_of, ring::Source, root::Root},
};
use content::{Item, Manifest};
use envelope::{COST, Cost, Sealing};

pub use read::Backup;

/// Fewest characters of a passphrase.
const MIN_PASSPHRASE: usize = 12;
/// Pieces of a dump that wait for being sealed.
const AHEAD: usize = 2;

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSummary {
    /// Unix milliseconds.
    pub made_at: u64,
    /// Version of the program that made it.
    pub product: String,
    pub schema: u64,
    /// Of the configuration.
    pub revision: u64,
    /// Usage is in it.
    pub usage: bool,
    /// Where the root secret came from: `key file` or `SECRET_KEY`.
    pub secret: String,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// Length of the file.
    pub bytes: u64,
}

/// Why a backup cannot be made or read. Messages are one line and say what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("this is no backup of ollama-fortress")]
    NoBackup,
    #[error("the backup has a form that this program does not know: use a newer ollama-fortress")]
    NewerFormat,
    #[error("the backup has schema {found}, this program knows up to {known}: use a newer ollama-fortress")]
    Newer { found: u64, known: u64 },
    #[error("the passphrase is wrong, or the beginning of the file is damaged")]
    Passphrase,
    #[error("the backup is damaged or cut off: nothing was changed; take another copy of it")]
    Damaged,
    #[error("cannot read the backup: {0}")]
    Read(io::Error),
    #[error("{0}")]
    Other(String),
}

/// Refuses a passphrase that is too short to protect the secrets of a gateway.
pub fn check_passphrase(text: &str) -> Result<(), String> {
    if text.chars().count() < MIN_PASSPHRASE {
        return Err(format!("the passphrase must have at least {MIN_PASSPHRASE} characters"));
    }
    Ok(())
}

impl Control {
    /// Sends a backup to `out` in the order of the file; whoever takes it away ends the work. Others go on changing
    /// things meanwhile: what is in it is one moment's.
    pub async fn backup(
        &self,
        actor: &Actor,
        passphrase: Zeroizing<String>,
        usage: bool,
        out: mpsc::Sender<Vec<u8>>,
    ) -> Result<BackupSummary, AdminError> {
        self.backup_at(actor, passphrase, usage, COST, out).await
    }

    /// The same for the command line.
    pub async fn backup_by_command(
        &self,
        passphrase: Zeroizing<String>,
        usage: bool,
        out: mpsc::Sender<Vec<u8>>,
    ) -> Result<BackupSummary, AdminError> {
        let actor = Actor::command_line()?;
        let made = self.backup(&actor, passphrase, usage, out).await;
        if let Err(error) = &made {
            self.note_refused(&actor, "backup made", error);
        }
        made
    }

    pub(crate) async fn backup_at(
        &self,
        actor: &Actor,
        passphrase: Zeroizing<String>,
        usage: bool,
        cost: Cost,
        out: mpsc::Sender<Vec<u8>>,
    ) -> Result<BackupSummary, AdminError> {
        let by = actor.owns("backup made")?;
        check_passphrase(&passphrase).map_err(|message| AdminError::invalid("passphrase", message))?;
        let (sender, pieces) = mpsc::channel(AHEAD);
        let made_at = Now::read().wall;
        let (dumped, sealed) = tokio::join!(
            self.0.store.dump(usage, sender),
            seal(pieces, passphrase, usage, made_at, cost, out, || self.0.secrets.roots())
        );
        // Who takes the pieces knows best why it stopped; what was sent without an end does not pass for a backup.
        let summary = sealed?.ok_or_else(|| match dumped {
            Err(error) => of_store(&error),
            Ok(()) => fault::internal("a backup was not finished", &"the reading had no end"),
        })?;
        if let Some(entry) = audit::done(&by, Vec::new())?
            && let Err(error) = self.0.store.append_audit(vec![entry]).await
        {
            // On a full disk the backup is all the more welcome.
            tracing::error!(%error, "the audit log does not tell of a backup");
        }
        tracing::info!(revision = summary.revision, bytes = summary.bytes, "backup made");
        Ok(summary)
    }
}

/// `None` if the pieces ended before their end.
async fn seal(
    mut pieces: mpsc::Receiver<Piece>,
    passphrase: Zeroizing<String>,
    usage: bool,
    made_at: u64,
    cost: Cost,
    out: mpsc::Sender<Vec<u8>>,
    roots: impl FnOnce() -> (Vec<Root>, Source),
) -> Result<Option<BackupSummary>, AdminError> {
    let Some(Piece::Head { schema, revision }) = pieces.recv().await else { return Ok(None) };
    let begun = tokio::task::spawn_blocking(move || Sealing::begin(schema, made_at, cost, &passphrase));
    let begun = begun.await.map_err(|error| fault::internal("sealing was cut off", &error))?;
    let (mut sealing, head) = begun.map_err(of_backup)?;
    let mut sent = Out { out, bytes: 0 };
    sent.send(head).await?;
    // Read after the view began: whatever root its rows are sealed with is among them.
    let (roots, source) = roots();
    let manifest = Manifest::new(revision, usage, &roots, source);
    let from_environment = manifest.from_environment;
    let push = |sealing: &mut Sealing, item: &Item| {
        content::encode(item).and_then(|bytes| sealing.push(&bytes)).map_err(of_backup)
    };
    sent.send(push(&mut sealing, &Item::Begin(manifest))?).await?;
    let (mut rows, mut check) = (BTreeMap::<String, u64>::new(), None);
    loop {
        let page = match pieces.recv().await {
            Some(Piece::Rows(page)) => page,
            Some(Piece::Head { .. }) => continue,
            Some(Piece::End) => break,
            None => return Ok(None),
        };
        *rows.entry(page.table.clone()).or_default() += page.rows.len() as u64;
        if page.table == "setting" {
            check = content::check_in(&page).or(check);
        }
        let sealed = push(&mut sealing, &Item::Rows(page))?;
        sent.send(sealed).await?;
    }
    if !roots.iter().any(|root| check.as_deref() == Some(check_of(root).as_str())) {
        return Err(fault::conflict("the secrets were changed meanwhile: make the backup again"));
    }
    let end = push(&mut sealing, &Item::End(rows.clone()))?;
    sent.send(end).await?;
    sent.send(sealing.finish().map_err(of_backup)?).await?;
    Ok(Some(BackupSummary {
        made_at,
        product: env!("CARGO_PKG_VERSION").into(),
        schema,
        revision,
        usage,
        secret: content::source_name(from_environment).into(),
        rows,
        bytes: sent.bytes,
    }))
}

/// The way out, counted.
struct Out {
    out: mpsc::Sender<Vec<u8>>,
    bytes: u64,
}

impl Out {
    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), AdminError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.bytes += bytes.len() as u64;
        self.out.send(bytes).await.map_err(|_| fault::conflict("the backup was given up: nobody takes it any more"))
    }
}

fn of_backup(error: BackupError) -> AdminError {
    fault::internal("a backup failed", &error)
}

fn of_store(error: &StoreError) -> AdminError {
    tracing::error!(%error, "a backup failed");
    fault::conflict(format!("the database cannot be read: {error}"))
}

#[cfg(test)]
#[path = "backup/tests.rs"]
pub(crate) mod tests;
