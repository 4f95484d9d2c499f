//! The root secret: `SECRET_KEY`, or a key file made at the first start. Messages name the setting or the file, never a
//! value.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use zeroize::Zeroizing;

use crate::OpenError;

/// Name of the key file in the data folder.
const FILE_NAME: &str = "secret.key";
/// Bytes of the key file.
const FILE_LENGTH: usize = 32;
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
pub(crate) struct Root(Zeroizing<Vec<u8>>);

impl Root {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    #[cfg(test)]
    pub fn of_text(text: &str) -> Self {
        Self(Zeroizing::new(text.as_bytes().to_vec()))
    }

    /// `SECRET_KEY` where it is set, else the key file. The file is made only for a database that knows no secret yet:
    /// a fresh key could not open an old database.
    pub fn find(secret_key: Option<&str>, data_dir: &Path, new_database: bool) -> Result<Self, OpenError> {
        if let Some(text) = secret_key {
            check_secret_key(text).map_err(OpenError::Secret)?;
            return Ok(Self(Zeroizing::new(text.as_bytes().to_vec())));
        }
        let path = data_dir.join(FILE_NAME);
        match read(&path) {
            Ok(Some(root)) => return Ok(root),
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

/// Refuses a `SECRET_KEY` that is empty, under 32 characters or publicly known. The message names the setting only.
pub fn check_secret_key(text: &str) -> Result<(), String> {
    let plain: String =
        text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    if text.trim().is_empty() {
        return Err("SECRET_KEY is set but empty: unset it, or give at least 32 random characters".into());
    }
    if KNOWN.iter().any(|known| plain == *known || is_repetition(&plain, known)) {
        return Err("SECRET_KEY is a publicly known value: give at least 32 random characters".into());
    }
    if text.chars().count() < MIN_LENGTH {
        return Err("SECRET_KEY is too short: give at least 32 random characters".into());
    }
    Ok(())
}

fn is_repetition(text: &str, of: &str) -> bool {
    !text.is_empty()
        && text.len().is_multiple_of(of.len())
        && text.as_bytes().chunks(of.len()).all(|part| part == of.as_bytes())
}

fn read(path: &Path) -> io::Result<Option<Root>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "the key file could be read by others; its mode is now 0600");
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_LENGTH + 1));
    (&file).take(FILE_LENGTH as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() != FILE_LENGTH {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("it must hold exactly {FILE_LENGTH} bytes")));
    }
    Ok(Some(Root(bytes)))
}

/// Writes a whole file beside the final name and links it there, so that a crash leaves no half key and a second
/// process cannot replace a key that is in use.
fn make(data_dir: &Path, path: &Path) -> io::Result<Root> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    let mut bytes = Zeroizing::new(vec![0; FILE_LENGTH]);
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let draft = data_dir.join(format!("{FILE_NAME}.{}.new", std::process::id()));
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    let taken = matches!(&linked, Err(error) if error.kind() == ErrorKind::AlreadyExists);
    if linked.is_err() && !taken {
        // Some file systems have no hard links; a rename is as good where nobody else starts at the same moment.
        fs::rename(&draft, path)?;
    } else {
        fs::remove_file(&draft)?;
    }
    File::open(data_dir)?.sync_all()?;
    read(path)?.ok_or_else(|| io::Error::from(ErrorKind::NotFound))
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
        let first = Root::find(None, &data, true).ok().unwrap();
        let mode = fs::metadata(data.join(FILE_NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(Root::find(None, &data, false).ok().unwrap().bytes(), first.bytes());
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_lost_key_file_is_not_replaced_under_an_old_database() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Root::find(None, folder.path(), false), Err(OpenError::Secret(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_cut_key_file_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), b"half").unwrap();
        assert!(matches!(Root::find(None, folder.path(), true), Err(OpenError::Secret(_))));
        assert_eq!(fs::read(folder.path().join(FILE_NAME)).unwrap(), b"half");
    }

    #[test]
    fn a_key_file_that_others_can_read_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        Root::find(None, folder.path(), true).ok().unwrap();
        let path = folder.path().join(FILE_NAME);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        Root::find(None, folder.path(), false).ok().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
