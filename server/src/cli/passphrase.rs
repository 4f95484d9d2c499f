//! The passphrase of a backup: from standard input, from BACKUP_PASSPHRASE, or asked on the terminal without echo. Never
//! an argument: other users see those.

use std::env;

use control::backup::check_passphrase;
use zeroize::Zeroizing;

use super::{Failure, arguments::secret_from_stdin};

const VARIABLE: &str = "BACKUP_PASSPHRASE";

/// For a new backup: long enough, and asked twice.
pub fn fresh(from_stdin: bool) -> Result<Zeroizing<String>, Failure> {
    let passphrase = match given(from_stdin)? {
        Some(passphrase) => passphrase,
        None => {
            let first = ask("Passphrase of the backup: ")?;
            check_passphrase(&first).map_err(Failure::usage)?;
            if *first != *ask("Again: ")? {
                return Err(Failure::usage("the two entries differ"));
            }
            first
        }
    };
    check_passphrase(&passphrase).map_err(Failure::usage)?;
    Ok(passphrase)
}

/// For a backup that is there.
pub fn of_file(from_stdin: bool) -> Result<Zeroizing<String>, Failure> {
    given(from_stdin)?.map_or_else(|| ask("Passphrase of the backup: "), Ok)
}

fn given(from_stdin: bool) -> Result<Option<Zeroizing<String>>, Failure> {
    if from_stdin {
        return secret_from_stdin("passphrase").map(|text| Some(Zeroizing::new(text)));
    }
    match env::var(VARIABLE) {
        Ok(text) if text.is_empty() => Err(Failure::usage(format_args!("{VARIABLE} is set but empty"))),
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Failure::usage(format_args!("{VARIABLE} is not UTF-8 text"))),
    }
}

fn ask(text: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(text).map(Zeroizing::new).map_err(|error| {
        Failure::usage(format_args!(
            "cannot ask for a passphrase here ({error}): use --passphrase-stdin, or set {VARIABLE}"
        ))
    })
}
