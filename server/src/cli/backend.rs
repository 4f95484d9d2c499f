//! `backend`: the arguments, and draining, which may wait. Reading the values is the control plane's, so that faults sound as
//! they do in the pages.

use std::{
    thread,
    time::{Duration, Instant},
};

use clap::{Args, Subcommand};
use control::command::{Command, Reply};
use domain::backend::{BackendView, ShareEdit, TimeoutsEdit};

use super::{Failure, arguments::secret_from_stdin, remote};
use crate::config::Config;

/// How often a drain is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// A request that was just let in may not be counted yet, so that nothing in flight is believed when it was seen so often.
const LOOKS: u32 = 3;

#[derive(Subcommand)]
pub enum Backend {
    /// Add a backend; it is stored without being reached.
    Add {
        #[arg(long)]
        name: String,
        /// For example http://127.0.0.1:11434
        #[arg(long)]
        url: String,
        /// Read the backend's bearer token from standard input.
        #[arg(long)]
        token_stdin: bool,
        #[command(flatten)]
        share: ShareOptions,
        #[command(flatten)]
        timeouts: TimeoutOptions,
    },
    /// Change a backend; what is not named stays.
    Edit {
        /// Name or id.
        backend: String,
        /// Another name.
        #[arg(long)]
        name: Option<String>,
        /// Another address; a stored token has to be given again with it.
        #[arg(long)]
        url: Option<String>,
        /// Read another bearer token from standard input.
        #[arg(long, conflicts_with = "forget_token")]
        token_stdin: bool,
        /// Forget the stored bearer token.
        #[arg(long)]
        forget_token: bool,
        #[command(flatten)]
        share: ShareOptions,
        #[command(flatten)]
        timeouts: TimeoutOptions,
    },
    /// List backends.
    List,
    /// Send requests to it again.
    Enable {
        /// Name or id.
        backend: String,
    },
    /// Send it no more requests.
    Disable {
        /// Name or id.
        backend: String,
    },
    /// Let it finish what it has and send it nothing new, until `undrain`; a restart does not change that.
    Drain(DrainArguments),
    /// Send requests to a drained backend again.
    Undrain {
        /// Name or id.
        backend: String,
    },
    /// Forget it.
    Remove {
        /// Name or id.
        backend: String,
    },
}

#[derive(Args)]
pub struct DrainArguments {
    /// Name or id.
    backend: String,
    /// Return when nothing of this gateway is in flight there any more.
    #[arg(long)]
    wait: bool,
    /// Longest wait in seconds; then it stays drained and the exit code is 1.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "wait")]
    timeout: u64,
}

/// How much of the work it gets.
#[derive(Args, Default)]
pub struct ShareOptions {
    /// Most requests at once, or `auto` to learn it from the backend.
    #[arg(long, value_name = "N|auto", allow_hyphen_values = true)]
    parallel: Option<String>,
    /// Its share of the work beside others, 1 to 100.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    weight: Option<String>,
    /// Backends of a higher priority are used first, 0 to 100.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    priority: Option<String>,
}

/// How long it is waited for; without one, what the settings say.
#[derive(Args, Default)]
pub struct TimeoutOptions {
    /// Longest wait for a connection in seconds, 1 to 60, or `default`.
    #[arg(long, value_name = "SECONDS|default", allow_hyphen_values = true)]
    connect_timeout: Option<String>,
    /// Longest wait for the first byte of an answer in seconds, 1 to 86400, or `default`. A cold model takes minutes.
    #[arg(long, value_name = "SECONDS|default", allow_hyphen_values = true)]
    first_byte_timeout: Option<String>,
    /// Longest silence within an answer in seconds, 1 to 86400, or `default`.
    #[arg(long, value_name = "SECONDS|default", allow_hyphen_values = true)]
    stall_timeout: Option<String>,
}

impl From<TimeoutOptions> for TimeoutsEdit {
    fn from(options: TimeoutOptions) -> Self {
        Self {
            connect_timeout_s: options.connect_timeout,
            first_byte_timeout_s: options.first_byte_timeout,
            stall_timeout_s: options.stall_timeout,
        }
    }
}

impl From<ShareOptions> for ShareEdit {
    fn from(options: ShareOptions) -> Self {
        Self { parallel: options.parallel, weight: options.weight, priority: options.priority }
    }
}

impl Backend {
    pub fn into_command(self) -> Result<Command, Failure> {
        let token = |read: bool| read.then(|| secret_from_stdin("token")).transpose();
        Ok(match self {
            Self::Add { name, url, token_stdin, share, timeouts } => Command::BackendAdd {
                name,
                url,
                token: token(token_stdin)?,
                share: share.into(),
                timeouts: timeouts.into(),
            },
            Self::Edit { backend, name, url, token_stdin, forget_token, share, timeouts } => {
                let token = token(token_stdin)?;
                let (share, timeouts) = (share.into(), timeouts.into());
                Command::BackendEdit { backend, name, url, token, forget_token, share, timeouts }
            }
            Self::List => Command::BackendList,
            Self::Enable { backend } => Command::BackendSetEnabled { backend, enabled: true },
            Self::Disable { backend } => Command::BackendSetEnabled { backend, enabled: false },
            Self::Drain(DrainArguments { backend, .. }) => Command::BackendSetDraining { backend, draining: true },
            Self::Undrain { backend } => Command::BackendSetDraining { backend, draining: false },
            Self::Remove { backend } => Command::BackendRemove { backend },
        })
    }
}

/// Drains it and waits until it has nothing left; the answer is its row then.
pub fn drain(config: &Config, arguments: DrainArguments) -> Result<Reply, Failure> {
    let DrainArguments { backend, wait, timeout } = arguments;
    let first = Command::BackendSetDraining { backend, draining: true };
    if !wait {
        return remote::ask(config, first);
    }
    let deadline = Instant::now().checked_add(Duration::from_secs(timeout));
    let (mut id, mut idle, mut done) = (None, 0, None);
    remote::ask_on(config, first, |reply| {
        let Reply::Backends(rows) = reply else {
            return Err(Failure::new("the running server answered something else"));
        };
        let wanted = id.clone();
        let row = rows.into_iter().find(|row| wanted.as_ref().is_none_or(|id| row.id == *id));
        let row = row.ok_or_else(|| Failure::new("the backend was removed meanwhile"))?;
        id = Some(row.id.clone());
        idle = if row.in_flight == 0 { idle + 1 } else { 0 };
        if !row.draining {
            return Err(Failure::new(format_args!("{} was taken back meanwhile", row.name)));
        }
        if idle >= LOOKS {
            done = Some(row);
            return Ok(None);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Failure::new(left(&row)));
        }
        thread::sleep(LOOK);
        Ok(Some(Command::BackendList))
    })?;
    let row = done.ok_or_else(|| Failure::new("no answer came: look whether the change was made"))?;
    Ok(Reply::Backends(vec![row]))
}

fn left(row: &BackendView) -> String {
    let requests = if row.in_flight == 1 { "1 request".to_owned() } else { format!("{} requests", row.in_flight) };
    format!(
        "{} still has {requests} in flight; it gets nothing new: wait again, or `ollama-fortress backend undrain` takes it back",
        row.name
    )
}
