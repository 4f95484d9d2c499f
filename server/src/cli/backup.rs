//! `backup FILE` and `backup verify FILE`. The file is written by this process, so that it belongs to whoever asked; it
//! has its name only once it is whole and on the disk. What it may take the place of is decided here, too.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::OpenOptionsExt, fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use clap::{Args, Subcommand};
use control::{
    backup::{Backup, BackupSummary},
    command::{Command, Reply},
};
use domain::{error::AdminError, policy::format_utc};
use rustix::fs::{FlockOperation, OFlags, flock};
use store::StoreError;
use zeroize::Zeroizing;

use super::{Failure, output, passphrase, remote};
use crate::{application, config::Config, logging, tasks::control_socket::backup::MAX_PIECE};

/// Longest line of the server.
const MAX_LINE: u64 = 1 << 20;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct BackupArguments {
    #[command(subcommand)]
    verb: Option<BackupVerb>,
    /// The file to write.
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// Replace the file if it is there.
    #[arg(long)]
    force: bool,
    /// Leave the usage out: its log, charts and totals.
    #[arg(long)]
    without_usage: bool,
    /// Read the passphrase from standard input instead of asking for it.
    #[arg(long)]
    passphrase_stdin: bool,
}

#[derive(Subcommand)]
pub enum BackupVerb {
    /// Read a backup to its end, check everything in it, and say what it holds.
    Verify {
        file: PathBuf,
        /// Read the passphrase from standard input instead of asking for it.
        #[arg(long)]
        passphrase_stdin: bool,
    },
}

impl BackupArguments {
    pub fn run(self, json: bool) -> Result<(), Failure> {
        if let Some(BackupVerb::Verify { file, passphrase_stdin }) = self.verb {
            let backup = open(&file, passphrase_stdin)?;
            return print(backup.summary(), None, json);
        }
        let file = self.file.unwrap_or_default();
        let config = Config::load()?;
        logging::start(&logging::quiet(&config.log));
        let place = place(&file, self.force, &config.data_dir)?;
        let passphrase = passphrase::fresh(self.passphrase_stdin)?;
        let mut draft = Draft::begin(&place)?;
        let summary = make(&config, &passphrase, !self.without_usage, &mut draft)?;
        if self::place(&file, self.force, &config.data_dir)? != place {
            return Err(Failure::new(format_args!("{} was changed meanwhile: no backup was made", file.display())));
        }
        draft.finish(&place)?;
        print(&summary, Some(&file), json)
    }
}

/// Opens and verifies a whole backup.
pub fn open(file: &Path, passphrase_stdin: bool) -> Result<Backup, Failure> {
    let named = |error: &dyn std::fmt::Display| Failure::new(format_args!("{}: {error}", file.display()));
    let opened = File::open(file).map_err(|error| named(&error))?;
    if !opened.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(named(&"this is no file"));
    }
    let passphrase = passphrase::of_file(passphrase_stdin)?;
    Backup::verify(opened, passphrase).map_err(|error| named(&error))
}

/// What a backup holds, for people on several lines.
pub fn print(summary: &BackupSummary, file: Option<&Path>, json: bool) -> Result<(), Failure> {
    let text = if json {
        serde_json::to_string_pretty(summary).map_err(Failure::new)? + "\n"
    } else {
        describe(summary, file)
    };
    output::text(&text).map_err(|error| Failure::new(format_args!("cannot print: {error}")))
}

pub fn describe(summary: &BackupSummary, file: Option<&Path>) -> String {
    let written = file.map(|file| format!("{} written\n", file.display())).unwrap_or_default();
    let made = format_utc(summary.made_at).replace('T', " ");
    let rows = summary.rows.iter().map(|(table, rows)| format!("{table} {rows}")).collect::<Vec<_>>().join(", ");
    let usage = if summary.usage { "included" } else { "left out" };
    format!(
        "{written}made      {made} UTC by ollama-fortress {}\nrevision  {}, schema {}\nrows      {rows}\nusage     \
         {usage}\nsecret    the {}\nsize      {} bytes\n",
        summary.product, summary.revision, summary.schema, summary.secret, summary.bytes
    )
}

/// Where the backup goes: the path, or the file that a link there leads to. Only regular files are replaced, and beside the
/// gateway's own only what is called a backup.
fn place(file: &Path, force: bool, data_dir: &Path) -> Result<PathBuf, Failure> {
    let refused = |why: &str| Err(Failure::usage(format_args!("{} {why}", file.display())));
    let Some(name) = file.file_name().filter(|_| !file.is_dir()) else {
        return refused("is a folder: name a file in it");
    };
    let place = if fs::symlink_metadata(file).is_ok() {
        if !force {
            return refused("is there already: give --force to replace it, or another name");
        }
        match (fs::metadata(file), fs::canonicalize(file)) {
            (Ok(found), Ok(place)) if found.is_file() => place,
            _ => return refused("is no regular file and is not replaced: give another name"),
        }
    } else {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Where there is no such folder, opening the file says so.
        fs::canonicalize(folder).map_or_else(|_| file.to_owned(), |folder| folder.join(name))
    };
    let inside = fs::canonicalize(data_dir).ok().and_then(|own| place.strip_prefix(own).ok().map(Path::to_owned));
    if inside.is_some_and(|inside| is_own(&inside)) {
        return refused(
            "may be a file of the gateway's own: in its data folder give a name that ends in .backup, or take another folder",
        );
    }
    Ok(place)
}

