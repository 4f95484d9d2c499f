//! A dump is one moment of the whole database, and makes the same database again.

use std::{collections::BTreeMap, path::Path};

use store::{
    Store, StoreConfig,
    dump::Piece,
    restore::{Restoring, known_schema},
    row::Op,
};
use tokio::sync::mpsc;

use crate::{
    support::{admin, alias, backend, folder_config, key, session, user},
    usage::record,
};

async fn dump(store: &Store, usage: bool) -> Vec<Piece> {
    let (sender, mut receiver) = mpsc::channel(4);
    let (done, pieces) = tokio::join!(store.dump(usage, sender), async {
        let mut pieces = Vec::new();
        while let Some(piece) = receiver.recv().await {
            pieces.push(piece);
        }
        pieces
    });
    done.unwrap();
    assert_eq!(pieces.last(), Some(&Piece::End));
    pieces
}

fn counts(pieces: &[Piece]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for piece in pieces {
        if let Piece::Rows(page) = piece {
            *counts.entry(page.table.clone()).or_default() += page.rows.len();
        }
    }
    counts
}

fn revision(pieces: &[Piece]) -> u64 {
    match pieces[0] {
        Piece::Head { revision, schema } => {
            assert_eq!(schema, known_schema());
            revision
        }
        _ => panic!("the head comes first"),
    }
}

async fn restored(folder: &Path, pieces: &[Piece]) -> StoreConfig {
    let config = folder_config(folder);
    let restoring = Restoring::begin(&config, "now").unwrap();
    let fresh = restoring.fresh(known_schema()).await.unwrap();
    for piece in pieces {
        if let Piece::Rows(page) = piece.clone() {
            fresh.put(page).await.unwrap();
        }
    }
    fresh.finish(revision(pieces)).await.unwrap();
    restoring.swap("now").unwrap();
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_makes_the_same_database_again_but_for_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder_config(folder.path())).await.unwrap();
    let mut ops = vec![Op::PutAdmin(admin(1)), Op::PutBackend(backend(1)), Op::PutSession(session(1))];
    ops.push(Op::PutAlias(alias("fast")));
    ops.push(Op::PutSetting("a setting".into(), "its text".into()));
    // More than fit on one page.
    ops.extend((1..=600).map(|n| Op::PutUser(user(n))));
    ops.extend((1..=600).map(|n| Op::PutKey(key(n))));
    store.commit(0, ops).await.unwrap();
    let records: Vec<_> = (1..=500).map(|n| record(n, 1_000 * n)).collect();
    for part in records.chunks(20) {
        store.append_usage(part).await.unwrap();
    }
    let pieces = dump(&store, true).await;
    let without = counts(&dump(&store, false).await);
    assert!(without.keys().all(|table| !table.starts_with("usage")), "{without:?}");
    assert_eq!((counts(&pieces)["user"], counts(&pieces)["usage_segment"]), (600, 25));
    assert!(!counts(&pieces).contains_key("session"));

    let other = tempfile::tempdir().unwrap();
    let copy = Store::open(&restored(other.path(), &pieces).await).await.unwrap();
    let (before, after) = (store.load().await.unwrap(), copy.load().await.unwrap());
    assert_eq!((after.revision, after.sessions.len()), (before.revision, 0));
    assert!(after.admins == before.admins && after.backends == before.backends);
    assert!(after.users == before.users && after.keys == before.keys && after.settings == before.settings);
    assert_eq!((&after.aliases, after.aliases.len()), (&before.aliases, 1));
    assert!(copy.usage(0, u64::MAX, 1_000).await.unwrap() == store.usage(0, u64::MAX, 1_000).await.unwrap());
    assert!(copy.rollups(0, u64::MAX).await.unwrap() == store.rollups(0, u64::MAX).await.unwrap());
    assert_eq!(copy.key_totals().await.unwrap(), store.key_totals().await.unwrap());
    copy.append_usage(&[record(9_000, 9)]).await.unwrap();
    copy.close().await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_meanwhile_is_not_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder_config(folder.path())).await.unwrap();
    store.commit(0, (1..=300).map(|n| Op::PutUser(user(n))).collect()).await.unwrap();
    // Nothing is taken before everything else was written: the reading stands at its first piece.
    let (sender, mut receiver) = mpsc::channel(1);
    let reading = tokio::spawn({
        let store = store.clone();
        async move { store.dump(true, sender).await }
    });
    let head = receiver.recv().await.unwrap();
    store.commit(1, (1..=300).map(|n| Op::PutKey(key(n))).collect()).await.unwrap();
    store.append_usage(&[record(1, 1_000)]).await.unwrap();
    let mut pieces = vec![head];
    while let Some(piece) = receiver.recv().await {
        pieces.push(piece);
    }
    reading.await.unwrap().unwrap();
    assert_eq!(revision(&pieces), 1);
    let counts = counts(&pieces);
    assert_eq!((counts["user"], counts.get("key"), counts.get("usage_segment")), (300, None, None));
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_ends_the_dump_and_the_store_closes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder_config(folder.path())).await.unwrap();
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    assert!(store.dump(true, sender).await.is_err());
    store.close().await.unwrap();
}
