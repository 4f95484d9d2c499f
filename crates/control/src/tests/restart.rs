//! What must be the same after a restart, and what another gateway on the same database sees.

use domain::{
    backend::BackendRef,
    id::KeyId,
    key::{KeyStatus, SetKeyStatus},
    settings::SaveSettings,
};

use super::*;
use crate::usage::tests::record;

const SECRET: &str = "uHq9PzX2mLw7Rk4Tn8Vb3Yc6Dj1Fg5Sa";
const OTHER: &str = "Zq4Tn8Vb3Yc6Dj1Fg5SauHq9PzX2mLw7Rk";

fn address(folder: &TempDir) -> String {
    format!("surrealkv://{}", folder.path().join("db").display())
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = bench_of(&folder, &address(&folder)).await;
    let session = bench.new_admin().await;
    let actor = session.actor.clone();
    let user = bench.user(&actor, "ada").await;
    let (kept, gone) = (bench.key(&actor, &user, "kept").await, bench.key(&actor, &user, "gone").await);
    let revoke = SetKeyStatus { id: gone.view.id.clone(), status: KeyStatus::Revoked };
    bench.control.set_key_status(&actor, revoke).await.unwrap();
    bench.control.add_backend(&actor, add("gpu", "http://127.0.0.1:1", "geheim")).await.unwrap();
    let settings = SaveSettings { requests: "5".into(), minutes: "1".into(), ..Default::default() };
    bench.control.save_settings(&actor, settings).await.unwrap();
    let (sender, receiver) = tokio::sync::mpsc::channel(10);
    bench.usage = None;
    sender.send(record(&kept.view.id, Now::read().wall, 200)).await.unwrap();
    drop(sender);
    bench.control.run_usage_writer(receiver, CancellationToken::new()).await;
    let before = bench.gateway.snapshot();
    bench.control.close().await.unwrap();

    let bench = bench_of(&folder, &address(&folder)).await;
    let after = bench.gateway.snapshot();
    assert_eq!(after.pepper.0, before.pepper.0);
    assert_eq!(after.settings, before.settings);
    assert_eq!(after.keys[&kept.view.id].hash, Some(bench.control.0.secrets.hash_key(&kept.token)));
    assert_eq!(after.keys[&gone.view.id].status, KeyStatus::Revoked);
    assert_eq!(after.backends[0].token.as_ref().unwrap().0, "geheim");
    let actor = bench.control.authenticate(&session.token, &client("127.0.0.1")).unwrap();
    let users = bench.control.users(&actor);
    assert_eq!((users[0].requests, users[0].keys), (1, 1));
    assert_eq!(bench.control.0.usage.last_hour(Now::read().wall).iter().map(|point| point.requests).sum::<u64>(), 1);
    bench.control.close().await.unwrap();
}

#[tokio::test]
async fn credentials_of_the_environment_that_are_not_used_are_told_once_there_is_an_administrator() {
    let folder = tempfile::tempdir().unwrap();
    let with = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
    let first = ControlConfig { admin: with("root", PASSWORD), ..config(&folder) };
    let bench = open(first, &address(&folder)).await.unwrap();
    bench.control.close().await.unwrap();
    let second = ControlConfig { admin: with("root", "another fine phrase"), ..config(&folder) };
    let bench = open(second, &address(&folder)).await.unwrap();
    assert!(bench.control.login(guess("root", PASSWORD), &client("127.0.0.1")).await.is_ok(), "it stays what it was");
    let told = async |name: &str, password: &str| bench.control.unused_credentials(name, password).await;
    assert_eq!(told("Root ", PASSWORD).await, None);
    let changed = told("root", "another fine phrase").await.unwrap();
    assert!(changed.contains("admin reset-password root") && !changed.contains("phrase"), "{changed}");
    let renamed = told("boss", PASSWORD).await.unwrap();
    assert!(renamed.contains("ADMIN_USER") && renamed.contains("admin create"), "{renamed}");
    bench.control.close().await.unwrap();
}

#[tokio::test]
async fn another_secret_key_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let with = |secret: &str| ControlConfig { secret_key: Some(secret.into()), ..config(&folder) };
    let bench = open(with(SECRET), &address(&folder)).await.unwrap();
    bench.control.close().await.unwrap();
    let Err(OpenError::Secret(message)) = open_and_close(with(OTHER), &address(&folder)).await else { panic!() };
    assert!(message.contains("SECRET_KEY") && !message.contains(OTHER), "{message}");
    let Err(OpenError::Secret(_)) = open_and_close(config(&folder), &address(&folder)).await else { panic!() };
    assert!(!folder.path().join("secret.key").exists(), "no key is made for a database that has another");
    assert!(open_and_close(with(SECRET), &address(&folder)).await.is_ok());
}

/// Opens and closes the store whatever control says, so that the next may open it.
pub(super) async fn open_and_close(config: ControlConfig, address: &str) -> Result<(), OpenError> {
    let store = Store::open(&StoreConfig { address: address.into() }).await.unwrap();
    let result = open_on(config, store.clone()).await.map(|_| ());
    store.close().await.unwrap();
    result
}

