//! The data folder: made if it is missing, for its owner only, and held by one server at a time.

use std::{
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

use store::FileLock;

use super::StartError;

/// What helps where a folder can be neither made nor written.
pub const REMEDY: &str = "give the user this runs as the right to write there, or set DATA_DIR to another folder";

/// The file whose lock tells that a server runs on the folder. It holds nothing and stays when the server ends.
const LOCK: &str = "server.lock";

/// Makes the folder with mode 0700. One that is there already stays as it is, with a warning if others may look into
/// it: who made it may have had a reason.
pub fn make_data_dir(path: &Path) -> Result<(), StartError> {
    let make = || {
        if path.is_dir() {
            if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
                tracing::warn!(folder = %path.display(), "others may look into the data folder: `chmod 700` would close it");
            }
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    };
    make().map_err(|error: io::Error| {
        StartError::Other(format!("cannot make the data folder {}: {error}: {REMEDY}", path.display()))
    })
}

/// Finds out whether the folder could be made and written, and leaves nothing behind. The error is a sentence.
pub fn check_data_dir(path: &Path) -> Result<(), String> {
    let Some(present) = path.ancestors().find(|folder| folder.exists()) else { return Ok(()) };
    let trial = present.join(format!(".ollama-fortress-check-{}", std::process::id()));
    let tried = DirBuilder::new().mode(0o700).create(&trial).and_then(|()| fs::remove_dir(&trial));
    match tried {
        Ok(()) => Ok(()),
        // A gateway whose disk is full starts all the same.
        Err(error) if present == path && matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            Ok(())
        }
        Err(error) => Err(format!("nothing can be written in {}: {error}: {REMEDY}", present.display())),
    }
}

/// The right to serve from a data folder: to put the control socket and the key file there. The store's own lock does
/// not give it, since the database may be elsewhere. Held as long as the value lives; kill -9 frees it too.
pub struct DataDirLock(#[expect(dead_code, reason = "dropping it frees the lock")] FileLock);

impl DataDirLock {
    /// Locks the folder, which must exist.
    pub fn take(folder: &Path) -> Result<Self, StartError> {
        let taken = FileLock::take(&folder.join(LOCK), folder).map_err(|error| {
            StartError::Other(format!("cannot lock the data folder {}: {error}: {REMEDY}", folder.display()))
        })?;
        taken.map(Self).ok_or_else(|| {
            StartError::Other(format!(
                "the data folder {} is in use by another process: stop that one, or set DATA_DIR to another folder",
                folder.display()
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        make_data_dir(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        make_data_dir(&path).unwrap();
    }

    #[test]
    fn looking_whether_a_folder_can_be_made_makes_none() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("a/b")] {
            assert_eq!(check_data_dir(&path), Ok(()));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn one_server_holds_a_folder_until_it_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDirLock::take(folder.path()).unwrap();
        assert!(DataDirLock::take(folder.path()).is_err());
        drop(first);
        DataDirLock::take(folder.path()).unwrap();
    }
}
