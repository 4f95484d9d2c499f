//! A database of a newer program is refused and left as it is.

use store::{Store, StoreError, row::Op};
use surrealdb::engine::any;

use crate::support::{folder_config, until_closed, user};

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused_and_the_data_stays() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder_config(folder.path());
    let store = Store::open(&config).await.unwrap();
    store.commit(0, vec![Op::PutUser(user(1))]).await.unwrap();
    store.close().await.unwrap();

    set_schema(folder.path(), 4711).await;
    for _ in 0..2 {
        let refused = Store::open(&config).await.err();
        assert!(matches!(refused, Some(StoreError::Newer { found: 4711, .. })), "{refused:?}");
    }
    // Whatever this program writes.
    set_schema(folder.path(), 4).await;
    let store = Store::open(&config).await.unwrap();
    assert_eq!(store.load().await.unwrap().users, [user(1)]);
    store.close().await.unwrap();
}

/// Through the engine itself, as a newer program would have done.
async fn set_schema(folder: &std::path::Path, schema: u64) {
    let db = any::connect(format!("surrealkv://{}?sync=every", folder.join("db").display())).await.unwrap();
    db.use_ns("fortress").use_db("fortress").await.unwrap();
    db.query("UPDATE meta:state SET schema = $schema").bind(("schema", schema)).await.unwrap().check().unwrap();
    drop(db);
    until_closed(folder);
}
