//! The command line: `serve`, `check`, and the administrative commands, which ask a running server over its socket or
//! open the store themselves. Exit codes: 0, done; 64, something that was given (an argument, a value, the configuration)
//! has to be changed; 1, what was asked could not be done; 130, Ctrl-C.

mod alias;
mod arguments;
mod audit;
mod auto;
mod backend;
mod backup;
mod fleet;
mod model;
mod output;
mod passphrase;
mod password;
mod policy;
mod remote;
mod restore;
mod secrets;

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use control::command::Reply;
use domain::{error::AdminError, key::UNLISTED};

use crate::{
    application,
    config::{Config, Fault, Faults, Layered, RawConfig},
    systemd::Handed,
};
use arguments::{Arguments, Ask, Verb};
use backend::Backend;
use model::Model;

/// Exit code where something that was given has to be changed (sysexits' EX_USAGE).
const EXIT_USAGE: u8 = 64;
/// Exit code after Ctrl-C, as shells have it.
const EXIT_INTERRUPTED: u8 = 130;
/// `check` opens no database and cannot tell whether there is an administrator.
const ADMIN_HINT: &str = "ADMIN_USER and ADMIN_PASSWORD make the first administrator and are not used once there is one: \
    `ollama-fortress admin reset-password NAME` changes a password.\n";

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    Config(Faults),
    /// What was given has to be changed; one line that says how.
    Usage(String),
    /// It could not be done; one line that says what to do.
    Other(String),
    /// Whoever read what is printed has seen enough.
    ReaderWentAway,
    /// Ctrl-C; one line that says how to go on.
    Interrupted(String),
}

impl Failure {
    pub fn new(message: impl fmt::Display) -> Self {
        Self::Other(message.to_string())
    }

    pub fn usage(message: impl fmt::Display) -> Self {
        Self::Usage(message.to_string())
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Invalid { mut fields } => {
                for fault in &mut fields {
                    fault.field = policy::option_of(&fault.field);
                }
                Self::usage(AdminError::Invalid { fields })
            }
            _ => Self::new(error),
        }
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Config(faults)
    }
}

/// Reads the arguments, does what they say, reports a failure on stderr.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are "errors" to clap; a closed terminal is nobody's fault.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb.unwrap_or(Verb::Serve) {
        Verb::Serve => {
            let config = Config::load()?;
            let handed = Handed::take(config.admin_listen.is_some()).map_err(|fault| Faults(vec![fault]))?;
            application::serve(config, handed).map_err(Failure::new)
        }
        Verb::Check => check(arguments.json),
        Verb::Audit(audit) => audit.run(&Config::load()?, arguments.json),
        Verb::Fleet(fleet) => fleet.run(&Config::load()?, arguments.json),
        Verb::Backup(backup) => backup.run(arguments.json),
        Verb::Restore(restore) => restore.run(arguments.json),
        Verb::Ask(ask) => {
            let config = Config::load()?;
            match *ask {
                Ask::Backend(Backend::Drain(drain)) => show(backend::drain(&config, drain)?, arguments.json),
                Ask::Model(Model::Pull(pull)) if pull.waits() => model::pull(&config, pull, arguments.json),
                ask => show(remote::ask(&config, ask.into_command()?)?, arguments.json),
            }
        }
    }
}

/// Prints a reply. A reader that has seen enough (`| head -1`) is no failure, unless what it did not read was a key.
fn show(reply: Reply, json: bool) -> Result<(), Failure> {
    if let Reply::Keys(keys) = &reply {
        // A failure to warn is no failure of what was asked.
        let mut unlisted = keys.iter().filter(|key| key.unlisted);
        let _ = unlisted.try_for_each(|key| output::warn(&format!("op_{}: {UNLISTED}", key.id)));
    }
    let key = if let Reply::CreatedKey(created) = &reply { Some(created.view.id.clone()) } else { None };
    match (output::print(reply, json), key) {
        (Ok(()), _) => Ok(()),
        (Err(error), Some(id)) => Err(Failure::new(format_args!(
            "the key was made but could not be shown ({error}): `ollama-fortress key revoke op_{id}`, then make another"
        ))),
        (Err(error), None) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        (Err(error), None) => Err(Failure::new(format_args!("cannot print the result: {error}"))),
    }
}

/// Prints the configuration with secrets hidden, then says whether it is valid.
fn check(json: bool) -> Result<(), Failure> {
    let raw = RawConfig::read(&Layered::load());
    output::print_config(&raw.list(), json).map_err(|error| Failure::new(format_args!("cannot print: {error}")))?;
    if !json && raw.given("ADMIN_PASSWORD").is_some() {
        output::text(ADMIN_HINT).map_err(|error| Failure::new(format_args!("cannot print: {error}")))?;
    }
    let (folder, _) = raw.data_dir();
    let unusable = application::check_data_dir(&folder).map_err(|message| Fault::new("DATA_DIR", message)).err();
    let mut faults = Config::try_from(raw).err().unwrap_or(Faults(Vec::new()));
    if !faults.0.iter().any(|fault| fault.name == "DATA_DIR") {
        faults.0.extend(unusable);
    }
    if faults.0.is_empty() { Ok(()) } else { Err(faults.into()) }
}

fn report(failure: &Failure) -> ExitCode {
    let mut stderr = io::stderr().lock();
    // If stderr is gone there is nobody left to tell.
    match failure {
        Failure::Config(Faults(faults)) => {
            for Fault { name, message } in faults {
                let _ = writeln!(stderr, "ollama-fortress: {name}: {message}");
            }
            ExitCode::from(EXIT_USAGE)
        }
        Failure::Usage(message) => {
            let _ = writeln!(stderr, "ollama-fortress: {message}");
            ExitCode::from(EXIT_USAGE)
        }
        Failure::Other(message) => {
            let _ = writeln!(stderr, "ollama-fortress: {message}");
            ExitCode::FAILURE
        }
        Failure::ReaderWentAway => ExitCode::SUCCESS,
        Failure::Interrupted(message) => {
            let _ = writeln!(stderr, "ollama-fortress: {message}");
            ExitCode::from(EXIT_INTERRUPTED)
        }
    }
}
