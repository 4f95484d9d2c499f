//! The handle on SurrealDB: connecting, running statements with bound parameters, closing. What the statements say is
//! the business of the other modules.
//!
//! A database in a folder is not opened through `engine::any`: of the parameters of an address only the `datastore_*`
//! ones reach the engine, and without the others its memtable and block cache grow with the memory of the machine. The
//! builder below is the same path `engine::any` takes, with those bounds added.

mod view;

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use surrealdb::{
    IndexedResults, Surreal,
    engine::{
        any::{self, Any},
        local::Db,
    },
    opt::{Config, capabilities::Capabilities},
    types::{SurrealValue, Variables},
};
use surrealdb_cnf::ConfigMap;
use surrealdb_engine_local::{Datastore, EngineOptions};

use crate::{
    StoreError,
    address::{Engine, NAME, Place},
    remote::Remote,
};

pub(crate) use view::View;

/// Writes are collected in memory up to this size before they become a table; replaying them is what a start costs.
const MEMTABLE_BYTES: usize = 32 << 20;
const BLOCK_CACHE_BYTES: u64 = 64 << 20;
/// How long `close` waits for the engine to let its files go; a flush of the memtable takes well under a second.
const CLOSE_PATIENCE: Duration = Duration::from_secs(30);
/// How long the engine may take to sign in to its own files once they are open. It tries again for two minutes where a
/// table cannot be read, and says nothing meanwhile.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// The engine's housekeeping looks after clusters, change feeds and live queries. None is in use, and each look costs
/// a write or a wake-up.
const HOUSEKEEPING: Duration = Duration::from_secs(3600);

pub(crate) enum Handle {
    Folder { db: Surreal<Db>, datastore: Weak<Datastore> },
    Memory(Surreal<Any>),
    Server(Remote),
}

impl Handle {
    pub(crate) async fn open(place: &Place) -> Result<Self, StoreError> {
        // The engine looks at the machine through `sysinfo`, which else keeps a file of every process and thread of the
        // machine open, up to half of what this process may open.
        sysinfo::set_open_files_limit(0);
        let handle = match place {
            Place::Memory => {
                let config = Config::new().capabilities(capabilities());
                let db = any::connect(("mem://", config)).await.map_err(|error| StoreError::other(error.message()))?;
                Self::Memory(db)
            }
            Place::Folder { engine, path } => guarded(open_folder(*engine, path)).await??,
            // It goes to its database with every connection it makes.
            Place::Server(server) => Self::Server(Remote::open(server).await?),
        };
        match &handle {
            Self::Folder { db, .. } => guarded(enter(db)).await?,
            Self::Memory(db) => guarded(enter(db)).await?,
            Self::Server(_) => Ok(()),
        }
        .map_err(fault)?;
        Ok(handle)
    }

    pub(crate) fn is_remote(&self) -> bool {
        matches!(self, Self::Server(_))
    }

    /// Runs constant text with `parameters`; several statements are one transaction only if the text says so.
    pub(crate) async fn run(&self, text: &'static str, parameters: Variables) -> Result<IndexedResults, StoreError> {
        let answer = match self {
            Self::Folder { db, .. } => guarded(db.query(text).bind(parameters).into_future()).await?,
            Self::Memory(db) => guarded(db.query(text).bind(parameters).into_future()).await?,
            Self::Server(remote) => remote.run(text, parameters).await?,
        };
        let mut results = answer.map_err(fault)?;
        // When a transaction fails, every statement in it does; only one of them says why.
        let mut errors = results.take_errors().into_iter().collect::<Vec<_>>();
        errors.sort_by_key(|(index, error)| (is_echo(error), *index));
        match errors.into_iter().next() {
            Some((_, error)) => Err(fault(error)),
            None => Ok(results),
        }
    }

    /// The rows that the only statement of `text` selects.
    pub(crate) async fn all<T: SurrealValue>(
        &self,
        text: &'static str,
        parameters: Variables,
    ) -> Result<Vec<T>, StoreError> {
        let mut answer = self.run(text, parameters).await?;
        answer.take(0).map_err(|error| StoreError::corrupt(error.message()))
    }

    /// The value that the only statement of `text` returns, if there is one.
    pub(crate) async fn one<T: SurrealValue>(
        &self,
        text: &'static str,
        parameters: Variables,
    ) -> Result<Option<T>, StoreError> {
        let mut answer = self.run(text, parameters).await?;
        answer.take(0).map_err(|error| StoreError::corrupt(error.message()))
    }

