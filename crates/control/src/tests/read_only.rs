//! A full disk: what is there is served, nothing is saved, and an administrator can still look.

use domain::{
    audit::{AuditEntry, AuditOutcome},
    key::{KeyStatus, SetKeyStatus},
    models::act::{Boxes, CopyModel, DeleteModel, Keep, KeepModel},
};

use super::*;

#[tokio::test]
async fn a_store_that_cannot_be_written_serves_and_refuses_writes() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("surrealkv://{}", folder.path().join("db").display());
    let bench = bench_of(&folder, &address).await;
    let before = bench.new_admin().await;
    let user = bench.user(&before.actor, "ada").await;
    let id = bench.key(&before.actor, &user, "laptop").await.view.id;
    bench.control.close().await.unwrap();

    let store = Store::open_read_only(&StoreConfig { address }).await.unwrap();
    let bench = open_on(config(&folder), store).await.unwrap();
    assert_eq!(bench.gateway.snapshot().keys[&id].status, KeyStatus::Active);
    assert!(bench.control.authenticate(&before.token, &client("127.0.0.1")).is_some(), "sessions go on");
    let session = bench.control.login(guess("root", PASSWORD), &client("127.0.0.1")).await.unwrap();
    let actor = bench.control.authenticate(&session.token, &client("127.0.0.1")).unwrap();
    let live = bench.control.live(&actor).borrow().clone();
    assert!(live.read_only.is_some() && live.attention[0].key == "read-only", "{:?}", live.attention);
    let disable = SetKeyStatus { id: id.clone(), status: KeyStatus::Disabled };
    let refused = bench.control.set_key_status(&actor, disable).await.err().unwrap();
    assert!(refused.status() == 507 && refused.to_string().contains("can be revoked"), "{refused}");
    assert_eq!(bench.gateway.snapshot().keys[&id].status, KeyStatus::Active, "memory never runs ahead of the disk");
    for token in [before.token, session.token] {
        let actor = bench.control.authenticate(&token, &client("127.0.0.1")).unwrap();
        bench.control.logout(&actor).await.unwrap();
        assert!(bench.control.authenticate(&token, &client("127.0.0.1")).is_none());
    }
    bench.control.close().await.unwrap();
}

/// A control plane on a store that cannot be written, with one key; the folder can.
async fn full(folder: &TempDir, address: &str) -> (Bench, domain::id::KeyId) {
    let bench = bench_of(folder, address).await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let id = bench.key(&actor, &user, "laptop").await.view.id;
    bench.control.close().await.unwrap();
    let store = Store::open_read_only(&StoreConfig { address: address.into() }).await.unwrap();
    (open_on(config(folder), store).await.unwrap(), id)
}

#[tokio::test]
async fn a_key_is_revoked_on_a_full_disk_too_and_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("surrealkv://{}", folder.path().join("db").display());
    let (bench, id) = full(&folder, &address).await;
    let session = bench.control.login(guess("root", PASSWORD), &client("127.0.0.1")).await.unwrap();
    let revoke = || SetKeyStatus { id: id.clone(), status: KeyStatus::Revoked };
    for _ in 0..2 {
        let view = bench.control.set_key_status(&session.actor, revoke()).await.unwrap();
        assert_eq!(view.status, KeyStatus::Revoked);
    }
    let key = bench.gateway.snapshot().keys[&id].clone();
    assert!(key.status == KeyStatus::Revoked && key.hash.is_none());
    bench.control.close().await.unwrap();

    let bench = bench_of(&folder, &address).await;
    assert_eq!(bench.gateway.snapshot().keys[&id].status, KeyStatus::Revoked);
    let rows = bench.control.0.store.load().await.unwrap();
    assert_eq!(rows.keys[0].status, KeyStatus::Revoked, "the database was told");
    bench.control.close().await.unwrap();
}

#[tokio::test]
async fn a_revoked_key_that_can_be_written_nowhere_is_refused_told_of_and_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("surrealkv://{}", folder.path().join("db").display());
    let (bench, id) = full(&folder, &address).await;
    let actor = bench.control.login(guess("root", PASSWORD), &client("127.0.0.1")).await.unwrap().actor;
    // Nothing can be appended to a folder.
    let list = folder.path().join("revoked-keys");
    std::fs::create_dir(&list).unwrap();
    let revoke = SetKeyStatus { id: id.clone(), status: KeyStatus::Revoked };
    let told = bench.control.set_key_status(&actor, revoke).await.err().unwrap();
    assert!(told.status() == 507 && told.to_string().contains("refused from now on"), "{told}");
    assert_eq!(bench.gateway.snapshot().keys[&id].status, KeyStatus::Revoked);
    let banner = bench.control.live(&actor).borrow().read_only.clone().unwrap();
    assert!(banner.contains("after a restart: 1"), "{banner}");
    std::fs::remove_dir(&list).unwrap();
    bench.control.tidy(Now::read()).await;
    let text = std::fs::read_to_string(&list).unwrap();
    assert!(text.starts_with(&format!("op_{id} ")), "{text}");
    bench.control.close().await.unwrap();
}

#[tokio::test]
async fn what_is_done_while_nothing_can_be_saved_waits_for_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("surrealkv://{}", folder.path().join("db").display());
    let (bench, id) = full(&folder, &address).await;
    let actor = bench.control.login(guess("root", PASSWORD), &client("192.0.2.7")).await.unwrap().actor;
    let revoke = SetKeyStatus { id, status: KeyStatus::Revoked };
    bench.control.set_key_status(&actor, revoke).await.unwrap();
    bench.control.logout(&actor).await.unwrap();
    bench.control.write_refusals(Now::read(), true).await;
    let rows = bench.control.waiting_rows();
    let row = |action: &str| rows.iter().find(|row| row.action == action).unwrap_or_else(|| panic!("{action}")).clone();
    for action in ["signed in", "key status changed", "signed out"] {
        let AuditEntry { actor, outcome, count, .. } = row(action);
        assert_eq!((actor.name.as_str(), outcome, count), ("root", AuditOutcome::Done, 1), "{action}");
        assert_eq!(actor.address.as_deref(), Some("192.0.2.7"), "{action}");
    }
    bench.control.close().await.unwrap();
}

#[tokio::test]
async fn models_are_not_changed_on_backends_while_nothing_can_be_logged() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("surrealkv://{}", folder.path().join("db").display());
    let (bench, _) = full(&folder, &address).await;
    let session = bench.control.login(guess("root", PASSWORD), &client("127.0.0.1")).await.unwrap();
    let delete = DeleteModel { model: "a:1b".into(), retyped: "a:1b".into(), backends: Boxes::new(), everywhere: true };
    let copy = CopyModel { model: "a:1b".into(), destination: "b".into(), backends: Boxes::new(), everywhere: true };
    let keep = KeepModel { model: "a:1b".into(), act: Keep::Unload, backends: Boxes::new(), everywhere: true };
    assert_eq!(bench.control.delete_model(&session.actor, delete).await.unwrap_err().status(), 507);
    assert_eq!(bench.control.copy_model(&session.actor, copy).await.unwrap_err().status(), 507);
    let error = bench.control.keep_model(&session.actor, keep).await.unwrap_err();
    assert!(matches!(error, AdminError::NotFound { .. }), "it looks for the model: {error}");
}
