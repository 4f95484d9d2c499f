//! Opening store and control plane, for the server and for a command that finds no server running.

use std::{fmt, net::SocketAddr};

use control::{
    Control, ControlConfig, OpenError,
    command::{Command, Reply},
};
use domain::error::AdminError;
use gateway::Gateway;
use store::{Store, StoreConfig, StoreError};
use tokio::sync::mpsc;

use super::{files::make_data_dir, runtimes};
use crate::config::Config;

/// Why the program cannot start. One line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Other(String),
}

impl StartError {
    pub fn other(error: impl fmt::Display) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => Self::Store(error),
            other => Self::other(other),
        }
    }
}

/// What opening takes of the configuration.
pub struct Parts {
    store: StoreConfig,
    control: ControlConfig,
}

impl Parts {
    pub fn of(config: &Config) -> Self {
        Self { store: StoreConfig { address: config.database.clone() }, control: config.control() }
    }

    /// There is a database to open.
    pub fn is_there(&self) -> bool {
        self.store.is_there()
    }

    /// With the addresses that were really taken.
    pub fn listening(mut self, addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.control.listens = addresses.into_iter().collect();
        self
    }
}

/// The control plane over an open store.
pub struct Opened {
    pub control: Control,
    /// Set if the disk is full and nothing can be written: why.
    pub read_only: Option<String>,
}

/// Opens the store (read-only where the disk is full), loads everything and publishes the first snapshot. The
/// data folder must exist.
pub async fn open(parts: Parts, gateway: Gateway) -> Result<Opened, StartError> {
    let store = match Store::open(&parts.store).await {
        Err(StoreError::Full { detail }) => {
            tracing::error!(%detail, "the disk is full: starting read-only");
            Store::open_read_only(&parts.store).await?
        }
        opened => opened?,
    };
    let read_only = store.read_only();
    let control = Control::open(parts.control, store, gateway).await?;
    Ok(Opened { control, read_only })
}

/// Carries out a command on the store itself, and then every one that `each` makes of the answer before. Only a command
/// that may be the first thing ever done makes a store.
pub fn offline(
    config: &Config,
    command: Command,
    mut each: impl FnMut(Result<Reply, AdminError>) -> Option<Command>,
) -> Result<(), StartError> {
    let parts = Parts::of(config);
    if command.may_come_first() {
        make_data_dir(&config.data_dir)?;
    } else if !parts.store.is_there() {
        return Err(StartError::Other(format!(
            "there is no gateway's data in {}: run this in the folder the gateway runs in, or name its data folder, as in \
             DATA_DIR=/path/to/data",
            config.data_dir.display()
        )));
    }
    let runtime = runtimes::admin().map_err(StartError::other)?;
    let (ask, mut asked) = mpsc::channel::<Command>(1);
    let (answer, mut answers) = mpsc::channel(1);
    let work = runtime.spawn(async move {
        // Nothing is served: the gateway is only where the snapshot goes.
        let (gateway, _records) = Gateway::new(1);
        let control = open(parts, gateway).await?.control;
        while let Some(command) = asked.recv().await {
            if answer.send(control.execute(command).await).await.is_err() {
                break;
            }
        }
        Ok(control.close().await?)
    });
    let mut next = Some(command);
    while let Some(command) = next.take() {
        // A store that cannot be opened has nobody who listens; the task says why.
        if ask.blocking_send(command).is_err() {
            break;
        }
        next = answers.blocking_recv().and_then(&mut each);
    }
    drop(ask);
    let result = runtime.block_on(work).map_err(StartError::other)?;
    runtime.shutdown_background();
    result
}
