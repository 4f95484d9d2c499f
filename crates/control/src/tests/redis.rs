//! The login lock-out over several gateways, and settings that put a Redis in force.

use std::time::Duration;

use domain::settings::{RedisState, RedisStatus, SaveSettings};
use futures_util::future::join_all;
use testkit::{Door, RedisServer};

use super::*;
use crate::command::Command;

/// A gateway of its own whose environment names `server`, with the administrator root.
async fn gate(server: &RedisServer) -> (Bench, TempDir) {
    gate_at(server.url().as_str()).await
}

async fn gate_at(redis: &str) -> (Bench, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    config.environment.redis_url = Some(redis.to_owned());
    let bench = open(config, "mem://").await.unwrap();
    bench.admin().await;
    until(async || matches!(bench.gateway.redis_state(), RedisStatus::InUse { .. })).await;
    (bench, folder)
}

async fn try_login(bench: &Bench, password: &str, from: &str) -> bool {
    bench.control.login(guess("root", password), &client(from)).await.is_ok()
}

#[tokio::test]
async fn two_hundred_guesses_over_two_gateways_cost_at_most_five_hashes() {
    let server = RedisServer::start().await;
    let gates = [gate(&server).await.0, gate(&server).await.0];
    let before: u64 = gates.iter().map(|gate| gate.control.0.hasher.computed()).sum();
    let tries = (0..200).map(|number| {
        let password = if number == 150 { PASSWORD.to_owned() } else { format!("wrong guess {number}") };
        let (control, from) = (gates[number % 2].control.clone(), format!("10.0.{number}.1"));
        async move { control.login(guess("root", &password), &client(&from)).await.is_ok() }
    });
    assert!(!join_all(tries).await.contains(&true), "the right one comes too late");
    let after: u64 = gates.iter().map(|gate| gate.control.0.hasher.computed()).sum();
    assert!(after - before <= 5, "{} hashes", after - before);
}

#[tokio::test]
async fn a_lock_of_one_gateway_holds_at_the_other_and_a_success_ends_the_count_of_both() {
    let server = RedisServer::start().await;
    let [one, other] = [gate(&server).await.0, gate(&server).await.0];
    for host in 1..=4 {
        assert!(!try_login(&one, "wrong guess", &format!("10.0.0.{host}")).await);
    }
    assert!(try_login(&one, PASSWORD, "10.0.0.9").await);
    assert!(!try_login(&one, "wrong guess", "10.0.1.1").await);
    assert!(try_login(&other, PASSWORD, "10.0.0.10").await, "one failure locks nobody");
    for host in 1..=5 {
        assert!(!try_login(&one, "wrong guess", &format!("10.0.2.{host}")).await);
    }
    assert!(!try_login(&other, PASSWORD, "10.0.0.11").await);
    let reset = Command::AdminResetPassword { name: "root".into(), password: "another fine phrase".into() };
    other.control.execute(reset).await.unwrap();
    assert!(try_login(&other, "another fine phrase", "10.0.0.11").await, "a reset ends the lock for everybody");
}

#[tokio::test]
async fn a_user_who_may_do_nothing_else_is_enough_for_the_lock_out() {
    let server = RedisServer::start().await;
    let words = domain::settings::REDIS_USER.replace("PASSWORD", "geheim-geheim");
    assert_eq!(server.cli(&words.split_whitespace().collect::<Vec<_>>()), "OK");
    let mut url = server.url();
    url.set_username("fortress").unwrap();
    url.set_password(Some("geheim-geheim")).unwrap();
    let [one, other] = [gate_at(url.as_str()).await.0, gate_at(url.as_str()).await.0];
    for host in 1..=5 {
        assert!(!try_login(&one, "wrong guess", &format!("10.0.0.{host}")).await);
    }
    assert!(!try_login(&other, PASSWORD, "10.0.0.9").await, "Redis let the script count");
    let denied = server.cli(&["ACL", "LOG"]);
    assert_eq!(denied.trim(), "", "nothing was refused to it");
}

