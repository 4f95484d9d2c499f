//! A database made from a dump beside the one in use, and put in its place. At any moment, kill -9 and power cut
//! included, either the old database or the whole new one is at the address; nothing that may be the only copy of
//! something is ever deleted. What comes into the new database is the business of `control`.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::{
    StoreConfig, StoreError,
    address::Place,
    dump::{self, Page},
    engine::Handle,
    lock::FolderLock,
    migrate,
};

/// Ends the name of the folder in which the new database is made, in a folder `db`.
const WORK: &str = ".restoring";
const DATABASE: &str = "db";
/// As long as this file is beside it, the new database is not whole.
const INCOMPLETE: &str = "incomplete";

/// The newest schema this program knows.
pub fn known_schema() -> u64 {
    migrate::SCHEMA
}

/// A place for a new database beside the one of `config`; holds that one's lock. Dropped before [`Restoring::swap`] it
/// leaves everything as it was.
pub struct Restoring {
    target: PathBuf,
    work: PathBuf,
    config: StoreConfig,
    /// Where an earlier restore was killed after the exchange: the database from before it.
    pub found: Option<PathBuf>,
    done: bool,
    _lock: FolderLock,
}

/// An empty database of some schema, being filled.
pub struct Fresh {
    handle: Handle,
}

impl Restoring {
    /// Fails with [`StoreError::Locked`] while a gateway runs on the database. `at` (any text) ends the name of what an
    /// interrupted restore left.
    pub fn begin(config: &StoreConfig, at: &str) -> Result<Self, StoreError> {
        let Place::Folder { engine, path: target } = Place::parse(&config.address)? else {
            return Err(StoreError::other("only a database in a folder can be restored into"));
        };
        let parent = parent(&target);
        fs::create_dir_all(parent).map_err(|error| file("make", parent, &error))?;
        let lock = FolderLock::take(&target)?;
        let work = beside(&target, WORK);
        let found = clear(&target, &work, at).map_err(|error| file("clear away", &work, &error))?;
        let make = || {
            DirBuilder::new().mode(0o700).create(&work)?;
            File::create_new(work.join(INCOMPLETE))?.sync_all()
        };
        make().map_err(|error| file("make", &work, &error))?;
        let config = StoreConfig { address: format!("{}://{}", engine.scheme(), work.join(DATABASE).display()) };
        Ok(Self { target, work, config, found, done: false, _lock: lock })
    }

    /// The new database, for [`crate::Store::open`] once [`Fresh::finish`] is through.
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// The folder it will be in.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Makes the empty database with the tables of `schema`.
    pub async fn fresh(&self, schema: u64) -> Result<Fresh, StoreError> {
        if schema > migrate::SCHEMA {
            return Err(StoreError::Newer { found: schema, known: migrate::SCHEMA });
        }
        let handle = Handle::open(&Place::parse(&self.config.address)?).await?;
        migrate::to(&handle, schema).await?;
        Ok(Fresh { handle })
    }

    /// Puts the new database, which must be closed, in the place of the old one. Returns where the old one is now.
    pub fn swap(mut self, at: &str) -> Result<Option<PathBuf>, StoreError> {
        let swapped = self.try_swap(at);
        swapped.map_err(|error| file("put the database into", &self.target, &error))
    }

    fn try_swap(&mut self, at: &str) -> io::Result<Option<PathBuf>> {
        let fresh = self.work.join(DATABASE);
        sync_all(&fresh)?;
        // The new database was opened here, which left its lock.
        let _ = fs::remove_file(self.work.join("db.lock"));
        fs::remove_file(self.work.join(INCOMPLETE))?;
        File::open(&self.work)?.sync_all()?;
        // From here on both are whole.
        self.done = true;
        let parent = parent(&self.target);
        if !self.target.exists() {
            fs::rename(&fresh, &self.target)?;
            fs::remove_dir(&self.work)?;
            File::open(parent)?.sync_all()?;
            return Ok(None);
        }
        exchange(&fresh, &self.target)?;
        File::open(parent)?.sync_all()?;
        let kept = free_name(&self.target, at);
        fs::rename(&fresh, &kept)?;
        fs::remove_dir(&self.work)?;
        File::open(parent)?.sync_all()?;
        Ok(Some(kept))
    }
}

