//! Carrying a command to where it is done: a running server's socket, or, where none listens, the store itself.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use control::command::{Command, MAX_COMMAND, Reply};
use domain::error::AdminError;
use store::StoreError;

use super::Failure;
use crate::{application, config::Config, logging, tasks::socket_path::SocketPath};

/// How long a store that is locked while no socket answers is waited for: a server is just starting or stopping.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is looked at meanwhile.
pub const PAUSE: Duration = Duration::from_millis(100);
/// Longest answer; lists of many thousand keys stay far below.
const MAX_ANSWER: u64 = 64 << 20;

/// Has `command` carried out; it is in force when this returns.
pub fn ask(config: &Config, command: Command) -> Result<Reply, Failure> {
    let mut reply = None;
    ask_on(config, command, |answer| {
        reply = Some(answer);
        Ok(None)
    })?;
    reply.ok_or_else(|| Failure::new("no answer came: look whether the change was made"))
}

/// Asks a running server and nobody else; `None` where none answers, and it may not be known then whether it heard.
pub fn ask_running(config: &Config, command: &Command) -> Result<Option<Reply>, Failure> {
    let mut line = serde_json::to_vec(command).map_err(Failure::new)?;
    line.push(b'\n');
    let Some(stream) = connect(config)? else { return Ok(None) };
    // A server that ends just now.
    let Ok(Some(answer)) = over_socket(stream, &line) else { return Ok(None) };
    Ok(Some(answer?))
}

/// Has `first` carried out, and then every command that `each` makes of the answer before.
pub fn ask_on(
    config: &Config,
    first: Command,
    mut each: impl FnMut(Reply) -> Result<Option<Command>, Failure>,
) -> Result<(), Failure> {
    // A warning of the store belongs on the terminal, its details do not.
    logging::start(&logging::quiet(&config.log));
    let mut next = Some(first);
    while let Some(command) = next {
        next = ask_once(config, command, &mut each)?;
    }
    Ok(())
}

/// One command over the socket and what `each` makes of its answer; without a running server, all of them.
fn ask_once(
    config: &Config,
    command: Command,
    each: &mut impl FnMut(Reply) -> Result<Option<Command>, Failure>,
) -> Result<Option<Command>, Failure> {
    let mut line = serde_json::to_vec(&command).map_err(Failure::new)?;
    line.push(b'\n');
    if line.len() > MAX_COMMAND {
        return Err(Failure::usage("what was given is far too long: names have at most 100 characters"));
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(stream) = connect(config)? {
            match over_socket(stream, &line)? {
                Some(answer) => return each(answer?),
                // The server went away before it took the command.
                None if Instant::now() < deadline => {
                    thread::sleep(PAUSE);
                    continue;
                }
                None => return Err(Failure::new("the running server takes no command: its log may say why")),
            }
        }
        let mut failed = None;
        let offline = application::offline(config, command.clone(), |answer| {
            let next = answer.map_err(Failure::from).and_then(&mut *each);
            next.unwrap_or_else(|failure| {
                failed = Some(failure);
                None
            })
        });
        match offline {
            Ok(()) => return failed.map_or(Ok(None), Err),
            Err(application::StartError::Store(StoreError::Locked)) if Instant::now() < deadline => {
                thread::sleep(PAUSE)
            }
            Err(error) => return Err(Failure::new(error)),
        }
    }
}

/// The socket of a running server; `None` where there is none or its owner is dead.
pub fn connect(config: &Config) -> Result<Option<UnixStream>, Failure> {
    let path = config.socket();
    let connected = SocketPath::new(&path).and_then(|short| UnixStream::connect(short.as_path()));
    match connected {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(Failure::new(format_args!(
            "cannot open {}: {error}: run this as the user the server runs as, or set DATA_DIR to another folder",
            path.display()
        ))),
    }
}

/// One line each way. `None` if the server hung up without having read the command.
fn over_socket(mut stream: UnixStream, line: &[u8]) -> Result<Option<Result<Reply, AdminError>>, Failure> {
    let broken = |error: std::io::Error| {
        Failure::new(format_args!("the running server broke off: {error}; look whether the change was made"))
    };
    if stream.write_all(line).is_err() {
        return Ok(None);
    }
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut answer).map_err(broken)?;
    if answer.is_empty() {
        return Err(Failure::new("the running server ended before it answered: look whether the change was made"));
    }
    serde_json::from_str(&answer).map(Some).map_err(|error| {
        Failure::new(format_args!("the running server answered something else ({error}): is it another version?"))
    })
}
