//! A server that goes away and comes back.

use store::{Store, StoreConfig, StoreError, row::Op};

use crate::{server::SurrealServer, support::user, usage::record};

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_everything_works_again_and_what_was_refused_never_happens() {
    let mut server = SurrealServer::start();
    let store = Store::open(&StoreConfig { address: server.url("/team/gate") }).await.unwrap();
    assert_eq!(store.commit(0, vec![Op::PutUser(user(1))]).await.unwrap(), 1);
    store.append_usage(&[record(1, 1)]).await.unwrap();
    for outage in 1..4 {
        server.kill();
        for _ in 0..2 {
            let refused = store.commit(outage, vec![Op::PutUser(user(100 + outage))]).await;
            assert!(matches!(refused, Err(StoreError::Unreachable { .. })), "{refused:?}");
            assert!(matches!(store.load().await.err(), Some(StoreError::Unreachable { .. })));
            assert!(store.append_usage(&[record(outage, outage)]).await.is_err());
        }
        server.start_again();
        // Had a refused commit been sent after all, this one's revision would be old.
        assert_eq!(store.commit(outage, vec![Op::PutUser(user(1 + outage))]).await.unwrap(), outage + 1);
        assert_eq!(store.load().await.unwrap().users, (1..outage + 2).map(user).collect::<Vec<_>>());
        store.append_usage(&[record(1_000 + outage, outage)]).await.unwrap();
        assert_eq!(store.usage(0, u64::MAX, usize::MAX).await.unwrap().len() as u64, outage + 1);
    }
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_nobody_noticed_is_no_fault() {
    let mut server = SurrealServer::start();
    let store = Store::open(&StoreConfig { address: server.url("") }).await.unwrap();
    for revision in 0..3 {
        assert_eq!(store.commit(revision, vec![Op::PutUser(user(revision))]).await.unwrap(), revision + 1);
        server.kill();
        server.start_again();
    }
    assert_eq!(store.load().await.unwrap().users.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_can_be_closed_while_its_server_is_away() {
    let mut server = SurrealServer::start();
    let store = Store::open(&StoreConfig { address: server.url("") }).await.unwrap();
    server.kill();
    store.close().await.unwrap();
}
