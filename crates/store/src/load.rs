//! Reading: the whole configuration in one statement, which is one consistent view.

use surrealdb::types::Variables;

use crate::{
    StoreError,
    engine::Handle,
    record::{self, Keyed, SessionRecord, StateRecord},
    row::{SessionRow, State},
};

const STATE: &str = "RETURN {
    revision: (SELECT VALUE revision FROM ONLY meta:state),
    admins: (SELECT record::id(id) AS key, $this AS row, created_at FROM admin ORDER BY created_at, key),
    sessions: (SELECT record::id(id) AS key, $this AS row, created_at FROM session ORDER BY created_at, key),
    backends: (SELECT record::id(id) AS key, $this AS row, created_at FROM backend ORDER BY created_at, key),
    users: (SELECT record::id(id) AS key, $this AS row, created_at FROM user ORDER BY created_at, key),
    keys: (SELECT record::id(id) AS key, $this AS row, created_at FROM key ORDER BY created_at, key),
    aliases: (SELECT record::id(id) AS key, $this AS row FROM alias ORDER BY key),
    settings: (SELECT record::id(id) AS key, $this AS row FROM setting ORDER BY key)
}";

const SESSIONS: &str = "SELECT record::id(id) AS key, $this AS row, created_at FROM session ORDER BY created_at, key";

const REVISION: &str = "RETURN (SELECT VALUE revision FROM ONLY meta:state)";

pub(crate) async fn state(handle: &Handle) -> Result<State, StoreError> {
    let record: Option<StateRecord> = handle.one(STATE, Variables::new()).await?;
    record.ok_or_else(|| StoreError::corrupt("it holds no state"))?.try_into()
}

/// Sessions do not count the revision up, so they are asked for by themselves.
pub(crate) async fn sessions(handle: &Handle) -> Result<Vec<SessionRow>, StoreError> {
    let rows: Vec<Keyed<SessionRecord>> = handle.all(SESSIONS, Variables::new()).await?;
    record::sessions(rows)
}

pub(crate) async fn revision(handle: &Handle) -> Result<u64, StoreError> {
    let revision: Option<u64> = handle.one(REVISION, Variables::new()).await?;
    revision.ok_or_else(|| StoreError::corrupt("it holds no revision"))
}