#[tokio::test]
async fn guesses_go_on_being_counted_while_redis_dies_and_are_told_when_it_is_back() {
    let mut server = RedisServer::start().await;
    let [one, other] = [gate(&server).await.0, gate(&server).await.0];
    for host in 1..=2 {
        assert!(!try_login(&one, "wrong guess", &format!("10.0.0.{host}")).await);
    }
    server.kill();
    for host in 3..=4 {
        assert!(!try_login(&one, "wrong guess", &format!("10.0.0.{host}")).await);
    }
    assert!(try_login(&other, PASSWORD, "10.1.0.1").await, "without Redis the other counts for itself");
    server.restart().await;
    for gate in [&one, &other] {
        until(async || matches!(gate.gateway.redis_state(), RedisStatus::InUse { .. })).await;
    }
    assert!(!try_login(&one, "wrong guess", "10.0.0.5").await);
    assert!(!try_login(&other, PASSWORD, "10.0.0.6").await, "five, two before, two without and one with Redis");
    assert!(!try_login(&one, PASSWORD, "10.0.0.7").await);
}

/// Five failures in all: three at one, two at the other, and no gateway has five of its own.
#[tokio::test]
async fn a_door_that_redis_closed_stays_closed_without_it_until_an_operator_opens_it() {
    let mut server = RedisServer::start().await;
    let [one, other] = [gate(&server).await.0, gate(&server).await.0];
    for (gate, hosts) in [(&one, 1..=3), (&other, 4..=5)] {
        for host in hosts {
            assert!(!try_login(gate, "wrong guess", &format!("10.0.0.{host}")).await);
        }
    }
    for (number, gate) in [&one, &other].iter().enumerate() {
        assert!(!try_login(gate, PASSWORD, &format!("10.1.0.{number}")).await, "closed by Redis");
    }
    server.kill();
    for (number, gate) in [&one, &other].iter().enumerate() {
        assert!(!try_login(gate, PASSWORD, &format!("10.2.0.{number}")).await, "and known without it");
    }
    let reset = |password: &str| Command::AdminResetPassword { name: "root".into(), password: password.into() };
    other.control.execute(reset("another fine phrase")).await.unwrap();
    assert!(try_login(&other, "another fine phrase", "10.3.0.1").await);
    assert!(!try_login(&one, PASSWORD, "10.3.0.2").await, "the other gateway's own matter");
    // Redis is back and empty: it has the last word again, beside each gateway's own count.
    server.restart().await;
    server.cli(&["FLUSHALL"]);
    until(async || matches!(one.gateway.redis_state(), RedisStatus::InUse { .. })).await;
    assert!(try_login(&one, PASSWORD, "10.3.0.3").await);
}

#[tokio::test]
async fn a_redis_that_lets_everybody_in_lets_nobody_in() {
    let server = RedisServer::start().await;
    let (gate, _folder) = gate(&server).await;
    for host in 1..=5 {
        assert!(!try_login(&gate, "wrong guess", &format!("10.0.0.{host}")).await);
        server.cli(&["FLUSHALL"]);
    }
    assert!(!try_login(&gate, PASSWORD, "10.0.0.9").await, "its own count stands");
}

/// T33.
#[tokio::test]
async fn poisoned_counters_neither_panic_nor_open() {
    let server = RedisServer::start().await;
    let (gate, _folder) = gate(&server).await;
    assert!(!try_login(&gate, "wrong guess", "10.0.0.1").await);
    for key in server.cli(&["KEYS", "op:lock:*"]).lines() {
        server.cli(&["DEL", key]);
        server.cli(&["SET", key, "poison"]);
    }
    for host in 2..=5 {
        assert!(!try_login(&gate, "wrong guess", &format!("10.0.0.{host}")).await);
    }
    assert!(!try_login(&gate, PASSWORD, "10.0.0.9").await);
}

