//! `secrets rotate`: the key that seals what is secret in the database.

use clap::Subcommand;
use control::{Rotation, RotationReport, command::Command};

#[derive(Subcommand)]
pub enum Secrets {
    /// Make a new key and seal everything with it. API keys go on working.
    Rotate {
        /// Only put a new key into the key file, to copy the file to the other gateways of a shared database first.
        #[arg(long)]
        prepare: bool,
        /// Forget the old keys, once nothing needs them.
        #[arg(long, conflicts_with = "prepare")]
        forget_old: bool,
    },
}

impl From<Secrets> for Command {
    fn from(Secrets::Rotate { prepare, forget_old }: Secrets) -> Self {
        let rotation = match (prepare, forget_old) {
            (true, _) => Rotation::Prepare,
            (_, true) => Rotation::ForgetOld,
            _ => Rotation::Rotate,
        };
        Self::SecretsRotate { rotation }
    }
}

/// For people, in a few lines.
pub fn describe(report: &RotationReport) -> String {
    let done = match (report.resealed, report.forgotten) {
        (0, 0) => String::new(),
        (0, forgotten) => format!("{forgotten} old key(s) are not needed any more\n"),
        (resealed, 0) => format!("{resealed} value(s) sealed anew, key from the {}\n", report.secret),
        (resealed, forgotten) => {
            format!("{resealed} value(s) sealed anew, {forgotten} old key(s) not needed any more\n")
        }
    };
    format!("{done}{}\n", report.next)
}
