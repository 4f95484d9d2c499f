//! T37: rotating the key of what is sealed at rest.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::secrets::{CHECK, root, seal::Place};
use store::row::{AdminRow, BackendRow, KeyRow, Op, TotpRow};

const SECRET: &str = "uHq9PzX2mLw7Rk4Tn8Vb3Yc6Dj1Fg5Sa";
const NEXT: &str = "Xk2Vb8Qm4Zs6Tp1Wd3Rf9Jh5Lc7Ny0Ga";

fn address(folder: &TempDir) -> String {
    format!("surrealkv://{}", folder.path().join("db").display())
}

async fn rotate(bench: &Bench, rotation: Rotation) -> Result<RotationReport, AdminError> {
    bench.control.rotate_secrets(&Actor::command_line().unwrap(), rotation).await
}

/// A backend with a token, a user with a key and an administrator with a second factor; the key's text.
async fn fill(bench: &Bench) -> CreatedKey {
    let actor = bench.admin().await;
    bench.control.store_backend(&actor, &add("gpu", "http://gpu:1", "hunter2")).await.unwrap();
    let admin = bench.control.state().rows.admins[0].clone();
    let sealed = bench.control.0.secrets.sealer().seal(&Place::admin_totp(&admin.id), "totp").unwrap();
    let totp = Some(TotpRow { sealed, last_step: 7, recovery: vec![[1; 32]] });
    let ops = vec![Op::PutAdmin(AdminRow { totp, ..admin })];
    bench.control.mutate(by::By::nobody("test"), |_| Ok((ops.clone(), ()))).await.unwrap();
    let user = bench.user(&actor, "ada").await;
    bench.key(&actor, &user, "laptop").await
}

/// How often it was done, by the audit log.
async fn rows(bench: &Bench, action: &str) -> usize {
    let page = bench.control.read_audit(&domain::audit::ReadAudit::default(), 500).await.unwrap();
    let done = |row: &&domain::audit::AuditEntry| {
        row.action == action && row.outcome == domain::audit::AuditOutcome::Done && row.actor.name == "command line"
    };
    page.entries.iter().filter(done).count()
}

/// Everything works that worked before.
fn check(bench: &Bench, key: &CreatedKey) {
    let snapshot = bench.gateway.snapshot();
    assert_eq!(snapshot.keys[&key.view.id].hash, Some(snapshot.pepper.hash(&key.token)), "the key works");
    assert!(snapshot.backends[0].token.as_ref().is_some_and(|token| token.0 == "hunter2"));
    let admin = bench.control.state().rows.admins[0].clone();
    let totp = admin.totp.unwrap();
    let opened = bench.control.0.secrets.sealer().open(&Place::admin_totp(&admin.id), &totp.sealed);
    assert_eq!((opened.unwrap().as_str(), totp.last_step, totp.recovery.len()), ("totp", 7, 1));
}

#[test]
fn everything_is_sealed_anew_and_goes_on_working_before_and_after_a_restart() {
    deep(|| async {
        let folder = tempfile::tempdir().unwrap();
        let bench = bench_of(&folder, &address(&folder)).await;
        let key = fill(&bench).await;
        let file = root::path(folder.path());
        let (first, old) = (fs::read(&file).unwrap(), bench.control.0.secrets.now());
        let report = rotate(&bench, Rotation::Rotate).await.unwrap();
        assert_eq!(report.resealed, 2, "{report:?}");
        check(&bench, &key);
        let row: BackendRow = bench.control.0.store.load().await.unwrap().backends[0].clone();
        assert!(old.sealer().open(&Place::backend_token(&row.id), row.sealed_token.as_deref().unwrap()).is_none());
        let late =
            bench.key(&Actor::command_line().unwrap(), &bench.control.state().rows.users[0].id.clone(), "late").await;
        bench.control.close().await.unwrap();

        let bench = bench_of(&folder, &address(&folder)).await;
        check(&bench, &key);
        let snapshot = bench.gateway.snapshot();
        assert_eq!(snapshot.keys[&late.view.id].hash, Some(snapshot.pepper.hash(&late.token)));
        assert_eq!(rotate(&bench, Rotation::ForgetOld).await.unwrap().forgotten, 1);
        assert_eq!(rotate(&bench, Rotation::ForgetOld).await.unwrap().forgotten, 0);
        assert_eq!(rows(&bench, "old secrets forgotten").await, 1, "keys were destroyed once");
        assert_eq!(rows(&bench, "secrets rotated").await, 1);
        bench.control.close().await.unwrap();
        let last = fs::read(&file).unwrap();
        assert!(last.len() == 32 && last != first, "only the new key is left");

        let bench = bench_of(&folder, &address(&folder)).await;
        check(&bench, &key);
        bench.control.close().await.unwrap();
        fs::write(&file, first).unwrap();
        assert!(
            matches!(open(config(&folder), &address(&folder)).await, Err(OpenError::Secret(_))),
            "the old key is dead"
        );
    });
}

