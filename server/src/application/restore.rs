//! Backups without a running server: made of the database itself, and restored into it.

use control::{
    ControlConfig,
    backup::{Backup, BackupSummary},
    restore::{RestoreError, RestoreReport, check_restore, restore},
};
use domain::error::AdminError;
use gateway::Gateway;
use store::StoreConfig;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::{
    StartError,
    files::{DataDirLock, make_data_dir},
    open::{Parts, open},
    runtimes,
};
use crate::config::Config;

/// Pieces that wait for being written.
const AHEAD: usize = 4;

/// Makes a backup of a stopped gateway; `take` gets its bytes in order, and an error of its own ends the work.
pub fn offline_backup<E: Send + 'static>(
    config: &Config,
    passphrase: Zeroizing<String>,
    usage: bool,
    mut take: impl FnMut(Vec<u8>) -> Result<(), E>,
) -> Result<Result<Result<BackupSummary, AdminError>, E>, StartError> {
    let parts = Parts::of(config);
    if !parts.is_there() {
        return Err(StartError::Other(format!(
            "there is no gateway's data in {}: run this in the folder the gateway runs in, or name its data folder, as in \
             DATA_DIR=/path/to/data",
            config.data_dir.display()
        )));
    }
    let runtime = runtimes::admin().map_err(StartError::other)?;
    let (sender, mut pieces) = mpsc::channel(AHEAD);
    let work = runtime.spawn(async move {
        let (gateway, _records) = Gateway::new(1);
        let control = open(parts, gateway).await?.control;
        let made = control.backup_by_command(passphrase, usage, sender).await;
        control.close().await?;
        Ok::<_, StartError>(made)
    });
    let mut taken = Ok(());
    while let Some(piece) = pieces.blocking_recv() {
        taken = take(piece);
        if taken.is_err() {
            break;
        }
    }
    drop(pieces);
    let made = runtime.block_on(work).map_err(StartError::other)?;
    runtime.shutdown_background();
    let made = made?;
    Ok(taken.map(|()| made))
}

/// The right to restore: no gateway runs on the data folder, and none starts while this lives.
pub struct Stopped {
    config: ControlConfig,
    store: StoreConfig,
    _lock: DataDirLock,
}

impl Stopped {
    /// Looks first whether `backup` can be restored with this configuration at all.
    pub fn take(config: &Config, backup: &Backup) -> Result<Self, RestoreError> {
        let (control, store) = (config.control(), StoreConfig { address: config.database.clone() });
        check_restore(&control, &store, backup)?;
        let other = |error: StartError| RestoreError::Other(error.to_string());
        make_data_dir(&config.data_dir).map_err(other)?;
        let lock = DataDirLock::take(&config.data_dir).map_err(|error| {
            RestoreError::Other(format!("{error}. A backup is restored while no gateway runs on the folder"))
        })?;
        Ok(Self { config: control, store, _lock: lock })
    }

    /// There is a database that the restored one takes the place of.
    pub fn has_database(&self) -> bool {
        self.store.is_there()
    }

    pub fn restore(self, backup: Backup) -> Result<RestoreReport, RestoreError> {
        let runtime = runtimes::admin().map_err(|error| RestoreError::Other(error.to_string()))?;
        let work = runtime.spawn(async move { restore(&self.config, &self.store, &backup).await });
        let report = runtime.block_on(work).map_err(|error| RestoreError::Other(error.to_string()))?;
        runtime.shutdown_background();
        report
    }
}