/// A path in the data folder that is the gateway's, or may be in a later version.
fn is_own(inside: &Path) -> bool {
    let first = inside.components().next().map(|first| first.as_os_str().to_string_lossy().into_owned());
    // `db` itself, and what a restore keeps of it.
    let in_database = first.is_some_and(|first| first == "db" || first.starts_with("db."));
    let beside_it = inside.components().count() == 1;
    in_database || beside_it && inside.extension().is_none_or(|extension| extension != "backup")
}

/// The file under another name until it is whole; goes away with the value.
struct Draft {
    path: PathBuf,
    file: File,
    done: bool,
}

impl Draft {
    fn begin(target: &Path) -> Result<Self, Failure> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let path = target.with_file_name(name);
        let failed =
            |error: &dyn std::fmt::Display| Failure::new(format_args!("cannot write {}: {error}", path.display()));
        // Nothing is followed or waited for that somebody else may have put there.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(&path);
        let file = file.map_err(|error| failed(&error))?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(failed(&"it is no regular file"));
        }
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(failed(&"another backup is being written there"));
        }
        // One that a kill left behind may have been anybody's to read.
        let private = file.set_permissions(fs::Permissions::from_mode(0o600)).and_then(|()| file.set_len(0));
        private.map_err(|error| failed(&error))?;
        Ok(Self { path, file, done: false })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let path = &self.path;
        self.file
            .write_all(bytes)
            .map_err(|error| Failure::new(format_args!("cannot write {}: {error}: no backup was made", path.display())))
    }

    fn begin_again(&mut self) -> Result<(), Failure> {
        use std::io::Seek;
        let rewound = self.file.set_len(0).and_then(|()| self.file.rewind());
        rewound.map_err(|error| Failure::new(format_args!("cannot write {}: {error}", self.path.display())))
    }

    fn finish(mut self, target: &Path) -> Result<(), Failure> {
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let finished = self.file.sync_all().and_then(|()| fs::rename(&self.path, target)).and_then(|()| {
            self.done = true;
            File::open(folder)?.sync_all()
        });
        finished.map_err(|error| Failure::new(format_args!("cannot write {}: {error}", target.display())))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// From the running server, or from the database itself where none runs.
fn make(
    config: &Config,
    passphrase: &Zeroizing<String>,
    usage: bool,
    draft: &mut Draft,
) -> Result<BackupSummary, Failure> {
    let deadline = Instant::now() + remote::PATIENCE;
    loop {
        draft.begin_again()?;
        if let Some(stream) = remote::connect(config)? {
            match from_server(stream, passphrase, usage, draft)? {
                Some(made) => return made.map_err(Failure::from),
                None if Instant::now() < deadline => {
                    thread::sleep(remote::PAUSE);
                    continue;
                }
                None => return Err(Failure::new("the running server takes no command: its log may say why")),
            }
        }
        match application::offline_backup(config, passphrase.clone(), usage, |piece| draft.write(&piece)) {
            Ok(made) => return made?.map_err(Failure::from),
            Err(application::StartError::Store(StoreError::Locked)) if Instant::now() < deadline => {
                thread::sleep(remote::PAUSE)
            }
            Err(error) => return Err(Failure::new(error)),
        }
    }
}

/// `None` if the server hung up without having read the command.
fn from_server(
    mut stream: UnixStream,
    passphrase: &Zeroizing<String>,
    usage: bool,
    draft: &mut Draft,
) -> Result<Option<Result<BackupSummary, AdminError>>, Failure> {
    let command = Command::Backup { passphrase: passphrase.to_string(), usage };
    let mut line = Zeroizing::new(serde_json::to_vec(&command).map_err(Failure::new)?);
    line.push(b'\n');
    if stream.write_all(&line).is_err() {
        return Ok(None);
    }
    let mut stream = BufReader::new(stream);
    match answer(&mut stream)? {
        Ok(Reply::Done) => {}
        Ok(_) => return Err(other_version()),
        Err(error) => return Ok(Some(Err(error))),
    }
    let broken = |error: std::io::Error| {
        Failure::new(format_args!("the running server broke off ({error}): no backup was made"))
    };
    let mut piece = Vec::new();
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).map_err(broken)?;
        let length = u32::from_be_bytes(length);
        if length == 0 {
            break;
        }
        if length > MAX_PIECE {
            return Err(other_version());
        }
        piece.resize(length as usize, 0);
        stream.read_exact(&mut piece).map_err(broken)?;
        draft.write(&piece)?;
    }
    match answer(&mut stream)? {
        Ok(Reply::BackedUp(summary)) => Ok(Some(Ok(summary))),
        Ok(_) => Err(other_version()),
        Err(error) => Ok(Some(Err(error))),
    }
}

fn answer(stream: &mut impl BufRead) -> Result<Result<Reply, AdminError>, Failure> {
    let mut line = String::new();
    let read = stream.take(MAX_LINE).read_line(&mut line);
    read.map_err(|error| Failure::new(format_args!("the running server broke off ({error}): no backup was made")))?;
    if line.is_empty() {
        return Err(Failure::new("the running server ended before it was done: no backup was made"));
    }
    serde_json::from_str(&line).map_err(|_| other_version())
}

fn other_version() -> Failure {
    Failure::new("the running server answered something else: is it another version?")
}
