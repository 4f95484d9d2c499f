use domain::{key::SetKeyStatus, user::SetUserEnabled};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::{
    backup::tests::{bytes, file},
    tests::{add, bench_of, config, deep, open},
};

const PASSPHRASE: &str = "correct horse battery";
const SECRET: &str = "uHq9PzX2mLw7Rk4Tn8Vb3Yc6Dj1Fg5Sa";
const OTHER: &str = "another SECRET_KEY that is long enough";

fn store(folder: &TempDir) -> StoreConfig {
    StoreConfig { address: format!("surrealkv://{}", folder.path().join("db").display()) }
}

fn read(bytes: &[u8]) -> Backup {
    Backup::verify(file(bytes), Zeroizing::new(PASSPHRASE.into())).unwrap()
}

#[test]
fn on_another_machine_keys_and_tokens_work_as_before() {
    deep(|| async {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let bench = bench_of(&old, &store(&old).address).await;
        let actor = bench.admin().await;
        let user = bench.user(&actor, "ada").await;
        let key = bench.key(&actor, &user, "laptop").await;
        bench.control.store_backend(&actor, &add("gpu", "http://gpu:1", "hunter2")).await.unwrap();
        let bytes = bytes(&bench, true).await;
        bench.control.close().await.unwrap();

        let report = restore(&config(&new), &store(&new), &read(&bytes)).await.unwrap();
        assert!(report.revoked.is_empty() && report.differences.is_empty() && report.kept_database.is_none());
        let bench = bench_of(&new, &store(&new).address).await;
        let snapshot = bench.gateway.snapshot();
        assert_eq!(snapshot.keys[&key.view.id].hash, Some(snapshot.pepper.hash(&key.token)));
        assert!(snapshot.backends[0].token.as_ref().is_some_and(|token| token.0 == "hunter2"));
        assert!(bench.control.state().rows.sessions.is_empty());
        bench.control.close().await.unwrap();
    });
}

#[test]
fn what_was_revoked_since_stays_revoked_and_what_else_differs_is_told() {
    deep(|| async {
        let folder = tempfile::tempdir().unwrap();
        let bench = bench_of(&folder, &store(&folder).address).await;
        let actor = bench.admin().await;
        let (ada, bob) = (bench.user(&actor, "ada").await, bench.user(&actor, "bob").await);
        let revoked = bench.key(&actor, &ada, "revoked").await.view.id;
        let disabled = bench.key(&actor, &ada, "disabled").await.view.id;
        let kept = bench.key(&actor, &ada, "kept").await.view.id;
        let removed = bench.key(&actor, &bob, "of a removed user").await.view.id;
        let bytes = bytes(&bench, true).await;
        let set = |id: &domain::id::KeyId, status| SetKeyStatus { id: id.clone(), status };
        bench.control.set_key_status(&actor, set(&revoked, KeyStatus::Revoked)).await.unwrap();
        bench.control.set_key_status(&actor, set(&disabled, KeyStatus::Disabled)).await.unwrap();
        bench.control.remove_user(&actor, domain::user::UserRef { id: bob }).await.unwrap();
        bench.control.set_user_enabled(&actor, SetUserEnabled { id: ada.clone(), enabled: false }).await.unwrap();
        let late = bench.key(&actor, &ada, "late").await.view.id;
        bench.control.close().await.unwrap();

        let report = restore(&config(&folder), &store(&folder), &read(&bytes)).await.unwrap();
        let named = |id: &domain::id::KeyId| report.revoked.iter().any(|line| line.contains(id.as_str()));
        assert!(named(&revoked) && named(&removed) && report.revoked.len() == 2, "{:?}", report.revoked);
        let told = report.differences.join("\n");
        for part in [disabled.as_str(), "user ada was disabled", "user bob was removed", late.as_str()] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains(kept.as_str()), "{told}");
        assert!(Path::new(&report.kept_database.unwrap()).is_dir());
        let bench = bench_of(&folder, &store(&folder).address).await;
        let status = |id| bench.gateway.snapshot().keys[id].status;
        assert_eq!([&revoked, &removed, &disabled, &kept].map(status), {
            use KeyStatus::{Active, Revoked};
            [Revoked, Revoked, Active, Active]
        });
        assert!(bench.gateway.snapshot().keys[&revoked].hash.is_none());
        bench.control.close().await.unwrap();
    });
}

