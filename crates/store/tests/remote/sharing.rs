//! Several gateways on one server: one database is shared, two are apart.

use domain::usage::UsageRecord;
use store::{Store, StoreError, row::Op};

use crate::{
    support::{own_config, user},
    usage::record,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_one_gateway_writes_the_other_finds_and_never_overwrites() {
    let config = own_config();
    let one = Store::open(&config).await.unwrap();
    let two = Store::open(&config).await.unwrap();
    assert!(one.is_remote() && two.is_remote());
    assert_eq!(one.commit(0, vec![Op::PutUser(user(1)), Op::PutSetting("a".into(), "1".into())]).await.unwrap(), 1);
    assert_eq!(two.revision().await.unwrap(), 1);
    let late = two.commit(0, vec![Op::PutUser(user(2))]).await;
    assert!(matches!(late, Err(StoreError::Stale)), "{late:?}");
    assert_eq!(two.commit(1, vec![Op::PutUser(user(2))]).await.unwrap(), 2);
    let state = one.load().await.unwrap();
    assert_eq!((state.revision, state.users), (2, vec![user(1), user(2)]));
    assert_eq!(state.settings, [("a".to_owned(), "1".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_commits_at_the_same_moment_one_wins_and_the_others_know() {
    let config = own_config();
    let first = Store::open(&config).await.unwrap();
    let mut stores = vec![first];
    for _ in 0..3 {
        stores.push(Store::open(&config).await.unwrap());
    }
    for round in 0..10 {
        let tries = stores.iter().enumerate().map(|(n, store)| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(round, vec![Op::PutUser(user(round * 10 + n as u64))]).await })
        });
        let mut won = 0;
        for attempt in tries.collect::<Vec<_>>() {
            match attempt.await.unwrap() {
                Ok(revision) => {
                    assert_eq!(revision, round + 1);
                    won += 1;
                }
                Err(error) => assert!(matches!(error, StoreError::Stale), "{error}"),
            }
        }
        assert_eq!(won, 1, "round {round}");
    }
    assert_eq!(stores[0].load().await.unwrap().users.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_of_several_gateways_adds_up() {
    let config = own_config();
    let one = Store::open(&config).await.unwrap();
    let two = Store::open(&config).await.unwrap();
    let write = |store: Store, from: u64| {
        tokio::spawn(async move {
            for append in 0..10 {
                let records: Vec<UsageRecord> =
                    (0..50).map(|n| record(from + append * 50 + n, 1_000 * append + n)).collect();
                // As the gateway does it: what lost against the other is handed over again as it was.
                let mut tries = 0;
                while let Err(error) = store.append_usage(&records).await {
                    tries += 1;
                    assert!(tries < 20, "{error}");
                }
            }
        })
    };
    let writers = [write(one.clone(), 0), write(two.clone(), 100_000)];
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(one.usage(0, u64::MAX, usize::MAX).await.unwrap().len(), 1_000);
    assert_eq!(two.rollups(0, u64::MAX).await.unwrap().iter().map(|row| row.requests).sum::<u64>(), 1_000);
    assert_eq!(one.key_totals().await.unwrap().iter().map(|(_, totals)| totals.requests).sum::<u64>(), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_databases_of_one_server_know_nothing_of_each_other() {
    let (one, two) = (own_config(), own_config());
    let one = Store::open(&one).await.unwrap();
    let two = Store::open(&two).await.unwrap();
    one.commit(0, vec![Op::PutUser(user(1))]).await.unwrap();
    assert_eq!((two.revision().await.unwrap(), two.load().await.unwrap().users.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_that_start_at_the_same_moment_make_one_schema() {
    let config = own_config();
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let config = config.clone();
            tokio::spawn(async move { Store::open(&config).await })
        })
        .collect();
    for start in starts {
        assert_eq!(start.await.unwrap().unwrap().revision().await.unwrap(), 0);
    }
}