    /// Lets go of the engine and waits until it has really closed: dropping the last handle only asks it to.
    pub(crate) async fn close(self) -> Result<(), StoreError> {
        let Self::Folder { db, datastore } = self else { return Ok(()) };
        drop(db);
        let start = Instant::now();
        // The engine's own task holds the datastore until its files are closed and its lock is free.
        while datastore.strong_count() > 0 {
            if start.elapsed() > CLOSE_PATIENCE {
                return Err(StoreError::other("the database does not close"));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

/// A panic inside the engine becomes an error of the call that met it.
async fn guarded<T>(future: impl Future<Output = T>) -> Result<T, StoreError> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("it gave no reason");
        StoreError::corrupt(format_args!("the engine broke down: {text}"))
    })
}

async fn open_folder(engine: Engine, path: &std::path::Path) -> Result<Handle, StoreError> {
    let Some(path) = path.to_str() else {
        return Err(StoreError::other("the path of the database is not UTF-8"));
    };
    let housekeeping = EngineOptions {
        node_membership_refresh_interval: HOUSEKEEPING,
        node_membership_check_interval: HOUSEKEEPING,
        node_membership_cleanup_interval: HOUSEKEEPING,
        changefeed_gc_interval: HOUSEKEEPING,
        index_build_resume_interval: HOUSEKEEPING,
        event_processing_interval: HOUSEKEEPING,
        graph_fold_interval: HOUSEKEEPING,
        live_query_router_interval: HOUSEKEEPING,
        rpc_session_gc_interval: HOUSEKEEPING,
        system_metrics_refresh_interval: HOUSEKEEPING,
        ..EngineOptions::default()
    };
    let bounds = ConfigMap::empty()
        .with_key_value("datastore_sync", "every")
        .with_key_value("surrealkv_max_memtable_size", MEMTABLE_BYTES.to_string())
        .with_key_value("surrealkv_block_cache_capacity", BLOCK_CACHE_BYTES.to_string())
        .with_key_value("rocksdb_block_cache_size", BLOCK_CACHE_BYTES.to_string());
    let address = format!("{}://{path}", engine.scheme());
    let opening = |error: &dyn std::fmt::Display| StoreError::opening(&format!("{error:#}"));
    // The order is the one of the engine's own `connect`: its tasks write, and may not do so before the version of the
    // files is settled.
    let datastore = Datastore::builder()
        .with_engine_options(housekeeping)
        .with_capabilities(capabilities().into())
        .with_auth(false)
        .with_config(bounds)
        .without_maintenance_tasks()
        .build_with_path(&address)
        .await
        .map_err(|error| opening(&error))?;
    let weak = Arc::downgrade(&datastore);
    let started = async {
        datastore.check_version().await.map_err(|error| opening(&error))?;
        datastore.bootstrap().await.map_err(|error| opening(&error))
    };
    let started = tokio::time::timeout(START_PATIENCE, started)
        .await
        .unwrap_or_else(|_| Err(StoreError::corrupt("its tables cannot be read")));
    if let Err(error) = started {
        let _ = tokio::time::timeout(START_PATIENCE, datastore.shutdown()).await;
        return Err(error);
    }
    datastore.start_maintenance_tasks();
    let db =
        Surreal::<Db>::unstable_from_datastore(datastore, None).await.map_err(|error| opening(&error.message()))?;
    Ok(Handle::Folder { db, datastore: weak })
}

/// Makes our namespace and our database where they are not there yet, and goes there.
async fn enter<C: surrealdb::Connection>(db: &Surreal<C>) -> Result<(), surrealdb::Error> {
    // A parameter cannot stand for these names, and they are constants.
    db.query("DEFINE NAMESPACE IF NOT EXISTS fortress").await?.check()?;
    db.use_ns(NAME).await?;
    db.query("DEFINE DATABASE IF NOT EXISTS fortress").await?.check()?;
    db.use_ns(NAME).use_db(NAME).await?;
    Ok(())
}

/// Our statements call functions of the language itself; scripts, the network and guests are nobody's business here.
fn capabilities() -> Capabilities {
    Capabilities::none().with_all_functions_allowed().with_guest_access(false)
}

fn is_echo(error: &surrealdb::Error) -> bool {
    use surrealdb::types::QueryError;
    matches!(error.query_details(), Some(QueryError::NotExecuted | QueryError::Cancelled))
}

/// The texts of `THROW` in our own transactions.
pub(crate) const STALE: &str = "fortress:stale";
/// With the schema that was found.
const NEWER: &str = "fortress:newer ";

fn fault(error: surrealdb::Error) -> StoreError {
    use surrealdb::types::QueryError;
    if error.is_thrown() && error.message().contains(STALE)
        || matches!(error.query_details(), Some(QueryError::TransactionConflict))
    {
        return StoreError::Stale;
    }
    if error.is_connection() {
        return StoreError::unreachable(error.message());
    }
    if error.is_thrown()
        && let Some((_, found)) = error.message().split_once(NEWER)
    {
        let digits = found.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
        return StoreError::Newer { found: digits.parse().unwrap_or_default(), known: crate::migrate::SCHEMA };
    }
    StoreError::running(error.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T34.
    #[tokio::test(flavor = "multi_thread")]
    async fn statements_cannot_reach_the_network_or_run_scripts() {
        let handle = Handle::open(&Place::Memory).await.unwrap();
        let calls = ["RETURN http::get('http://127.0.0.1:1')", "RETURN function() { return 1 }"];
        for text in calls {
            assert!(handle.run(text, Variables::new()).await.is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_panic_inside_the_engine_is_an_error() {
        let fault = guarded(async { panic!("slot {} is empty", 3) }).await.unwrap_err();
        assert!(matches!(fault, StoreError::Corrupt { detail } if detail.contains("slot 3 is empty")));
    }
}
