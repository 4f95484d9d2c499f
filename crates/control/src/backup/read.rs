//! A backup file that was read to its end and found whole.

use std::{
    fs::File,
    io::{BufReader, Seek},
};

use zeroize::Zeroizing;

use super::{BackupError, BackupSummary, content::Items, envelope::Opening};
use crate::secrets::root::Root;

const BUFFER: usize = 1 << 20;

/// A whole backup. No Debug: it holds a passphrase and a root secret.
pub struct Backup {
    file: File,
    passphrase: Zeroizing<String>,
    summary: BackupSummary,
    check: String,
    root: Root,
    from_environment: bool,
}

impl Backup {
    /// Reads all of `file` and checks everything that can be checked without a database.
    pub fn verify(file: File, passphrase: Zeroizing<String>) -> Result<Self, BackupError> {
        let mut items = items(&file, &passphrase)?;
        while items.next_page()?.is_some() {}
        let bytes = file.metadata().map_err(BackupError::Read)?.len();
        let summary = items.summary(bytes);
        let check = items.check.take().ok_or(BackupError::Damaged)?;
        let root = items.manifest.root_of(&check).ok_or(BackupError::Damaged)?;
        let from_environment = items.manifest.from_environment;
        drop(items);
        Ok(Self { file, passphrase, summary, check, root, from_environment })
    }

    pub fn summary(&self) -> &BackupSummary {
        &self.summary
    }

    /// Its rows once more, from the first.
    pub(crate) fn items(&self) -> Result<Items<BufReader<&File>>, BackupError> {
        items(&self.file, &self.passphrase)
    }

    /// Tells which root its database is sealed with.
    pub(crate) fn check(&self) -> &str {
        &self.check
    }

    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    pub(crate) fn is_from_environment(&self) -> bool {
        self.from_environment
    }
}

fn items<'a>(file: &'a File, passphrase: &str) -> Result<Items<BufReader<&'a File>>, BackupError> {
    let mut whole = file;
    whole.rewind().map_err(BackupError::Read)?;
    Items::begin(Opening::begin(BufReader::with_capacity(BUFFER, file), passphrase)?)
}
