//! The schema's versions and the way from one to the next. Each step is one transaction that also counts the version
//! up, so a kill between two leaves a database the next start goes on with.

use surrealdb::types::Variables;

use crate::{StoreError, engine::Handle};

/// Wraps a file into the transaction that counts the version from `$from` to `$to`.
macro_rules! step {
    ($file:literal) => {
        concat!(
            "BEGIN TRANSACTION;\n",
            "IF (SELECT VALUE schema FROM ONLY meta:state) != $from { THROW 'fortress:stale' };\n",
            include_str!($file),
            "\nUPDATE meta:state SET schema = $to;\nCOMMIT TRANSACTION;"
        )
    };
}

/// The steps, oldest first; step n makes schema n. A released step is never changed: add the next one.
const STEPS: &[Step] = &[
    Step { text: step!("migrations/0001_start.surql") },
    Step { text: step!("migrations/0002_policies.surql") },
    Step { text: step!("migrations/0003_doors.surql") },
    Step { text: step!("migrations/0004_balance.surql") },
    Step { text: step!("migrations/0005_blocks.surql") },
    Step { text: step!("migrations/0006_timeouts.surql") },
    Step { text: step!("migrations/0007_labels.surql") },
    Step { text: step!("migrations/0008_aliases.surql") },
];

/// Steps that may be lost to another gateway, and the looks before the first and after the last.
const RACES: usize = 8;

/// The schema this program works with.
pub(crate) const SCHEMA: u64 = STEPS.len() as u64;

struct Step {
    text: &'static str,
}

/// The one row everything hangs on; made before there is a schema.
const META: &str = "BEGIN TRANSACTION;
DEFINE TABLE IF NOT EXISTS meta SCHEMAFULL;
DEFINE FIELD IF NOT EXISTS schema ON meta TYPE int;
DEFINE FIELD IF NOT EXISTS revision ON meta TYPE int;
INSERT IGNORE INTO meta { id: meta:state, schema: 0, revision: 0 };
COMMIT TRANSACTION;";

/// Brings the database up to [`SCHEMA`]; writes nothing if it is there already, and refuses a newer one.
pub(crate) async fn run(handle: &Handle) -> Result<(), StoreError> {
    to(handle, SCHEMA).await
}

/// The same up to `schema` only, which may be an older one: rows of that schema come into it before the other steps.
pub(crate) async fn to(handle: &Handle, schema: u64) -> Result<(), StoreError> {
    // Two gateways on one shared database may both want to do it: the loser of a step looks again, a few times beside the
    // steps there are to do.
    for _ in 0..STEPS.len() + RACES {
        let found = match version(handle).await? {
            Some(found) => found,
            None => match handle.run(META, Variables::new()).await {
                Ok(_) | Err(StoreError::Stale) => continue,
                Err(error) => return Err(error),
            },
        };
        if found > SCHEMA {
            return Err(StoreError::Newer { found, known: SCHEMA });
        }
        if found >= schema {
            return Ok(());
        }
        let Some(step) = usize::try_from(found).ok().and_then(|found| STEPS.get(found)) else { return Ok(()) };
        let mut parameters = Variables::new();
        parameters.insert("from", found);
        parameters.insert("to", found + 1);
        match handle.run(step.text, parameters).await {
            Ok(_) => tracing::info!(schema = found + 1, "database migrated"),
            Err(StoreError::Stale) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::other("the schema is being changed by another gateway: try again"))
}

/// `None` in a database that is empty as yet.
pub(crate) async fn version(handle: &Handle) -> Result<Option<u64>, StoreError> {
    const TABLES: &str = "RETURN object::keys((INFO FOR DB).tables)";
    const VERSION: &str = "RETURN (SELECT VALUE schema FROM ONLY meta:state)";
    let mut answer = handle.run(TABLES, Variables::new()).await?;
    let tables: Vec<String> = answer.take(0).map_err(|error| StoreError::other(error.message()))?;
    if !tables.iter().any(|table| table == "meta") {
        return Ok(None);
    }
    let mut answer = handle.run(VERSION, Variables::new()).await?;
    answer.take(0).map_err(|error| StoreError::corrupt(error.message()))
}