impl Drop for Restoring {
    fn drop(&mut self) {
        if !self.done
            && let Err(error) = fs::remove_dir_all(&self.work)
        {
            tracing::warn!(folder = %self.work.display(), %error, "what a given-up restore made cannot be removed");
        }
    }
}

impl Fresh {
    pub async fn put(&self, page: Page) -> Result<(), StoreError> {
        dump::put(&self.handle, page).await
    }

    /// Brings the tables up to this program's schema and closes the database.
    pub async fn finish(self, revision: u64) -> Result<(), StoreError> {
        dump::set_revision(&self.handle, revision).await?;
        migrate::run(&self.handle).await?;
        self.handle.close().await
    }
}

/// Ends what a restore was killed in: a whole new database without an old one in its place goes there.
pub(crate) fn settle(target: &Path) -> Result<(), StoreError> {
    let work = beside(target, WORK);
    let fresh = work.join(DATABASE);
    if target.exists() || !fresh.exists() || work.join(INCOMPLETE).exists() {
        return Ok(());
    }
    fs::rename(&fresh, target).map_err(|error| file("put the restored database into", target, &error))?;
    tracing::warn!(folder = %target.display(), "a restore was interrupted at its last step, which is done now");
    // An empty folder that stays does no harm.
    let _ = fs::remove_dir(&work);
    Ok(())
}

/// Removes what an interrupted restore left half made. What may be a whole database is kept under a name of its own.
fn clear(target: &Path, work: &Path, at: &str) -> io::Result<Option<PathBuf>> {
    if !work.exists() {
        return Ok(None);
    }
    let database = work.join(DATABASE);
    if work.join(INCOMPLETE).exists() || !database.exists() {
        fs::remove_dir_all(work)?;
        return Ok(None);
    }
    let kept = free_name(target, at);
    fs::rename(&database, &kept)?;
    fs::remove_dir_all(work)?;
    Ok(Some(kept))
}

/// `db.before-restore-<at>`, counted where there is one.
fn free_name(target: &Path, at: &str) -> PathBuf {
    let first = beside(target, &format!(".before-restore-{at}"));
    if !first.exists() {
        return first;
    }
    let names = (2..).map(|count: u32| beside(target, &format!(".before-restore-{at}-{count}")));
    names.into_iter().find(|name| !name.exists()).unwrap_or(first)
}

/// Both names change at one moment where the system can do that. Elsewhere there is a moment without a database, and
/// [`settle`] ends it at the next start.
fn exchange(fresh: &Path, target: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::{
            fs::{CWD, RenameFlags, renameat_with},
            io::Errno,
        };
        match renameat_with(CWD, fresh, CWD, target, RenameFlags::EXCHANGE) {
            Ok(()) => return Ok(()),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let aside = beside(target, ".exchanging");
    fs::rename(target, &aside)?;
    fs::rename(fresh, target)?;
    fs::rename(&aside, fresh)
}

/// Every file and folder below is on the disk.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { sync_all(&path)? } else { File::open(&path)?.sync_all()? }
    }
    File::open(folder)?.sync_all()
}

fn beside(folder: &Path, end: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(end);
    folder.with_file_name(name)
}

fn parent(folder: &Path) -> &Path {
    folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn file(what: &str, path: &Path, error: &io::Error) -> StoreError {
    if error.kind() == ErrorKind::NotFound {
        return StoreError::other(format_args!("cannot {what} {}: {error}", path.display()));
    }
    StoreError::file(&format!("cannot {what} {}", path.display()), error)
}

#[cfg(test)]
#[path = "restore/tests.rs"]
mod tests;
