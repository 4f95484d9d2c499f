//! What stands in the way of opening the engine anew, one after the other, and what is still there afterwards.

use std::{
    fs::{self, File},
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use domain::id::UserId;

use super::*;
use crate::{
    StoreConfig,
    row::{Op, UserRow},
};

// The engine's futures are large where nothing is optimised: these keep them off the stack.
async fn open(folder: &Path) -> Store {
    let config = StoreConfig { address: format!("surrealkv://{}", folder.join("db").display()) };
    Box::pin(Store::open(&config)).await.unwrap()
}

async fn recover(store: &Store) -> Result<bool, StoreError> {
    Box::pin(store.recover()).await
}

async fn commit(store: &Store, revision: u64, number: u64) -> Result<u64, StoreError> {
    Box::pin(store.commit(revision, put(number))).await
}

async fn load(store: &Store) -> Result<usize, StoreError> {
    Box::pin(store.load()).await.map(|state| state.users.len())
}

fn put(number: u64) -> Vec<Op> {
    let id = UserId::new(&format!("{number:012}")).unwrap();
    let name = format!("user {number}");
    let (policy, remarks) = Default::default();
    vec![Op::PutUser(UserRow { id, name, enabled: true, created_at: 1, removed_at: None, policy, remarks })]
}

/// As a refused write does it.
async fn refuse(store: &Store) {
    let _turn = store.0.writes.lock().await;
    let refused = store.noting_full::<()>(Err(StoreError::Full { detail: "a disk that was full".into() }));
    assert!(refused.is_err());
}

async fn users(store: &Store) -> usize {
    load(store).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_again_is_said_and_open_once_that_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    let store = open(folder.path()).await;
    assert_eq!(commit(&store, 0, 1).await.unwrap(), 1);
    assert!(matches!(recover(&store).await, Ok(false)), "nothing to do");
    refuse(&store).await;
    assert!(matches!(commit(&store, 1, 2).await, Err(StoreError::Full { .. })));
    assert_eq!(users(&store).await, 1, "what is there can be read");

    let is_shut = async |store: &Store| {
        assert!(store.read_only().is_some());
        for error in [load(store).await.err(), commit(store, 1, 2).await.err()] {
            assert!(error.unwrap().to_string().contains("could not be opened again"));
        }
    };
    // A file of it that is damaged, twice: it stays so until somebody does something.
    let damaged = db.join("manifest/z.manifest");
    // Of the engine's format, and cut off.
    fs::write(&damaged, [0, 1, 0]).unwrap();
    for _ in 0..2 {
        assert!(matches!(recover(&store).await, Err(StoreError::Corrupt { .. })));
        is_shut(&store).await;
    }
    // Another that holds it meanwhile.
    let other = File::open(db.join("LOCK")).unwrap();
    other.lock().unwrap();
    fs::remove_file(&damaged).unwrap();
    assert!(matches!(recover(&store).await, Err(StoreError::Locked)));
    is_shut(&store).await;
    other.unlock().unwrap();
    // A hole in an old part of its log.
    let log = ["wal/0.wal", "wal/1.wal"].map(|name| db.join(name));
    log.iter().for_each(|path| fs::write(path, [0; 99]).unwrap());
    assert!(matches!(recover(&store).await, Err(StoreError::Corrupt { .. })));
    is_shut(&store).await;
    log.iter().for_each(|path| fs::remove_file(path).unwrap());

    assert!(recover(&store).await.unwrap());
    assert_eq!((store.read_only(), users(&store).await), (None, 1));
    assert_eq!(commit(&store, 1, 2).await.unwrap(), 2);
    store.close().await.unwrap();
    let store = open(folder.path()).await;
    assert_eq!(users(&store).await, 2);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_closed_is_not_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    refuse(&store).await;
    let clone = store.clone();
    store.close().await.unwrap();
    assert!(matches!(recover(&clone).await, Ok(false)));
    assert!(load(&clone).await.err().unwrap().to_string().contains("is closed"));
    open(folder.path()).await.close().await.unwrap();
}

/// Room that comes and goes beside writers and readers: what was acknowledged is there, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_acknowledged_write_is_lost_however_often_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let done = Arc::new(AtomicBool::new(false));
    let spawn_reader = |store: Store, done: Arc<AtomicBool>| async move {
        while !done.load(Ordering::SeqCst) {
            load(&store).await.unwrap();
        }
    };
    let reader = tokio::spawn(spawn_reader(store.clone(), Arc::clone(&done)));
    let (writer, stop) = (store.clone(), Arc::clone(&done));
    let writer = tokio::spawn(async move {
        let (mut revision, mut refused) = (0, 0);
        while !stop.load(Ordering::SeqCst) {
            match commit(&writer, revision, revision).await {
                Ok(next) => revision = next,
                Err(StoreError::Full { .. }) => {
                    refused += 1;
                    tokio::task::yield_now().await;
                }
                Err(other) => panic!("{other}"),
            }
        }
        (revision, refused)
    });
    for _ in 0..5 {
        let before = store.revision().await.unwrap();
        while store.revision().await.unwrap() < before + 3 {}
        refuse(&store).await;
        // It gives way to whoever reads at the moment, and is called again.
        while !recover(&store).await.unwrap() {}
    }
    done.store(true, Ordering::SeqCst);
    reader.await.unwrap();
    let (revision, refused) = writer.await.unwrap();
    assert!(revision >= 15 && refused > 0, "{revision} {refused}");
    store.close().await.unwrap();
    let store = open(folder.path()).await;
    assert_eq!((store.revision().await.unwrap(), users(&store).await as u64), (revision, revision));
    store.close().await.unwrap();
}
