//! Asking for a password on the terminal, without echo, twice.

use super::Failure;

/// Asks until both entries agree; fails where there is no terminal.
pub fn prompt() -> Result<String, Failure> {
    let ask = |text: &str| {
        rpassword::prompt_password(text).map_err(|error| {
            Failure::usage(format_args!("cannot ask for a password here ({error}): use --password-stdin"))
        })
    };
    let first = ask("Password: ")?;
    if first != ask("Again: ")? {
        return Err(Failure::usage("the two entries differ"));
    }
    Ok(first)
}
