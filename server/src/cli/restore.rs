//! `restore FILE`: into a stopped gateway, after everything in the file was checked and somebody agreed.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
};

use clap::Args;
use control::restore::{RestoreError, RestoreReport};

use super::{Failure, backup, output};
use crate::{application::Stopped, config::Config, logging};

/// What has to be typed.
const WORD: &str = "restore";

#[derive(Args)]
pub struct RestoreArguments {
    /// The backup.
    file: PathBuf,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Read the passphrase from standard input instead of asking for it; needs --yes.
    #[arg(long, requires = "yes")]
    passphrase_stdin: bool,
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Given(message) => Self::usage(message),
            error => Self::new(error),
        }
    }
}

impl RestoreArguments {
    pub fn run(self, json: bool) -> Result<(), Failure> {
        let config = Config::load()?;
        logging::start(&logging::quiet(&config.log));
        if !self.yes && !io::stdin().is_terminal() {
            return Err(Failure::usage("nobody can be asked here: give --yes to restore without a question"));
        }
        let backup = backup::open(&self.file, self.passphrase_stdin)?;
        let stopped = Stopped::take(&config, &backup)?;
        if !self.yes {
            eprint(&backup::describe(backup.summary(), None))?;
            if stopped.has_database() {
                eprint("The database that is there now is kept beside it under another name.\n")?;
            }
            eprint(&format!("Everybody has to sign in again. Type {WORD} to go on: "))?;
            let mut answer = String::new();
            io::stdin().lock().read_line(&mut answer).map_err(Failure::new)?;
            if answer.trim() != WORD {
                return Err(Failure::new("nothing was restored"));
            }
        }
        let report = stopped.restore(backup)?;
        print(&report, json)
    }
}

fn eprint(text: &str) -> Result<(), Failure> {
    let mut stderr = io::stderr().lock();
    stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()).map_err(Failure::new)
}

fn print(report: &RestoreReport, json: bool) -> Result<(), Failure> {
    let text = if json { serde_json::to_string_pretty(report).map_err(Failure::new)? + "\n" } else { describe(report) };
    output::text(&text).map_err(|error| Failure::new(format_args!("restored, but cannot print the report: {error}")))
}

fn describe(report: &RestoreReport) -> String {
    let mut text = backup::describe(&report.backup, None);
    let mut list = |head: &str, lines: &[String]| {
        if !lines.is_empty() {
            text.push_str(&format!("{head}\n"));
            lines.iter().for_each(|line| text.push_str(&format!("  {}\n", output::clean(line))));
        }
    };
    list("stay revoked, though they work in the backup:", &report.revoked);
    list("different from the database before it:", &report.differences);
    list("to know:", &report.notes);
    list("the database from before is kept in:", report.kept_database.as_slice());
    list("the key file from before is kept in:", report.kept_key_file.as_slice());
    text + "restored; everybody has to sign in again\n"
}