#[test]
fn a_lost_or_broken_database_does_not_bring_a_revoked_key_back() {
    deep(|| async {
        let folder = tempfile::tempdir().unwrap();
        let bench = bench_of(&folder, &store(&folder).address).await;
        let actor = bench.admin().await;
        let user = bench.user(&actor, "ada").await;
        let key = bench.key(&actor, &user, "laptop").await.view.id;
        let bytes = bytes(&bench, true).await;
        let status = SetKeyStatus { id: key.clone(), status: KeyStatus::Revoked };
        bench.control.set_key_status(&actor, status).await.unwrap();
        bench.control.close().await.unwrap();

        for broken in [false, true] {
            if broken {
                fs::write(folder.path().join("db/manifest/00000000000000000000.manifest"), "rubbish").unwrap();
            } else {
                fs::remove_dir_all(folder.path().join("db")).unwrap();
            }
            let report = restore(&config(&folder), &store(&folder), &read(&bytes)).await.unwrap();
            assert_eq!((report.revoked.len(), report.notes.len()), (1, usize::from(broken)), "{report:?}");
            let bench = bench_of(&folder, &store(&folder).address).await;
            assert_eq!(bench.gateway.snapshot().keys[&key].status, KeyStatus::Revoked);
            bench.control.close().await.unwrap();
        }
    });
}

#[test]
fn a_database_that_was_put_back_by_hand_has_its_revoked_keys_revoked_at_the_start() {
    deep(|| async {
        let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let bench = bench_of(&folder, &store(&folder).address).await;
        let actor = bench.admin().await;
        let user = bench.user(&actor, "ada").await;
        let key = bench.key(&actor, &user, "laptop").await.view.id;
        let bytes = bytes(&bench, true).await;
        let status = SetKeyStatus { id: key.clone(), status: KeyStatus::Revoked };
        bench.control.set_key_status(&actor, status).await.unwrap();
        bench.control.close().await.unwrap();
        restore(&config(&copy), &store(&copy), &read(&bytes)).await.unwrap();
        fs::remove_dir_all(folder.path().join("db")).unwrap();
        fs::rename(copy.path().join("db"), folder.path().join("db")).unwrap();

        let bench = bench_of(&folder, &store(&folder).address).await;
        assert_eq!(bench.gateway.snapshot().keys[&key].status, KeyStatus::Revoked);
        let saved = bench.control.0.store.load().await.unwrap();
        assert!(saved.keys.iter().all(|row| row.status == KeyStatus::Revoked && row.hash.is_none()));
        bench.control.close().await.unwrap();
    });
}

#[test]
fn a_secret_key_that_does_not_fit_is_refused_and_without_one_the_backup_brings_its_own() {
    deep(|| async {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let with = |folder: &TempDir, secret: &str| ControlConfig { secret_key: Some(secret.into()), ..config(folder) };
        let bench = open(with(&old, SECRET), &store(&old).address).await.unwrap();
        let actor = bench.admin().await;
        let user = bench.user(&actor, "ada").await;
        let key = bench.key(&actor, &user, "laptop").await;
        let bytes = bytes(&bench, false).await;
        bench.control.close().await.unwrap();

        let refused = restore(&with(&new, OTHER), &store(&new), &read(&bytes)).await.unwrap_err();
        assert!(matches!(&refused, RestoreError::Given(text) if text.contains("SECRET_KEY") && !text.contains(OTHER)));
        assert_eq!(fs::read_dir(new.path()).unwrap().count(), 0, "nothing is left of a refused restore");
        // A gateway with a key of its own was here before.
        bench_of(&new, &store(&new).address).await.control.close().await.unwrap();
        let before = fs::read(root::path(new.path())).unwrap();
        let report = restore(&config(&new), &store(&new), &read(&bytes)).await.unwrap();
        assert_eq!(fs::read(report.kept_key_file.unwrap()).unwrap(), before);
        for config in [config(&new), with(&new, SECRET)] {
            let bench = open(config, &store(&new).address).await.unwrap();
            let snapshot = bench.gateway.snapshot();
            assert_eq!(snapshot.keys[&key.view.id].hash, Some(snapshot.pepper.hash(&key.token)));
            bench.control.close().await.unwrap();
        }
    });
}

#[test]
fn nothing_is_restored_into_memory_a_server_or_a_database_in_use() {
    deep(|| async {
        let folder = tempfile::tempdir().unwrap();
        let bench = bench_of(&folder, &store(&folder).address).await;
        bench.admin().await;
        let bytes = bytes(&bench, false).await;
        for address in ["mem://", "ws://127.0.0.1:1"] {
            let other = StoreConfig { address: address.into() };
            let refused = restore(&config(&folder), &other, &read(&bytes)).await.unwrap_err();
            assert!(refused.to_string().contains("DATABASE_URL"), "{refused}");
        }
        let refused = restore(&config(&folder), &store(&folder), &read(&bytes)).await.unwrap_err();
        assert!(matches!(refused, RestoreError::Store(StoreError::Locked)), "{refused}");
        bench.control.close().await.unwrap();
    });
}
