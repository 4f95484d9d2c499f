//! Where nothing can be written the configuration can still be had, and nothing is changed.

use store::{Store, StoreError, row::Op};

use crate::{
    support::{folder_config, key, user},
    usage::record,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_copy_loads_everything_and_refuses_every_write() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder_config(folder.path());
    let store = Store::open(&config).await.unwrap();
    assert_eq!(store.read_only(), None);
    store.commit(0, vec![Op::PutUser(user(1)), Op::PutKey(key(1))]).await.unwrap();
    store.append_usage(&[record(1, 1)]).await.unwrap();
    store.close().await.unwrap();

    let store = Store::open_read_only(&config).await.unwrap();
    assert!(store.read_only().is_some());
    let state = store.load().await.unwrap();
    assert!(state.revision == 1 && state.users == [user(1)] && state.keys == [key(1)]);
    assert_eq!(store.usage(0, u64::MAX, 10).await.unwrap(), [record(1, 1)]);
    assert!(matches!(store.commit(1, vec![Op::PutUser(user(2))]).await, Err(StoreError::Full { .. })));
    assert!(matches!(store.append_usage(&[record(2, 2)]).await, Err(StoreError::Full { .. })));
    assert!(matches!(Store::open(&config).await, Err(StoreError::Locked)), "the folder stays ours");
    store.close().await.unwrap();

    let store = Store::open(&config).await.unwrap();
    assert_eq!(store.revision().await.unwrap(), 1);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_there_is_nothing_to_copy() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Store::open_read_only(&folder_config(folder.path())).await.err();
    assert!(matches!(refused, Some(StoreError::Full { .. })), "{refused:?}");
}
