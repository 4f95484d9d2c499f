//! Users and keys as they reach the gateway.

use domain::{
    id::KeyId,
    key::{KeyStatus, SetKeyLimit, SetKeyStatus},
    limit::RateLimit,
    user::{SetUserEnabled, UserRef},
};

use super::*;

fn entry(bench: &Bench, id: &KeyId) -> Arc<gateway::snapshot::KeyEntry> {
    Arc::clone(&bench.gateway.snapshot().keys[id])
}

fn status(id: &KeyId, status: KeyStatus) -> SetKeyStatus {
    SetKeyStatus { id: id.clone(), status }
}

#[tokio::test]
async fn a_key_is_in_force_when_it_is_shown_and_only_its_hash_is_kept() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let key = bench.try_key(&actor, &user, "laptop", "100", "5").await.unwrap();
    let entry = entry(&bench, &key.view.id);
    assert_eq!(entry.hash, Some(bench.control.0.secrets.hash_key(&key.token)));
    assert_eq!((entry.status, entry.user_enabled, entry.limit), (KeyStatus::Active, true, RateLimit::new(100, 5)));
    assert!(key.token.ends_with(&key.view.last_four));
    let row = bench.control.0.store.load().await.unwrap().keys.remove(0);
    assert!(!key.token.contains(&row.name) && row.hash == entry.hash);
}

#[tokio::test]
async fn a_revoked_key_is_refused_when_the_answer_comes_and_for_good() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let id = bench.key(&actor, &user, "laptop").await.view.id;
    let set = |wanted| bench.control.set_key_status(&actor, status(&id, wanted));
    assert_eq!(set(KeyStatus::Disabled).await.unwrap().status, KeyStatus::Disabled);
    assert_eq!(entry(&bench, &id).status, KeyStatus::Disabled);
    assert_eq!(set(KeyStatus::Active).await.unwrap().status, KeyStatus::Active);
    set(KeyStatus::Revoked).await.unwrap();
    let refused = entry(&bench, &id);
    assert_eq!((refused.status, refused.hash), (KeyStatus::Revoked, None));
    assert_eq!(bench.control.0.store.load().await.unwrap().keys[0].hash, None, "erased on disk too");
    for wanted in [KeyStatus::Active, KeyStatus::Disabled] {
        assert_eq!(set(wanted).await.err().unwrap().status(), 409);
    }
    assert!(set(KeyStatus::Revoked).await.is_ok(), "asking again is no fault");
    let limit = SetKeyLimit { id: id.clone(), requests: "1".into(), minutes: "1".into() };
    assert_eq!(bench.control.set_key_limit(&actor, limit).await.err().unwrap().status(), 409);
    assert_eq!(entry(&bench, &id).status, KeyStatus::Revoked);
}

#[tokio::test]
async fn a_limit_is_changed_and_taken_away() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let id = bench.key(&actor, &user, "laptop").await.view.id;
    let set = |requests: &str, minutes: &str| {
        let input = SetKeyLimit { id: id.clone(), requests: requests.into(), minutes: minutes.into() };
        bench.control.set_key_limit(&actor, input)
    };
    assert_eq!(set("9", "2").await.unwrap().limit, RateLimit::new(9, 2));
    assert_eq!(entry(&bench, &id).limit, RateLimit::new(9, 2));
    assert!(set("9", "").await.err().unwrap().field("minutes").is_some());
    assert_eq!(set("", "").await.unwrap().limit, None);
    assert_eq!(entry(&bench, &id).limit, None);
}