#[test]
fn a_rotation_that_was_killed_between_file_and_database_goes_on_with_the_key_it_made() {
    deep(|| async {
        let folder = tempfile::tempdir().unwrap();
        let bench = bench_of(&folder, &address(&folder)).await;
        let key = fill(&bench).await;
        for _ in 0..2 {
            rotate(&bench, Rotation::Prepare).await.unwrap();
        }
        assert_eq!(rows(&bench, "new secret prepared").await, 1, "the second time nothing was made");
        let file = fs::read(root::path(folder.path())).unwrap();
        assert!(
            matches!(rotate(&bench, Rotation::ForgetOld).await, Err(AdminError::Conflict { .. })),
            "it is still needed"
        );
        bench.control.close().await.unwrap();
        let bench = bench_of(&folder, &address(&folder)).await;
        check(&bench, &key);
        rotate(&bench, Rotation::Rotate).await.unwrap();
        check(&bench, &key);
        assert_eq!(fs::read(root::path(folder.path())).unwrap(), file, "no third key was made");
        bench.control.close().await.unwrap();
    });
}

#[test]
fn with_secret_key_the_previous_one_is_given_beside_it() {
    deep(|| async {
        let folder = tempfile::tempdir().unwrap();
        let with = |secret: &str, previous: Option<&str>| ControlConfig {
            secret_key: Some(secret.into()),
            secret_key_previous: previous.map(str::to_owned),
            ..config(&folder)
        };
        let bench = open(with(SECRET, None), &address(&folder)).await.unwrap();
        let key = fill(&bench).await;
        let refused = rotate(&bench, Rotation::Rotate).await.unwrap_err().to_string();
        assert!(refused.contains("SECRET_KEY_PREVIOUS"), "{refused}");
        bench.control.close().await.unwrap();

        let refused = restart::open_and_close(with(NEXT, None), &address(&folder)).await;
        assert!(matches!(refused, Err(OpenError::Secret(_))));
        let bench = open(with(NEXT, Some(SECRET)), &address(&folder)).await.unwrap();
        check(&bench, &key);
        assert!(rotate(&bench, Rotation::ForgetOld).await.is_err(), "it is still needed");
        rotate(&bench, Rotation::Rotate).await.unwrap();
        check(&bench, &key);
        assert!(rotate(&bench, Rotation::ForgetOld).await.unwrap().next.contains("SECRET_KEY_PREVIOUS"));
        bench.control.close().await.unwrap();
        let bench = open(with(NEXT, None), &address(&folder)).await.unwrap();
        check(&bench, &key);
        bench.control.close().await.unwrap();
        assert!(!root::path(folder.path()).exists());
    });
}

#[test]
fn gateways_on_one_database_follow_a_rotation_or_go_on_with_what_they_know() {
    deep(|| async {
        let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let store = Store::open(&StoreConfig { address: "mem://".into() }).await.unwrap();
        let with = |folder: &TempDir, secret: &str, previous: Option<&str>| ControlConfig {
            secret_key: Some(secret.into()),
            secret_key_previous: previous.map(str::to_owned),
            ..config(folder)
        };
        let old = open_on(with(&folders[0], SECRET, None), store.clone()).await.unwrap();
        let key = fill(&old).await;
        let one = open_on(with(&folders[1], NEXT, Some(SECRET)), store.clone()).await.unwrap();
        let two = open_on(with(&folders[2], NEXT, Some(SECRET)), store.clone()).await.unwrap();
        rotate(&one, Rotation::Rotate).await.unwrap();
        two.control.follow_store().await;
        check(&two, &key);
        assert_eq!(two.control.state().setting(CHECK), one.control.state().setting(CHECK));
        assert_eq!(rotate(&two, Rotation::Rotate).await.map(|report| report.resealed).ok(), None, "it is done already");
        // This one was forgotten: it serves on, and changes nothing.
        old.control.follow_store().await;
        check(&old, &key);
        let actor = Actor::command_line().unwrap();
        let input = AddUser { name: "bob".into(), policy: Default::default() };
        assert!(old.control.add_user(&actor, input).await.is_err());
        check(&one, &key);
    });
}

#[test]
fn a_sealed_value_in_another_row_and_a_key_without_pepper_open_nothing() {
    deep(|| async {
        let folder = tempfile::tempdir().unwrap();
        let bench = bench_of(&folder, &address(&folder)).await;
        let key = fill(&bench).await;
        let actor = Actor::command_line().unwrap();
        bench.control.store_backend(&actor, &add("gpu-2", "http://gpu-2:1", "another")).await.unwrap();
        let rows = bench.control.state().rows.clone();
        let mut swapped = rows.backends.clone();
        let second = swapped[1].sealed_token.take();
        swapped[1].sealed_token = std::mem::replace(&mut swapped[0].sealed_token, second);
        // As whoever can write into the database would: a row with the plain hash of a key of his own.
        let forged = format!("{}x", key.token);
        let row = KeyRow { hash: Some(crate::secrets::token_hash(&forged)), ..rows.keys[0].clone() };
        let mut ops: Vec<Op> = swapped.into_iter().map(Op::PutBackend).collect();
        ops.push(Op::PutKey(row));
        bench.control.mutate(by::By::nobody("test"), |_| Ok((ops.clone(), ()))).await.unwrap();
        let snapshot = bench.gateway.snapshot();
        assert!(snapshot.backends.is_empty(), "neither token opens at the other's place");
        assert_ne!(snapshot.keys[&key.view.id].hash, Some(snapshot.pepper.hash(&forged)));
        let refused = rotate(&bench, Rotation::Rotate).await.unwrap_err().to_string();
        assert!(refused.contains("gpu"), "what would be lost is named: {refused}");
        bench.control.close().await.unwrap();
    });
}
