//! A copy of a database whose folder cannot be written, in a place that can: the engine itself writes as soon as it
//! opens. The configuration is small; what makes a folder large is usage.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{StoreError, lock::FileLock};

/// Names of copies begin so.
const PREFIX: &str = "ollama-fortress-";
/// Held in a copy's folder as long as somebody uses it.
const LOCK: &str = "lock";
/// Files here are memory.
const MEMORY: &str = "/dev/shm";
/// A larger copy goes to the disk with the temporary files, if that has room.
const MEMORY_FIRST: u64 = 256 << 20;
/// A copy larger than this is never kept in memory.
const MEMORY_AT_MOST: u64 = 1 << 30;
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

/// A copy in use; its folder goes away with it.
pub(crate) struct Copy {
    folder: TempDir,
    /// Freed with it.
    _lock: Option<FileLock>,
}

impl Copy {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the copies that a killed process left behind: they hold what the data folder holds, and memory.
pub(crate) fn sweep() {
    for place in [PathBuf::from(MEMORY), std::env::temp_dir()] {
        for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
            let is_copy = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
            if is_copy && let Err(error) = remove_left_behind(&entry.path()) {
                tracing::warn!(copy = %entry.path().display(), %error, "cannot remove a copy that was left behind");
            }
        }
    }
}

fn remove_left_behind(folder: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    let is_ours = metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw();
    let lock = folder.join(LOCK);
    if !is_ours || !lock.is_file() {
        return Ok(());
    }
    match FileLock::take(&lock, folder)? {
        Some(_held) => fs::remove_dir_all(folder),
        None => Ok(()),
    }
}

/// Copies the database to `db` in a new folder, which only its owner can enter and which goes away with the returned
/// value.
pub(crate) fn copy(database: &Path, why: &str) -> Result<Copy, StoreError> {
    copy_where_room(database, why, room)
}

fn copy_where_room(database: &Path, why: &str, room: impl Fn(&Path) -> u64) -> Result<Copy, StoreError> {
    let full = |what: &str| StoreError::Full { detail: format!("{why}; {what}") };
    let manifest = database.join("manifest").read_dir().or_else(|_| database.read_dir());
    if !manifest.is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(full("there is no database yet: make room, or set DATA_DIR to a folder that can be written"));
    }
    let size = size(database).map_err(|error| StoreError::file("cannot read the database", &error))?;
    let places = places(size);
    for place in &places {
        if room(place) < size.saturating_add(SLACK) {
            continue;
        }
        let owner_only = fs::Permissions::from_mode(0o700);
        let made = tempfile::Builder::new().prefix(PREFIX).permissions(owner_only).tempdir_in(place);
        let copied = made.and_then(|folder| {
            let lock = FileLock::take(&folder.path().join(LOCK), folder.path())?;
            copy_folder(database, &folder.path().join("db"))?;
            Ok(Copy { folder, _lock: lock })
        });
        match copied {
            Ok(copy) => return Ok(copy),
            Err(error) => tracing::warn!(place = %place.display(), %error, "cannot copy the database"),
        }
    }
    let places = places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(" and ");
    let needed = size.saturating_add(SLACK).div_ceil(1 << 20);
    Err(full(&format!("reading it takes a copy, and {places} has no room for {needed} MiB: make room, or set TMPDIR")))
}

/// Where a copy of `size` bytes may go, the best first: in memory while it is small, because a disk that is full may be
/// the one with the temporary files, too.
fn places(size: u64) -> Vec<PathBuf> {
    let (memory, disk) = (PathBuf::from(MEMORY), std::env::temp_dir());
    if size <= MEMORY_FIRST {
        vec![memory, disk]
    } else if size <= MEMORY_AT_MOST {
        vec![disk, memory]
    } else {
        vec![disk]
    }
}

/// Of a disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What this process may still take.
    pub free: u64,
    pub total: u64,
}

/// The room on the disk of `place`; `None` if it cannot be asked.
pub(crate) fn room_of(place: &Path) -> Option<Room> {
    let stat = rustix::fs::statvfs(place).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Some(Room { free: bytes(stat.f_bavail), total: bytes(stat.f_blocks) })
}

fn room(place: &Path) -> u64 {
    room_of(place).map_or(0, |room| room.free)
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
    fs::DirBuilder::new().mode(0o700).create(to)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_room_is_that_of_the_databases_own_disk() {
        let folder = tempfile::tempdir().unwrap();
        let open = async |address: String| crate::Store::open(&crate::StoreConfig { address }).await.unwrap();
        let store = open(format!("surrealkv://{}", folder.path().join("db").display())).await;
        let room = store.room().unwrap();
        assert!(room.free <= room.total && room.total > 0, "{room:?}");
        store.close().await.unwrap();
        assert_eq!(open("mem://".into()).await.room(), None);
    }

    #[test]
    fn only_a_small_copy_is_kept_in_memory_first_and_a_large_one_never() {
        let (memory, disk) = (PathBuf::from(MEMORY), std::env::temp_dir());
        assert_eq!(places(MEMORY_FIRST), [memory.clone(), disk.clone()]);
        assert_eq!(places(MEMORY_FIRST + 1), [disk.clone(), memory]);
        assert_eq!(places(MEMORY_AT_MOST + 1), [disk]);
    }

    #[test]
    fn a_copy_is_its_owners_alone_and_one_left_behind_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("db");
        fs::create_dir_all(database.join("manifest")).unwrap();
        fs::write(database.join("manifest/1"), "x").unwrap();
        let copy = copy(&database, "the disk is full").unwrap();
        let path = copy.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(path.join("db")).unwrap().permissions().mode() & 0o777, 0o700);
        sweep();
        assert!(path.join("db/manifest/1").is_file(), "it is in use");
        // As kill -9 leaves it.
        let Copy { folder: left, _lock: lock } = copy;
        let left = left.keep();
        drop(lock);
        sweep();
        assert!(!left.exists());
    }

    #[test]
    fn a_database_too_large_for_every_place_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("db");
        fs::create_dir_all(database.join("manifest")).unwrap();
        fs::write(database.join("manifest/1"), "x").unwrap();
        // Sparse: it takes no space.
        fs::File::create(database.join("table")).unwrap().set_len(MEMORY_AT_MOST).unwrap();
        let memory_only = |place: &Path| if place == Path::new(MEMORY) { u64::MAX } else { 0 };
        let refused = copy_where_room(&database, "the disk is full", memory_only).err().unwrap().to_string();
        assert!(refused.contains(" 1089 MiB") && refused.contains("TMPDIR"), "{refused}");
        assert!(copy_where_room(&database, "the disk is full", |_| 0).is_err());
    }
}
