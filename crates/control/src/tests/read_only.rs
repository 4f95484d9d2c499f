//! A full disk: what is there is served, nothing is saved, and an administrator can still look.

use domain::key::{KeyStatus, SetKeyStatus};

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
    assert!(bench.control.live(&actor).borrow().read_only.is_some());
    let revoke = SetKeyStatus { id: id.clone(), status: KeyStatus::Revoked };
    assert_eq!(bench.control.set_key_status(&actor, revoke).await.err().unwrap().status(), 507);
    assert_eq!(bench.gateway.snapshot().keys[&id].status, KeyStatus::Active, "memory never runs ahead of the disk");
    for token in [before.token, session.token] {
        let actor = bench.control.authenticate(&token, &client("127.0.0.1")).unwrap();
        bench.control.logout(&actor).await.unwrap();
        assert!(bench.control.authenticate(&token, &client("127.0.0.1")).is_none());
    }
    bench.control.close().await.unwrap();
}
