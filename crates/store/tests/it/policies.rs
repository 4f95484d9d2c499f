//! Policies in the database, and a database from before there were any.

use domain::{
    policy::{Policy, PolicyInput},
    remarks::Remarks,
};
use store::{
    Store,
    row::{Op, RollupRow},
};
use surrealdb::engine::any;

use crate::support::{folder_config, fresh, id, key, until_closed, user};

fn policy() -> Policy {
    let input = PolicyInput { models: "llama3.2 qwen*".into(), tokens_per_day: "100".into(), ..Default::default() };
    Policy::from_input(&input, 0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_and_remarks_are_loaded_as_they_were_committed() {
    let store = fresh().await;
    let remarks = Remarks { label: "team a".into(), note: "two\nlines".into() };
    let replaced_by = Some(key(2).id);
    let limited = store::row::KeyRow { policy: policy(), remarks: remarks.clone(), replaced_by, ..key(1) };
    let held = store::row::UserRow { policy: policy(), remarks, ..user(1) };
    let ops = vec![Op::PutUser(held.clone()), Op::PutKey(limited.clone()), Op::PutKey(key(2))];
    store.commit(0, ops).await.unwrap();
    let state = store.load().await.unwrap();
    assert!(state.users == [held] && state.keys == [limited, key(2)]);
    store.commit(1, vec![Op::PutKey(key(1))]).await.unwrap();
    assert!(store.load().await.unwrap().keys == [key(1), key(2)], "taken away again");
}

/// As the program of the first schema left it.
async fn first_schema(folder: &std::path::Path) {
    let db = any::connect(format!("surrealkv://{}?sync=every", folder.join("db").display())).await.unwrap();
    db.use_ns("fortress").use_db("fortress").await.unwrap();
    let run = async |text: &str| {
        let answer = db.query(text).bind(("user", id(1))).bind(("key", id(7))).await.unwrap();
        answer.check().unwrap();
    };
    run("DEFINE TABLE meta SCHEMAFULL; DEFINE FIELD schema ON meta TYPE int; DEFINE FIELD revision ON meta TYPE int;
         INSERT INTO meta { id: meta:state, schema: 1, revision: 3 };")
    .await;
    run(include_str!("../../src/migrations/0001_start.surql")).await;
    run("CREATE type::record('user', $user) CONTENT { name: 'ann', live_name: 'ann', enabled: true, created_at: 5 };
         CREATE type::record('backend', $user) CONTENT { name: 'gpu', url: 'http://gpu', enabled: true, created_at: 4 };
         CREATE type::record('key', $key) CONTENT { user: $user, name: 'laptop', status: 'active',
            hash: <bytes>'0123456789abcdef0123456789abcdef', last_four: 'abcd', limit_requests: 10, limit_minutes: 5,
            created_at: 6 };
         CREATE type::record('usage_rollup', [900000, $user, $key, '', '', 7, 0]) CONTENT { requests: 2, errors: 0,
            bytes_in: 1, bytes_out: 1, prompt_tokens: 30, completion_tokens: 12, load_us: 9, last_at: 900001,
            total_histogram: [1], ttft_histogram: [1] };")
    .await;
    drop(db);
    until_closed(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_the_first_schema_keeps_all_rows_and_takes_policies() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder_config(folder.path());
    first_schema(folder.path()).await;
    let store = Store::open(&config).await.unwrap();
    let before = store.load().await.unwrap();
    assert_eq!((before.revision, before.users[0].name.as_str()), (3, "ann"));
    let old = before.keys[0].clone();
    assert_eq!((old.name.as_str(), old.limit.map(|limit| limit.requests)), ("laptop", Some(10)));
    assert!(old.policy.is_default() && before.users[0].policy.is_default());
    let backend = &before.backends[0];
    assert_eq!((backend.parallel, backend.weight, backend.priority, backend.draining), (None, 1, 0, false));
    assert!(backend.timeouts.is_default());
    let rollups = store.rollups(0, 1_000_000).await.unwrap();
    assert_eq!((rollups[0].requests, rollups[0].gpu_us), (2, 0));
    let spent = store.spent(0, 1_000_000).await.unwrap();
    assert_eq!((spent[0].key.as_str(), spent[0].tokens, spent[0].gpu_us), (id(7).as_str(), 42, 0));
    // Folded like what was rolled up since, into the hour it is in.
    let folded = RollupRow { at: 0, ..rollups[0].clone() };
    assert!(store.fold_usage(1_000_000).await.unwrap() && !store.fold_usage(1_000_000).await.unwrap());
    assert_eq!(store.rollups(0, 1_000_000).await.unwrap(), [folded]);
    assert_eq!(store.spent(0, 1_000_000).await.unwrap(), spent);

    let limited = store::row::KeyRow { policy: policy(), ..old };
    store.commit(3, vec![Op::PutKey(limited.clone())]).await.unwrap();
    store.close().await.unwrap();
    let store = Store::open(&config).await.unwrap();
    assert!(store.load().await.unwrap().keys == [limited]);
    store.close().await.unwrap();
}