#[tokio::test]
async fn saving_and_clearing_an_address_is_in_force_without_a_restart() {
    let server = RedisServer::with(&["--requirepass", "geheim-geheim"]).await;
    let bench = bench().await;
    let actor = bench.admin().await;
    let url = server.url();
    let save = |password: &str| SaveSettings {
        redis_host: url.host_str().unwrap().into(),
        redis_port: url.port().unwrap().to_string(),
        redis_password: password.into(),
        ..Default::default()
    };
    bench.control.save_settings(&actor, save("geheim-wrong")).await.unwrap();
    until(async || matches!(bench.control.redis_status(&actor), RedisStatus::Failed { .. })).await;
    let RedisStatus::Failed { detail, .. } = bench.control.redis_status(&actor) else { panic!() };
    assert!(detail.contains("password") && !detail.contains("geheim"), "{detail}");
    assert!(matches!(bench.control.test_redis(&actor, save("")).await.unwrap(), RedisState::Unreachable { .. }));
    let view = bench.control.save_settings(&actor, save("geheim-geheim")).await.unwrap();
    until(async || matches!(bench.control.redis_status(&actor), RedisStatus::InUse { .. })).await;
    assert!(matches!(bench.control.test_redis(&actor, save("")).await.unwrap(), RedisState::Reachable { .. }));
    assert!(view.redis_has_password && !format!("{view:?}").contains("geheim"));
    let rows = bench.control.0.store.load().await.unwrap();
    assert!(!format!("{:?}", rows.settings).contains("geheim"), "sealed at rest");
    server.door(Door::Shut);
    until(async || matches!(bench.control.redis_status(&actor), RedisStatus::Failed { .. })).await;
    server.door(Door::Open);
    assert!(matches!(bench.control.test_redis(&actor, save("")).await.unwrap(), RedisState::Reachable { .. }));
    until(async || matches!(bench.control.redis_status(&actor), RedisStatus::InUse { .. })).await;
    bench.control.save_settings(&actor, SaveSettings::default()).await.unwrap();
    assert_eq!(bench.control.redis_status(&actor), RedisStatus::NotConfigured);
    assert_eq!(bench.control.test_redis(&actor, SaveSettings::default()).await.unwrap(), RedisState::NotConfigured);
    assert!(
        tokio::time::timeout(Duration::from_secs(20), bench.control.login(guess("root", PASSWORD), &client("::1")))
            .await
            .is_ok_and(|login| login.is_ok())
    );
}

/// What a test takes along: what is typed, and what is stored only to the place that has it anyway.
#[tokio::test]
async fn what_is_typed_is_tried_before_it_is_saved_and_a_stored_password_travels_nowhere_else() {
    let (server, other) =
        (RedisServer::with(&["--requirepass", "geheim"]).await, RedisServer::with(&["--requirepass", "geheim"]).await);
    let bench = bench().await;
    let actor = bench.admin().await;
    let fields = |server: &RedisServer, user: &str, password: &str| SaveSettings {
        redis_host: server.url().host_str().unwrap().into(),
        redis_port: server.url().port().unwrap().to_string(),
        redis_user: user.into(),
        redis_password: password.into(),
        ..Default::default()
    };
    let tried = async |input: SaveSettings| {
        // So many of them within one function would not fit on a test's stack.
        let state = Box::pin(bench.control.test_redis(&actor, input)).await.unwrap();
        matches!(state, RedisState::Reachable { .. })
    };
    assert!(tried(fields(&server, "", "geheim")).await, "nothing is saved yet");
    assert!(!tried(fields(&server, "", "wrong")).await);
    assert!(!tried(fields(&server, "", "")).await);
    assert_eq!(bench.control.settings(&actor).redis_url.value, "", "a test saves nothing");
    assert_eq!(bench.control.redis_status(&actor), RedisStatus::NotConfigured);
    bench.control.save_settings(&actor, fields(&server, "", "geheim")).await.unwrap();
    assert!(tried(fields(&server, "", "")).await, "the saved one, with its password");
    assert!(!tried(fields(&server, "", "wrong")).await, "what is typed comes first");
    let forget = SaveSettings { redis_forget_password: "on".into(), ..fields(&server, "", "") };
    assert!(!tried(forget).await);
    // The other server has the same password: it would answer if it were sent there.
    assert!(!tried(fields(&other, "", "")).await);
    assert!(tried(fields(&other, "", "geheim")).await);
    server.cli(&["-a", "geheim", "--no-auth-warning", "ACL", "SETUSER", "op", "on", ">geheim", "~*", "+@all"]);
    assert!(tried(fields(&server, "op", "geheim")).await);
    assert!(!tried(fields(&server, "op", "")).await, "another user is another place");
    let whole = |url: String| SaveSettings { redis_url: url, ..fields(&server, "", "") };
    let place = other.url().as_str().replace("redis://", "redis://:geheim@");
    assert!(tried(whole(place)).await);
    assert!(!tried(whole(other.url().to_string())).await);
    let bad = SaveSettings { redis_port: "0".into(), ..fields(&server, "", "") };
    assert!(bench.control.test_redis(&actor, bad).await.err().unwrap().field("redis_port").is_some());
    let bad = SaveSettings { redis_ca: "nonsense".into(), ..fields(&server, "", "") };
    assert!(bench.control.test_redis(&actor, bad).await.err().unwrap().field("redis_ca").is_some());
}
