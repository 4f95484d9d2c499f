//! Keys that were revoked, in a file of the data folder that is only ever appended to. It outlives the database, so that
//! no backup that is restored over it makes a revoked key work again. It holds ids and times, nothing secret.

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use domain::{id::KeyId, key::KEY_PREFIX, key::KeyStatus};
use store::row::{KeyRow, Op};

use crate::{OpenError, keys, lock::lock, state::State};

/// Name of the file in the data folder.
const FILE_NAME: &str = "revoked-keys";

pub(crate) struct Tombstones {
    path: PathBuf,
    /// What is in the file.
    known: Mutex<HashSet<KeyId>>,
    /// What the file or the database could not be told yet.
    owed: Mutex<Owed>,
}

/// Keys that were revoked while something could not be written.
#[derive(Default)]
struct Owed {
    file: BTreeSet<KeyId>,
    database: BTreeSet<KeyId>,
}

impl Tombstones {
    /// Reads the file; one that is missing is empty. Lines that make no sense are left out with a warning: a torn last
    /// one is what a power cut leaves.
    pub fn read(data_dir: &Path) -> Result<Self, OpenError> {
        let path = data_dir.join(FILE_NAME);
        let text = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            // Going on would let a restored key work that was revoked.
            Err(error) => {
                return Err(OpenError::Other(format!(
                    "the list of revoked keys {} cannot be read: {error}: give the user this runs as the right to",
                    path.display()
                )));
            }
        };
        let mut known = HashSet::new();
        for line in String::from_utf8_lossy(&text).lines().filter(|line| !line.trim().is_empty()) {
            let id = line.split(' ').next().and_then(|word| word.strip_prefix(KEY_PREFIX));
            match id.and_then(|id| KeyId::new(id).ok()) {
                Some(id) => drop(known.insert(id)),
                None => tracing::warn!(path = %path.display(), "a line of the list of revoked keys makes no sense"),
            }
        }
        Ok(Self { path, known: Mutex::new(known), owed: Mutex::default() })
    }

    /// Revokes in `state` what the file says was revoked; the rows that changed.
    pub fn lay(&self, state: &mut State) -> Vec<KeyRow> {
        let risen = |key: &&mut KeyRow| key.status != KeyStatus::Revoked && self.has(&key.id);
        let rows = state.rows.keys.iter_mut().filter(risen);
        rows.map(|key| {
            *key = keys::revoked(key);
            key.clone()
        })
        .collect()
    }

    /// It was revoked, whether or not that is written down yet.
    pub fn has(&self, id: &KeyId) -> bool {
        self.is_written(id) || lock(&self.owed).file.contains(id)
    }

    pub fn is_written(&self, id: &KeyId) -> bool {
        lock(&self.known).contains(id)
    }

    /// Takes a key that the database cannot be told of now: it is in the file when this returns, or else, with the reason,
    /// in memory only.
    pub fn revoke_unsaved(&self, id: &KeyId, now_ms: u64) -> io::Result<()> {
        lock(&self.owed).database.insert(id.clone());
        let written = self.add([id.clone()], now_ms);
        if written.is_err() {
            lock(&self.owed).file.insert(id.clone());
        }
        written
    }

    /// Keeps in mind what the file could not be told; whether something of it is new.
    pub fn owe_to_file(&self, ids: impl IntoIterator<Item = KeyId>) -> bool {
        let ids: Vec<KeyId> = ids.into_iter().filter(|id| !self.is_written(id)).collect();
        let owed = &mut lock(&self.owed).file;
        let before = owed.len();
        owed.extend(ids);
        owed.len() > before
    }

    pub fn is_owed_to_file(&self, id: &KeyId) -> bool {
        lock(&self.owed).file.contains(id)
    }

    /// Keys that a restart, if the database does not know of them, or a restore would bring back.
    pub fn owed_to_file(&self) -> Vec<KeyId> {
        lock(&self.owed).file.iter().cloned().collect()
    }

    /// Keys that the database still calls good.
    pub fn owed_to_database(&self) -> Vec<KeyId> {
        lock(&self.owed).database.iter().cloned().collect()
    }

    /// The database knows now that they are revoked.
    pub fn saved(&self, ids: &[KeyId]) {
        lock(&self.owed).database.retain(|id| !ids.contains(id));
    }

    /// Writes those that are not there yet; they are on the disk when this returns.
    pub fn add(&self, ids: impl IntoIterator<Item = KeyId>, now_ms: u64) -> io::Result<()> {
        let mut known = lock(&self.known);
        let fresh: Vec<KeyId> = ids.into_iter().filter(|id| !known.contains(id)).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let is_new = !self.path.exists();
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        // A line that a power cut tore must not swallow the next one.
        let mut text = if ends_torn(&self.path)? { "\n".to_owned() } else { String::new() };
        for id in &fresh {
            text.push_str(&format!("{KEY_PREFIX}{id} {now_ms}\n"));
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if let (true, Some(folder)) = (is_new, self.path.parent()) {
            File::open(folder)?.sync_all()?;
        }
        lock(&self.owed).file.retain(|id| !fresh.contains(id));
        known.extend(fresh);
        Ok(())
    }
}

fn ends_torn(path: &Path) -> io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// The keys that these writes revoke, and those that were revoked already and are written again.
pub(crate) fn revoked_by(ops: &[Op]) -> Vec<KeyId> {
    let revoked = |op: &Op| match op {
        Op::PutKey(row) => revoked_in(row),
        _ => None,
    };
    ops.iter().filter_map(revoked).collect()
}

pub(crate) fn revoked_in(row: &KeyRow) -> Option<KeyId> {
    (row.status == KeyStatus::Revoked).then(|| row.id.clone())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn id(letter: &str) -> KeyId {
        KeyId::new(&letter.repeat(12)).unwrap()
    }

    #[test]
    fn what_was_added_is_there_after_a_start_once_and_for_the_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let first = Tombstones::read(folder.path()).ok().unwrap();
        first.add([id("a"), id("b")], 5).unwrap();
        first.add([id("b")], 6).unwrap();
        let again = Tombstones::read(folder.path()).ok().unwrap();
        assert!(again.has(&id("a")) && again.has(&id("b")) && !again.has(&id("c")));
        let path = folder.path().join(FILE_NAME);
        assert_eq!(fs::read_to_string(&path).unwrap(), "op_aaaaaaaaaaaa 5\nop_bbbbbbbbbbbb 5\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_torn_line_swallows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), "op_aaaaaaaaaaaa 5\nop_bbbb").unwrap();
        let tombstones = Tombstones::read(folder.path()).ok().unwrap();
        tombstones.add([id("c")], 7).unwrap();
        let again = Tombstones::read(folder.path()).ok().unwrap();
        assert!(again.has(&id("a")) && again.has(&id("c")) && !again.has(&id("b")));
    }

    #[test]
    fn one_that_cannot_be_read_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(FILE_NAME)).unwrap();
        assert!(matches!(Tombstones::read(folder.path()), Err(OpenError::Other(_))));
    }
}
