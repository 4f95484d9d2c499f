//! A copy of a database whose folder cannot be written, in a place that can: the engine itself writes as soon as it
//! opens. The configuration is small; what makes a folder large is usage.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::StoreError;

/// Memory first: a disk that is full may be the one with the temporary files, too.
const MEMORY: &str = "/dev/shm";
/// Room the engine needs beside the copied files.
const SLACK: u64 = 64 << 20;
/// A disk with less room than this counts as full: the engine's own start writes about as much.
const TRIAL: usize = 256 * 1024;

/// Why nothing can be written beside the database, found out by trying.
pub(crate) fn refusal(database: &Path) -> Option<String> {
    let parent = database.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let tried = tempfile::tempfile_in(parent).and_then(|mut file| {
        file.write_all(&[1; TRIAL])?;
        file.sync_all()
    });
    tried.err().filter(refuses_writes).map(|error| format!("{}: {error}", parent.display()))
}

fn refuses_writes(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Copies the database to `db` in a new folder, which goes away with the returned value.
pub(crate) fn copy(database: &Path, why: &str) -> Result<TempDir, StoreError> {
    let full = |what: &str| StoreError::Full { detail: format!("{why}; {what}") };
    let manifest = database.join("manifest").read_dir().or_else(|_| database.read_dir());
    if !manifest.is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(full("there is no database yet"));
    }
    let size = size(database).map_err(|error| StoreError::file("cannot read the database", &error))?;
    for place in [PathBuf::from(MEMORY), std::env::temp_dir()] {
        if room(&place) < size.saturating_add(SLACK) {
            continue;
        }
        let copied = tempfile::Builder::new().prefix("ollama-fortress-").tempdir_in(&place).and_then(|folder| {
            copy_folder(database, &folder.path().join("db"))?;
            Ok(folder)
        });
        match copied {
            Ok(folder) => return Ok(folder),
            Err(error) => tracing::warn!(place = %place.display(), %error, "cannot copy the database"),
        }
    }
    Err(full(&format!("no other place has room for a copy of {size} bytes")))
}

fn room(place: &Path) -> u64 {
    rustix::fs::statvfs(place).map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn size(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(sum)
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.metadata()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