#[tokio::test]
async fn names_are_unique_among_what_is_not_gone() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let (ada, bob) = (bench.user(&actor, "ada").await, bench.user(&actor, "bob").await);
    let again =
        bench.control.add_user(&actor, AddUser { name: "Ada".into(), policy: Default::default() }).await.err().unwrap();
    assert!(again.field("name").is_some());
    let first = bench.key(&actor, &ada, "laptop").await.view.id;
    bench.key(&actor, &bob, "laptop").await;
    assert!(bench.try_key(&actor, &ada, " Laptop ", "", "").await.err().unwrap().field("name").is_some());
    bench.control.set_key_status(&actor, status(&first, KeyStatus::Revoked)).await.unwrap();
    assert!(bench.try_key(&actor, &ada, "laptop", "", "").await.is_ok(), "the name of a revoked key is free");
    bench.control.remove_user(&actor, UserRef { id: ada.clone() }).await.unwrap();
    assert_ne!(bench.user(&actor, "ada").await, ada, "the name of a removed user is free");
}

#[tokio::test]
async fn a_disabled_user_has_no_key_in_force_and_a_removed_one_never_again() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let id = bench.key(&actor, &user, "laptop").await.view.id;
    let switch = |enabled| bench.control.set_user_enabled(&actor, SetUserEnabled { id: user.clone(), enabled });
    assert!(!switch(false).await.unwrap().enabled);
    assert!(!entry(&bench, &id).user_enabled);
    assert!(switch(true).await.unwrap().enabled);
    assert!(entry(&bench, &id).user_enabled);
    bench.control.remove_user(&actor, UserRef { id: user.clone() }).await.unwrap();
    let gone = entry(&bench, &id);
    assert_eq!((gone.status, gone.hash, gone.user_enabled), (KeyStatus::Revoked, None, false));
    assert!(bench.control.users(&actor).is_empty());
    assert_eq!(bench.control.user(&actor, UserRef { id: user.clone() }).err().unwrap().status(), 404);
    assert_eq!(bench.try_key(&actor, &user, "x", "", "").await.err().unwrap().status(), 404);
}

#[tokio::test]
async fn of_two_keys_of_one_name_made_at_once_one_is_made() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let (one, two) =
        tokio::join!(bench.try_key(&actor, &user, "laptop", "", ""), bench.try_key(&actor, &user, "laptop", "", ""));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_leave_the_store_ahead_of_the_gateway() {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let id = bench.key(&actor, &user, "laptop").await.view.id;
    {
        let revoke = bench.control.set_key_status(&actor, status(&id, KeyStatus::Revoked));
        tokio::pin!(revoke);
        // One poll starts the commit; then the caller is gone.
        assert!(futures_util::poll!(&mut revoke).is_pending());
    }
    until(async || bench.control.0.store.load().await.unwrap().keys[0].status == KeyStatus::Revoked).await;
    until(async || entry(&bench, &id).status == KeyStatus::Revoked).await;
}

#[tokio::test]
async fn a_revoked_key_that_the_list_cannot_be_told_says_so_until_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench_of(&folder, "mem://").await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    let [id, other] = [bench.key(&actor, &user, "a").await.view.id, bench.key(&actor, &user, "b").await.view.id];
    let revoke = |id: &KeyId| bench.control.set_key_status(&actor, status(id, KeyStatus::Revoked));
    assert!(!revoke(&other).await.unwrap().unlisted);
    // Nothing can be appended to a folder.
    let list = folder.path().join("revoked-keys");
    std::fs::rename(&list, folder.path().join("aside")).unwrap();
    std::fs::create_dir(&list).unwrap();
    assert!(revoke(&id).await.unwrap().unlisted);
    assert!(bench.gateway.snapshot().keys[&id].hash.is_none(), "it is refused all the same");
    let shown = || {
        let keys = bench.control.user(&actor, UserRef { id: user.clone() }).unwrap().keys;
        keys.iter().filter(|key| key.unlisted).map(|key| key.id.clone()).collect::<Vec<_>>()
    };
    bench.control.tidy(Now::read()).await;
    assert_eq!(shown(), std::slice::from_ref(&id), "tried in vain");
    std::fs::remove_dir(&list).unwrap();
    bench.control.tidy(Now::read()).await;
    assert!(shown().is_empty());
    assert!(std::fs::read_to_string(&list).unwrap().starts_with(&format!("op_{id} ")));
}
