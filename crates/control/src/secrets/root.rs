//! The root secrets: `SECRET_KEY` and the one before it, or a key file made at the first start. Messages name the setting
//! or the file, never a value.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::OpenError;

/// Name of the key file in the data folder.
const FILE_NAME: &str = "secret.key";
/// Bytes of a root that was made here, and of a key file with one such root.
const FILE_LENGTH: usize = 32;
/// First line of a key file that holds other or several roots, one a line in base64 behind it, the newest first.
const SEVERAL: &str = "ollama-fortress keys 1\n";
/// Last line of such a file, without which it was cut.
const END: &str = "end\n";
/// Longest key file that is believed.
const MAX_FILE: u64 = 64 * 1024;
/// Fewest characters of `SECRET_KEY`.
const MIN_LENGTH: usize = 32;

/// Values that stand in examples and defaults of this field, so everybody knows them. Compared without case and
/// separators; those under 32 characters are here so that they cannot be made long enough by repeating them.
const KNOWN: &[&str] = &[
    "changeme",
    "changethis",
    "secret",
    "secretkey",
    "mysecret",
    "mysecretkey",
    "supersecret",
    "supersecretkey",
    "default",
    "defaultsecretkey",
    "password",
    "admin",
    "insecure",
    "example",
    "test",
    "yoursecretkey",
    "yoursecretkeyhere",
    "yoursecret",
    "replaceme",
    "replacethis",
    "averysecretkeythatshouldbechanged",
    "averysecretkeythatshouldbechangedforproduction",
    "averysecretkeythatisverylongandsecure",
    "averyinsecuresecretkeyforlocaldevelopment",
    "averylongandinsecuresecretkeyforlocaldevelopment",
    "averylongsecretkeythatyoumustchange",
    "thisisaverysecretkeypleasechangeit",
    "pleasechangethissecretkeyinproduction",
    "changethissecretkeyinproduction",
    "changemetoalongrandomstring",
    "changemetoarandomsecretkeyinproduction",
    "yoursupersecretkeychangeinproduction",
    "yoursecretkeychangethisinproduction",
    "yoursecretkeyatleast32characterslong",
    "generatearandomsecretkeyatleast32characters",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
];

/// The root of all secrets of a group of gateways.
#[derive(Clone)]
pub(crate) struct Root(Zeroizing<Vec<u8>>);

impl Root {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub fn of_text(text: &str) -> Self {
        Self::of_bytes(text.as_bytes().to_vec())
    }

    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new(vec![0; FILE_LENGTH]);
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// `SECRET_KEY` and the previous one where it is set, else those of the key file; the newest first. The file is made
    /// only for a database that knows no secret yet: a fresh key could not open an old database.
    pub fn find(
        secret_key: Option<&str>,
        previous: Option<&str>,
        data_dir: &Path,
        new_database: bool,
    ) -> Result<Vec<Self>, OpenError> {
        if let Some(text) = secret_key {
            check_secret_key(text).map_err(OpenError::Secret)?;
            if let Some(previous) = previous {
                check_named("SECRET_KEY_PREVIOUS", previous).map_err(OpenError::Secret)?;
            }
            return Ok([Some(text), previous].into_iter().flatten().map(Self::of_text).collect());
        }
        let path = path(data_dir);
        match read(data_dir) {
            Ok(Some(roots)) => return Ok(roots),
            Ok(None) => {}
            Err(error) => {
                return Err(OpenError::Secret(format!("the key file {} cannot be used: {error}", path.display())));
            }
        }
        if !new_database {
            return Err(OpenError::Secret(format!(
                "the database was made with a SECRET_KEY or with the key file {}, and neither is there: set the same SECRET_KEY or \
                 restore the file",
                path.display()
            )));
        }
        make(data_dir, &path)
            .map_err(|error| OpenError::Secret(format!("the key file {} cannot be made: {error}", path.display())))
    }
}

/// Where the key file is.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE_NAME)
}

/// Refuses a `SECRET_KEY` that is empty, under 32 characters or publicly known. The message names the setting only.
pub fn check_secret_key(text: &str) -> Result<(), String> {
    check_named("SECRET_KEY", text)
}

/// The same for the variable of another name.
pub fn check_named(name: &str, text: &str) -> Result<(), String> {
    let plain: String =
        text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    if text.trim().is_empty() {
        return Err(format!("{name} is set but empty: unset it, or give at least 32 random characters"));
    }
    if KNOWN.iter().any(|known| plain == *known || is_repetition(&plain, known)) {
        return Err(format!("{name} is a publicly known value: give at least 32 random characters"));
    }
    if text.chars().count() < MIN_LENGTH {
        return Err(format!("{name} is too short: give at least 32 random characters"));
    }
    Ok(())
}

fn is_repetition(text: &str, of: &str) -> bool {
    !text.is_empty()
        && text.len().is_multiple_of(of.len())
        && text.as_bytes().chunks(of.len()).all(|part| part == of.as_bytes())
}

/// The roots of the key file, the newest first; `None` if there is no file.
pub(crate) fn read(data_dir: &Path) -> io::Result<Option<Vec<Root>>> {
    let path = path(data_dir);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "the key file could be read by others; its mode is now 0600");
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_LENGTH + 1));
    (&file).take(MAX_FILE).read_to_end(&mut bytes)?;
    if bytes.len() == FILE_LENGTH {
        return Ok(Some(vec![Root(bytes)]));
    }
    let roots = std::str::from_utf8(&bytes).ok().and_then(several);
    let fault = || {
        let message = format!("it must hold exactly {FILE_LENGTH} bytes, or what `secrets rotate` or `restore` wrote");
        io::Error::new(ErrorKind::InvalidData, message)
    };
    roots.map(Some).ok_or_else(fault)
}

