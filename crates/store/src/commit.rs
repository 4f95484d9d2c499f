//! Writing the configuration: a list of [`Op`]s as one transaction of constant text, guarded by the revision.

use surrealdb::types::{SurrealValue, Value, Variables};

use crate::{
    StoreError,
    audit::{self, AuditRecord},
    engine::Handle,
    migrate,
    record::{AdminRecord, AliasRecord, BackendRecord, KeyRecord, SessionRecord, SettingRecord, UserRecord, to_hex},
    row::Op,
};

/// Table names and keys come as parameters like every value. A newer gateway may have changed the schema of a shared database
/// since this one opened it: whole rows written by this one would lose what it does not know.
const COMMIT: &str = "BEGIN TRANSACTION;
LET $state = SELECT schema, revision FROM ONLY meta:state;
IF $state.schema > $schema { THROW 'fortress:newer ' + <string> $state.schema };
IF $state.revision != $expected { THROW 'fortress:stale' };
FOR $op IN $ops {
    LET $record = type::record($op.table, $op.key);
    IF $op.row = NONE { DELETE $record } ELSE { UPSERT $record CONTENT $op.row };
};
IF $next != $expected { UPDATE meta:state SET revision = $next };
COMMIT TRANSACTION;";

/// Writes what is there already. A user of a server who may only read gets no error for a write: it just does not happen.
const PROBE: &str = "RETURN array::len((UPDATE meta:state SET revision = revision))";

/// Another gateway may write at the same moment.
const PROBES: usize = 8;

/// Refuses a database whose user may only read it.
pub(crate) async fn check_allowed(handle: &Handle) -> Result<(), StoreError> {
    for _ in 0..PROBES {
        match handle.one::<u64>(PROBE, Variables::new()).await {
            Ok(Some(0)) => break,
            Err(StoreError::Stale) => {}
            done => return done.map(drop),
        }
    }
    Err(StoreError::other(
        "the user in DATABASE_URL may only read the database: give it the role EDITOR or OWNER there",
    ))
}

#[derive(SurrealValue)]
struct Write {
    table: String,
    key: Value,
    row: Option<Value>,
}

/// Returns the revision after the commit.
pub(crate) async fn run(handle: &Handle, expected: u64, ops: Vec<Op>) -> Result<u64, StoreError> {
    // Sessions come and go with every sign-in, and the audit log only tells: nothing the gateway's snapshot holds depends
    // on them.
    let counts = ops.iter().any(|op| !matches!(op, Op::PutSession(_) | Op::DeleteSession(_) | Op::Audit(_)));
    let next = if counts { expected + 1 } else { expected };
    let mut parameters = Variables::new();
    parameters.insert("schema", migrate::SCHEMA);
    parameters.insert("expected", expected);
    parameters.insert("next", next);
    parameters.insert("ops", ops.into_iter().map(write).collect::<Vec<_>>());
    handle.run(COMMIT, parameters).await?;
    Ok(next)
}

fn write(op: Op) -> Write {
    match op {
        Op::PutAdmin(row) => put("admin", row.id.clone().into(), AdminRecord::from(row)),
        Op::DeleteAdmin(id) => delete("admin", id.into()),
        Op::PutSession(row) => put("session", to_hex(&row.token_hash), SessionRecord::from(row)),
        Op::DeleteSession(digest) => delete("session", to_hex(&digest)),
        Op::PutBackend(row) => put("backend", row.id.clone().into(), BackendRecord::from(row)),
        Op::DeleteBackend(id) => delete("backend", id.into()),
        Op::PutUser(row) => put("user", row.id.clone().into(), UserRecord::from(row)),
        Op::PutKey(row) => put("key", row.id.clone().into(), KeyRecord::from(row)),
        Op::PutAlias(row) => put("alias", row.name.clone(), AliasRecord::from(row)),
        Op::DeleteAlias(name) => delete("alias", name),
        Op::PutSetting(name, text) => put("setting", name, SettingRecord { text }),
        Op::DeleteSetting(name) => delete("setting", name),
        Op::Audit(entry) => Write {
            table: "audit".to_owned(),
            key: audit::key(&entry),
            row: Some(AuditRecord::from(entry).into_value()),
        },
    }
}

fn put(table: &str, key: String, row: impl SurrealValue) -> Write {
    Write { table: table.to_owned(), key: key.into_value(), row: Some(row.into_value()) }
}

fn delete(table: &str, key: String) -> Write {
    Write { table: table.to_owned(), key: key.into_value(), row: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Place;

    /// Two gateways on one database, of which only the other one is upgraded.
    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_written_into_a_schema_that_is_newer_than_this_program() {
        let handle = Handle::open(&Place::Memory).await.unwrap();
        migrate::run(&handle).await.unwrap();
        let put = || vec![Op::PutSetting("a".into(), "b".into())];
        assert_eq!(run(&handle, 0, put()).await.unwrap(), 1);
        let newer = migrate::SCHEMA + 1;
        let mut upgraded = Variables::new();
        upgraded.insert("schema", newer);
        handle.run("UPDATE meta:state SET schema = $schema", upgraded).await.unwrap();
        let refused = run(&handle, 1, vec![Op::DeleteSetting("a".into())]).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::Newer { found, known } if (found, known) == (newer, migrate::SCHEMA)),
            "{refused:?}"
        );
        let left = handle.one::<u64>("RETURN array::len((SELECT * FROM setting))", Variables::new()).await.unwrap();
        assert_eq!(left, Some(1));
    }
}
