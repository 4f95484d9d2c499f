//! The configuration: what goes in comes out, all or nothing, at the right revision.

use domain::{key::KeyStatus, limit::RateLimit};
use store::{Store, StoreError, row::Op};

use crate::support::{admin, alias, backend, folder_config, fresh, key, session, user};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_is_loaded_again_oldest_first() {
    let store = fresh().await;
    assert_eq!(store.revision().await.unwrap(), 0);
    let limited = store::row::KeyRow { limit: RateLimit::new(10, 5), ..key(7) };
    let revoked = store::row::KeyRow { status: KeyStatus::Revoked, hash: None, ..key(8) };
    let plain = store::row::BackendRow { sealed_token: None, parallel: None, enabled: false, ..backend(2) };
    let removed = store::row::UserRow { removed_at: Some(9), ..user(2) };
    let ops = vec![
        Op::PutAdmin(admin(1)),
        Op::PutSession(session(3)),
        Op::PutBackend(plain.clone()),
        Op::PutBackend(backend(1)),
        Op::PutUser(user(1)),
        Op::PutUser(removed.clone()),
        Op::PutKey(limited.clone()),
        Op::PutKey(revoked.clone()),
        Op::PutAlias(alias("slow")),
        Op::PutAlias(alias("me/fast:v2")),
        Op::PutAlias(alias("gone")),
        Op::DeleteAlias("gone".to_owned()),
        Op::PutSetting("max_body_mb".to_owned(), "64; DROP 'x' $y".to_owned()),
        Op::PutSetting("gone".to_owned(), "x".to_owned()),
        Op::DeleteSetting("gone".to_owned()),
    ];
    assert_eq!(store.commit(0, ops).await.unwrap(), 1);
    let state = store.load().await.unwrap();
    assert_eq!(state.revision, 1);
    assert!(state.admins == [admin(1)]);
    assert!(state.sessions == [session(3)]);
    assert!(state.backends == [backend(1), plain]);
    assert_eq!(state.users, [user(1), removed]);
    assert!(state.keys == [limited, revoked]);
    assert_eq!(state.aliases, [alias("me/fast:v2"), alias("slow")]);
    assert_eq!(state.settings, [("max_body_mb".to_owned(), "64; DROP 'x' $y".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_commit_changes_nothing() {
    let store = fresh().await;
    store.commit(0, vec![Op::PutUser(user(1))]).await.unwrap();
    let stale = store.commit(0, vec![Op::PutUser(user(2))]).await;
    assert!(matches!(stale, Err(StoreError::Stale)), "{:?}", stale.err());
    let state = store.load().await.unwrap();
    assert_eq!((state.revision, state.users), (1, vec![user(1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_op_undoes_the_others() {
    let store = fresh().await;
    store.commit(0, vec![Op::PutBackend(backend(1))]).await.unwrap();
    let same_name = store::row::BackendRow { name: backend(1).name, ..backend(2) };
    let refused = store.commit(1, vec![Op::PutUser(user(1)), Op::PutBackend(same_name)]).await;
    assert!(matches!(refused, Err(StoreError::Other { .. })), "{:?}", refused.err());
    let state = store.load().await.unwrap();
    assert_eq!((state.revision, state.users.len(), state.backends.len()), (1, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_unique_among_those_that_live() {
    let store = fresh().await;
    let removed = store::row::UserRow { removed_at: Some(1), name: "ann".to_owned(), ..user(1) };
    let removed_too = store::row::UserRow { removed_at: Some(2), name: "ann".to_owned(), ..user(2) };
    let living = store::row::UserRow { name: "ann".to_owned(), ..user(3) };
    let ops = vec![Op::PutUser(removed), Op::PutUser(removed_too), Op::PutUser(living)];
    store.commit(0, ops).await.unwrap();
    let second = store::row::UserRow { name: "ann".to_owned(), ..user(4) };
    assert!(store.commit(1, vec![Op::PutUser(second)]).await.is_err());
    let admin2 = store::row::AdminRow { name: admin(1).name, ..admin(2) };
    assert!(store.commit(1, vec![Op::PutAdmin(admin(1)), Op::PutAdmin(admin2)]).await.is_err());
    let url2 = store::row::BackendRow { url: backend(1).url, ..backend(2) };
    assert!(store.commit(1, vec![Op::PutBackend(backend(1)), Op::PutBackend(url2)]).await.is_err());
    // A row may be put again, and a deleted one leaves its name free.
    store.commit(1, vec![Op::PutBackend(backend(1)), Op::PutBackend(backend(1))]).await.unwrap();
    let again = store::row::BackendRow { name: backend(1).name, url: backend(1).url, ..backend(2) };
    store.commit(2, vec![Op::DeleteBackend(backend(1).id), Op::PutBackend(again)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_do_not_count_the_revision_up() {
    let store = fresh().await;
    assert_eq!(store.commit(0, vec![Op::PutSession(session(1)), Op::PutSession(session(2))]).await.unwrap(), 0);
    assert_eq!(store.commit(0, vec![Op::DeleteSession([1; 32])]).await.unwrap(), 0);
    let state = store.load().await.unwrap();
    assert!(state.revision == 0 && state.sessions == [session(2)]);
    assert_eq!(store.commit(0, vec![Op::DeleteSession([2; 32]), Op::PutUser(user(1))]).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_folder_opens_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for revision in 0..20 {
        let store = Store::open(&folder_config(folder.path())).await.unwrap();
        assert_eq!(store.load().await.unwrap().users.len() as u64, revision);
        assert_eq!(store.commit(revision, vec![Op::PutUser(user(revision))]).await.unwrap(), revision + 1);
        let clone = store.clone();
        store.close().await.unwrap();
        assert!(clone.load().await.is_err());
    }
}
