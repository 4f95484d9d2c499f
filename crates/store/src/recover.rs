//! Writing again once a full disk has room, in the same process: the engine is closed, its log repaired and opened anew, as
//! a restart does. Reads wait meanwhile.

#[cfg(test)]
mod tests;

use std::{
    sync::{PoisonError, atomic::Ordering},
    time::Duration,
};

use crate::{
    Store, StoreError,
    address::{Engine, Place},
    engine::Handle,
    manifest, read_only, wal,
};

/// How long it waits for those who read.
const PATIENCE: Duration = Duration::from_millis(100);

impl Store {
    /// Makes a database writable again that a refused write has made read-only, if there is room. Says whether it did.
    /// After an error nothing can be read either; what was acknowledged is in the files, and trying again some time later
    /// is worth it. A copy that was opened because there was no room at the start stays one.
    pub async fn recover(&self) -> Result<bool, StoreError> {
        let Some(folder) = self.0.folder.as_deref().filter(|_| self.read_only().is_some()) else { return Ok(false) };
        if read_only::refusal(folder).is_some() {
            return Ok(false);
        }
        // Whoever reads or writes holds this: nobody is left in the old engine. A backup may hold it for minutes, and whoever
        // waited here would keep out everybody who comes later.
        let Ok(mut slot) = tokio::time::timeout(PATIENCE, self.0.handle.write()).await else { return Ok(false) };
        if self.0.closed.load(Ordering::Acquire) {
            return Ok(false);
        }
        if let Some(handle) = slot.take()
            && let Err(error) = handle.close().await
        {
            // It may still be at work on the files.
            self.0.closed.store(true, Ordering::Release);
            tracing::error!("the database did not close; it is repaired at the next start");
            return Err(error);
        }
        let refused_at = self.0.refused_at.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(end) = refused_at {
            wal::settle(folder, end)?;
        }
        manifest::check(folder)?;
        wal::prepare(folder)?;
        *slot = Some(Handle::open(&Place::Folder { engine: Engine::SurrealKv, path: folder.to_owned() }).await?);
        *self.0.refused_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.0.read_only.write().unwrap_or_else(PoisonError::into_inner) = None;
        tracing::info!("there is room on the disk again: the database is writable");
        Ok(true)
    }
}