#[tokio::test]
async fn a_removed_backend_of_the_environment_stays_removed() {
    let folder = tempfile::tempdir().unwrap();
    let with = |urls: &[&str]| ControlConfig {
        ollama_servers: urls.iter().map(|url| url.parse().unwrap()).collect(),
        ..config(&folder)
    };
    let bench = open(with(&["http://gpu-1:11434", "http://gpu-1:11434/"]), &address(&folder)).await.unwrap();
    let actor = bench.admin().await;
    let backends = bench.control.backends(&actor);
    assert_eq!(backends.iter().map(|backend| backend.name.as_str()).collect::<Vec<_>>(), ["gpu-1"]);
    bench.control.remove_backend(&actor, BackendRef { id: backends[0].id.clone() }).await.unwrap();
    bench.control.close().await.unwrap();
    let bench = open(with(&["http://gpu-1:11434", "http://gpu-2:11434"]), &address(&folder)).await.unwrap();
    let names: Vec<String> = bench.gateway.snapshot().backends.iter().map(|backend| backend.name.clone()).collect();
    assert_eq!(names, ["gpu-2"]);
    bench.control.close().await.unwrap();
}

#[tokio::test]
async fn gateways_on_one_database_follow_each_other() {
    let (one_folder, two_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(&StoreConfig { address: "mem://".into() }).await.unwrap();
    let with = |folder: &TempDir| ControlConfig { secret_key: Some(SECRET.into()), ..config(folder) };
    let one = open_on(with(&one_folder), store.clone()).await.unwrap();
    let two = open_on(with(&two_folder), store.clone()).await.unwrap();
    let session = one.new_admin().await;
    // The other one's revision is old now: its write is computed anew on what is there.
    let user = two.user(&session.actor, "ada").await;
    assert!(two.control.authenticate(&session.token, &client("127.0.0.1")).is_some());
    let key: KeyId = one.key(&session.actor, &user, "laptop").await.view.id;
    assert!(!two.gateway.snapshot().keys.contains_key(&key));
    two.control.follow_store().await;
    assert!(two.gateway.snapshot().keys.contains_key(&key));
    one.control.logout(&session.actor).await.unwrap();
    two.control.follow_store().await;
    assert!(two.control.authenticate(&session.token, &client("127.0.0.1")).is_none());
}

#[tokio::test]
async fn a_gateway_ends_no_session_that_lives_on_another() {
    const MINUTE: Duration = Duration::from_secs(60);
    let (one_folder, two_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(&StoreConfig { address: "mem://".into() }).await.unwrap();
    let with = |folder: &TempDir| ControlConfig { secret_key: Some(SECRET.into()), ..config(folder) };
    let one = open_on(with(&one_folder), store.clone()).await.unwrap();
    let two = open_on(with(&two_folder), store.clone()).await.unwrap();
    let session = one.new_admin().await;
    let hash = session.actor.session();
    two.control.follow_store().await;
    assert!(
        two.control.authenticate(&session.token, &client("127.0.0.1")).is_some(),
        "a session begins on the others without a revision"
    );

    let start = Now::read();
    assert!(one.control.0.sessions.touch(&hash, start.plus(MINUTE * 29)).is_some());
    one.control.write_sessions(start.plus(MINUTE * 29), false).await;
    let late = start.plus(MINUTE * 40);
    two.control.tidy(late).await;
    assert_eq!(store.sessions().await.unwrap().len(), 1);
    assert!(two.control.0.sessions.is_live(&hash, late), "it goes on there, too");

    two.control.tidy(start.plus(MINUTE * 70)).await;
    assert!(store.sessions().await.unwrap().is_empty(), "one that nobody uses ends");
}

#[tokio::test]
async fn usage_is_written_while_the_channel_is_open() {
    let bench = bench().await;
    let key = KeyId::new("kkkkkkkkkkkk").unwrap();
    let (sender, receiver) = tokio::sync::mpsc::channel(10);
    let writer = tokio::spawn({
        let control = bench.control.clone();
        async move { control.run_usage_writer(receiver, CancellationToken::new()).await }
    });
    let at = Now::read().wall;
    sender.send(record(&key, at, 200)).await.unwrap();
    until(async || bench.control.0.store.usage(at, at + 1, 10).await.unwrap().len() == 1).await;
    drop(sender);
    writer.await.unwrap();
    assert_eq!(bench.control.0.usage.total(&key).requests, 1);
}

#[tokio::test]
async fn what_was_recorded_before_the_stop_is_written_and_nothing_is_taken_after() {
    const MANY: u64 = 2_500;
    let bench = bench().await;
    let key = KeyId::new("kkkkkkkkkkkk").unwrap();
    let at = Now::read().wall;
    // The gateway's end of the channel lives on.
    let (sender, receiver) = tokio::sync::mpsc::channel(MANY as usize);
    for request_id in 0..MANY {
        let record = domain::usage::UsageRecord { request_id, ..record(&key, at, 200) };
        sender.try_send(record).map_err(|_| "full").unwrap();
    }
    let stop = CancellationToken::new();
    stop.cancel();
    bench.control.run_usage_writer(receiver, stop).await;
    assert_eq!(bench.control.0.store.usage(at, at + 1, 10_000).await.unwrap().len() as u64, MANY);
    assert!(sender.is_closed());
}
