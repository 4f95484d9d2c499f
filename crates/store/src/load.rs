//! Reading: the whole configuration in one statement, which is one consistent view.

use surrealdb::types::Variables;

use crate::{StoreError, engine::Handle, record::StateRecord, row::State};

const STATE: &str = "RETURN {
    revision: (SELECT VALUE revision FROM ONLY meta:state),
    admins: (SELECT record::id(id) AS key, $this AS row, created_at FROM admin ORDER BY created_at, key),
    sessions: (SELECT record::id(id) AS key, $this AS row, created_at FROM session ORDER BY created_at, key),
    backends: (SELECT record::id(id) AS key, $this AS row, created_at FROM backend ORDER BY created_at, key),
    users: (SELECT record::id(id) AS key, $this AS row, created_at FROM user ORDER BY created_at, key),
    keys: (SELECT record::id(id) AS key, $this AS row, created_at FROM key ORDER BY created_at, key),
    settings: (SELECT record::id(id) AS key, $this AS row FROM setting ORDER BY key)
}";

const REVISION: &str = "RETURN (SELECT VALUE revision FROM ONLY meta:state)";

pub(crate) async fn state(handle: &Handle) -> Result<State, StoreError> {
    let record: Option<StateRecord> = first(handle, STATE).await?;
    record.ok_or_else(|| StoreError::corrupt("it holds no state"))?.try_into()
}

pub(crate) async fn revision(handle: &Handle) -> Result<u64, StoreError> {
    let revision: Option<u64> = first(handle, REVISION).await?;
    revision.ok_or_else(|| StoreError::corrupt("it holds no revision"))
}

async fn first<T: surrealdb::types::SurrealValue>(
    handle: &Handle,
    text: &'static str,
) -> Result<Option<T>, StoreError> {
    let mut answer = handle.run(text, Variables::new()).await?;
    answer.take(0).map_err(|error| StoreError::corrupt(error.message()))
}