fn several(text: &str) -> Option<Vec<Root>> {
    let lines = text.strip_prefix(SEVERAL)?.strip_suffix(END).filter(|lines| !lines.is_empty())?;
    lines.lines().map(|line| STANDARD.decode(line).ok().filter(|bytes| !bytes.is_empty()).map(Root::of_bytes)).collect()
}

/// Replaces the key file, whole or not at all; it is on the disk when this returns.
pub(crate) fn write(data_dir: &Path, roots: &[Root]) -> io::Result<()> {
    let bytes = match roots {
        [] => return Err(io::Error::new(ErrorKind::InvalidInput, "there is no key to write")),
        [root] if root.bytes().len() == FILE_LENGTH => Zeroizing::new(root.bytes().to_vec()),
        roots => {
            let lines: Vec<_> = roots.iter().map(|root| Zeroizing::new(STANDARD.encode(root.bytes()))).collect();
            let mut text = Zeroizing::new(SEVERAL.as_bytes().to_vec());
            for line in lines {
                text.extend_from_slice(line.as_bytes());
                text.push(b'\n');
            }
            text.extend_from_slice(END.as_bytes());
            text
        }
    };
    let draft = draft(data_dir, &bytes)?;
    fs::rename(&draft, path(data_dir))?;
    File::open(data_dir)?.sync_all()
}

/// A private file with these bytes beside the key file.
fn draft(data_dir: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let draft = data_dir.join(format!("{FILE_NAME}.{}.new", std::process::id()));
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(draft)
}

/// Writes a whole file beside the final name and links it there, so that a crash leaves no half key and a second
/// process cannot replace a key that is in use.
fn make(data_dir: &Path, path: &Path) -> io::Result<Vec<Root>> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    let root = Root::random().map_err(io::Error::other)?;
    let draft = draft(data_dir, root.bytes())?;
    let linked = fs::hard_link(&draft, path);
    let taken = matches!(&linked, Err(error) if error.kind() == ErrorKind::AlreadyExists);
    if linked.is_err() && !taken {
        // Some file systems have no hard links; a rename is as good where nobody else starts at the same moment.
        fs::rename(&draft, path)?;
    } else {
        fs::remove_file(&draft)?;
    }
    File::open(data_dir)?.sync_all()?;
    read(data_dir)?.ok_or_else(|| io::Error::from(ErrorKind::NotFound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_secret_key_is_refused_by_name_and_never_by_value() {
        for text in [
            "",
            "   ",
            "changeme",
            "short-but-random-Zq8",
            "secretsecretsecretsecretsecretsecret",
            "CHANGE-ME",
            "change_me-change_me-change_me-change_me",
        ] {
            let message = check_secret_key(text).unwrap_err();
            assert!(message.contains("SECRET_KEY"), "{message}");
            assert!(text.trim().is_empty() || !message.contains(text), "{message}");
        }
        assert_eq!(check_secret_key("uHq9PzX2mLw7Rk4Tn8Vb3Yc6Dj1Fg5Sa"), Ok(()));
    }

    #[test]
    fn the_key_file_is_private_and_stays_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let first = Root::find(None, None, &data, true).ok().unwrap().remove(0);
        let mode = fs::metadata(data.join(FILE_NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(Root::find(None, None, &data, false).ok().unwrap()[0].bytes(), first.bytes());
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_lost_key_file_is_not_replaced_under_an_old_database() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Root::find(None, None, folder.path(), false), Err(OpenError::Secret(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_cut_key_file_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), b"half").unwrap();
        assert!(matches!(Root::find(None, None, folder.path(), true), Err(OpenError::Secret(_))));
        assert_eq!(fs::read(folder.path().join(FILE_NAME)).unwrap(), b"half");
    }

    #[test]
    fn a_key_file_that_others_can_read_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        Root::find(None, None, folder.path(), true).ok().unwrap();
        let path = folder.path().join(FILE_NAME);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        Root::find(None, None, folder.path(), false).ok().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn several_roots_are_read_as_they_were_written_and_a_cut_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let roots = [Root::random().unwrap(), Root::of_text("a SECRET_KEY of another machine")];
        write(folder.path(), &roots).unwrap();
        let path = path(folder.path());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let found = Root::find(None, None, folder.path(), false).ok().unwrap();
        assert!(found.iter().map(Root::bytes).eq(roots.iter().map(Root::bytes)));
        let whole = fs::read(&path).unwrap();
        for length in (0..whole.len()).filter(|length| *length != FILE_LENGTH) {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(Root::find(None, None, folder.path(), true).is_err(), "cut at {length}");
        }
        write(folder.path(), &roots[..1]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), roots[0].bytes(), "one root is written as always");
    }

    #[test]
    fn the_previous_key_is_held_to_the_same_rules_by_its_own_name() {
        let good = "uHq9PzX2mLw7Rk4Tn8Vb3Yc6Dj1Fg5Sa";
        let folder = tempfile::tempdir().unwrap();
        let Err(OpenError::Secret(message)) = Root::find(Some(good), Some("changeme"), folder.path(), true) else {
            panic!()
        };
        assert!(message.starts_with("SECRET_KEY_PREVIOUS is"), "{message}");
    }
}
