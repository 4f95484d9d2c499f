//! Locks on folders: an advisory lock of the operating system on a file in or beside the folder. It ends with the process
//! that holds it, so one left by kill -9 frees itself while a living process is told apart. What a lock means is its
//! taker's business.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::StoreError;

/// An exclusive lock on a file, held as long as the value lives; kill -9 frees it too.
pub struct FileLock(#[expect(dead_code, reason = "closing the file frees the lock")] File);

impl FileLock {
    /// Locks the file at `path`, made for its owner only where it is missing; it stays when the lock ends. On a disk that
    /// takes no new file the lock goes onto what is there already: that file, or else `folder`. `None` if another process
    /// holds it.
    pub fn take(path: &Path, folder: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .or_else(|error| File::open(path).or_else(|_| File::open(folder)).map_err(|_| error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The lock on a database's folder.
pub(crate) struct FolderLock(#[expect(dead_code, reason = "dropping it frees the lock")] FileLock);

impl FolderLock {
    /// Locks `folder`, which need not exist yet; its parent must.
    pub(crate) fn take(folder: &Path) -> Result<Self, StoreError> {
        let path = beside(folder);
        let taken = FileLock::take(&path, folder)
            .map_err(|error| StoreError::file(&format!("cannot lock {}", path.display()), &error))?;
        taken.map(Self).ok_or(StoreError::Locked)
    }
}

fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    folder.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("db");
        let first = FolderLock::take(&database).unwrap();
        assert!(matches!(FolderLock::take(&database), Err(StoreError::Locked)));
        drop(first);
        assert!(FolderLock::take(&database).is_ok());
    }

    #[test]
    fn a_file_left_behind_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("db.lock"), "4711").unwrap();
        assert!(FolderLock::take(&folder.path().join("db")).is_ok());
    }
}
