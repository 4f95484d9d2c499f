//! The audit log in the database: in the transaction of its change, newest first, and never written again.

use domain::{
    admin::Role,
    audit::{AuditActor, AuditChange, AuditEntry, AuditField, AuditOutcome, AuditQuery},
};
use store::{Store, StoreConfig, row::Op};
use surrealdb::engine::any;

use crate::support::{admin, folder_config, id, until_closed, user};

fn entry(n: u64) -> AuditEntry {
    AuditEntry {
        id: id(n),
        at: 1_000 + n / 2,
        actor: AuditActor {
            name: if n.is_multiple_of(3) { "Ada".into() } else { "bob".into() },
            id: Some(admin(n).id),
            role: Some(Role::Operator),
            address: Some("10.0.0.1".into()),
        },
        action: "user added".into(),
        outcome: if n.is_multiple_of(5) { AuditOutcome::Refused } else { AuditOutcome::Done },
        reason: n.is_multiple_of(5).then(|| "no right".into()),
        count: 1 + n,
        changes: vec![AuditChange {
            kind: "user".into(),
            id: id(n),
            name: format!("user-{n}"),
            fields: vec![AuditField { field: "enabled".into(), before: None, after: Some("yes".into()) }],
        }],
    }
}

async fn filled(count: u64) -> Store {
    let store = Store::open(&StoreConfig { address: "mem://".into() }).await.unwrap();
    store.append_audit((0..count).map(entry).collect()).await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_log_join_without_a_gap_newest_first() {
    let store = filled(700).await;
    let mut query = AuditQuery { limit: 90, ..Default::default() };
    let mut all = Vec::new();
    loop {
        let page = store.audit(&query).await.unwrap();
        all.extend(page.entries);
        if page.next.is_none() {
            break;
        }
        query.after = page.next;
    }
    assert_eq!(all.len(), 700);
    assert!(all.windows(2).all(|two| two[0].at >= two[1].at));
    let mut ids: Vec<&str> = all.iter().map(|entry| entry.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 700);
    assert_eq!(all.iter().find(|entry| entry.id == id(30)), Some(&self::entry(30)), "as it was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_filtered_before_it_is_cut() {
    let store = filled(700).await;
    let ask = async |query: AuditQuery| store.audit(&query.folded()).await.unwrap().entries;
    let ada = ask(AuditQuery { actor: Some("ada".into()), limit: 1_000, ..Default::default() }).await;
    assert_eq!(ada.len(), 234);
    let refused = AuditQuery { outcome: Some(AuditOutcome::Refused), limit: 3, ..Default::default() };
    assert_eq!(
        ask(refused).await.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>(),
        [id(695), id(690), id(685)]
    );
    let within = ask(AuditQuery { from: Some(1_010), to: Some(1_012), limit: 9, ..Default::default() }).await;
    assert_eq!(within.len(), 4);
    let text = ask(AuditQuery { text: Some("USER-699".into()), limit: 9, ..Default::default() }).await;
    assert_eq!(text.len(), 1);
    assert!(ask(AuditQuery { text: Some("nowhere".into()), limit: 9, ..Default::default() }).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_and_its_change_are_written_together_or_not_at_all() {
    let store = Store::open(&StoreConfig { address: "mem://".into() }).await.unwrap();
    let revision = store.commit(0, vec![Op::PutUser(user(1)), Op::Audit(entry(1))]).await.unwrap();
    assert!(store.commit(0, vec![Op::PutUser(user(2)), Op::Audit(entry(2))]).await.is_err(), "stale");
    assert_eq!(
        store.commit(revision, vec![Op::Audit(entry(3))]).await.unwrap(),
        revision,
        "a row alone is no revision"
    );
    let rows = store.audit(&AuditQuery { limit: 9, ..Default::default() }).await.unwrap();
    assert_eq!((rows.entries.len(), rows.next), (2, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_can_be_neither_changed_nor_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder_config(folder.path())).await.unwrap();
    store.append_audit(vec![entry(1)]).await.unwrap();
    let other = AuditEntry { action: "nothing".into(), ..entry(1) };
    store.append_audit(vec![other.clone()]).await.unwrap();
    assert!(store.commit(0, vec![Op::Audit(other)]).await.is_err());
    store.close().await.unwrap();

    let db = any::connect(format!("surrealkv://{}?sync=every", folder.path().join("db").display())).await.unwrap();
    db.use_ns("fortress").use_db("fortress").await.unwrap();
    for statement in ["UPDATE audit SET action = 'x'", "DELETE audit", "UPSERT audit SET count = 1 WHERE count = 2"] {
        assert!(db.query(statement).await.unwrap().check().is_err(), "{statement}");
    }
    drop(db);
    until_closed(folder.path());
    let store = Store::open(&folder_config(folder.path())).await.unwrap();
    assert_eq!(store.audit(&AuditQuery { limit: 9, ..Default::default() }).await.unwrap().entries, [entry(1)]);
    store.close().await.unwrap();
}

/// T30.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_finds_little_ends_after_so_many_rows_and_goes_on_where_it_ended() {
    let store = filled(700).await;
    let mut query = AuditQuery { text: Some("user-3".into()), look: 300, ..Default::default() };
    let first = store.audit(&query).await.unwrap();
    assert_eq!((first.entries.len(), first.next.as_ref().map(|(at, _)| *at)), (0, Some(1_200)));
    query.after = first.next;
    let second = store.audit(&query).await.unwrap();
    assert!(second.entries.len() == 50 && second.next.is_some(), "a full page ends a search as well");
    query.after = second.next;
    assert!(store.audit(&query).await.unwrap().entries.len() > 10);
    // The last row that is looked at may be the last there is.
    let whole = AuditQuery { limit: 700, ..Default::default() };
    assert_eq!(store.audit(&whole).await.unwrap().next, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_large_rows_is_small() {
    let store = Store::open(&StoreConfig { address: "mem://".into() }).await.unwrap();
    let large = |n: u64| AuditEntry { reason: Some("x".repeat(100_000)), ..entry(n) };
    store.append_audit((0..40).map(large).collect()).await.unwrap();
    let mut query = AuditQuery { limit: 1_000, ..Default::default() };
    let mut sizes = Vec::new();
    loop {
        let page = store.audit(&query).await.unwrap();
        sizes.push(page.entries.len());
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(sizes.iter().sum::<usize>(), 40);
    assert!(sizes.iter().all(|size| *size <= 11), "{sizes:?}");
}
