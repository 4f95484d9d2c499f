//! Limits that gateways share through Redis: exactly the limit together, and within bounds whatever happens to Redis. A real
//! redis-server behind a door that tests shut, and a fake one for what no honest server does.

use std::time::Duration;

use domain::{limit::RateLimit, settings::RedisStatus};
use futures_util::future::join_all;
use gateway::RedisSettings;
use testkit::{Door, FakeOllama, RedisServer};

use crate::{
    fake_redis::FakeRedis,
    rig::{DEADLINE, Rig},
};

const LIMIT: RateLimit = RateLimit { requests: 20, minutes: 60 };

/// With time enough on a starved machine: the numbers below are exact only while Redis answers.
fn settings(server: &RedisServer) -> RedisSettings {
    RedisSettings { budget: Duration::from_secs(5), ..hasty(server) }
}

/// As gateways are set.
pub fn hasty(server: &RedisServer) -> RedisSettings {
    RedisSettings::new(server.url(), None)
}

async fn rig(backend: &FakeOllama) -> Rig {
    Rig::with(&[backend], |plan| plan.limit = Some(LIMIT)).await
}

fn in_use(rig: &Rig) -> bool {
    matches!(rig.gateway.redis_state(), RedisStatus::InUse { .. })
}

fn failed(rig: &Rig) -> Option<String> {
    match rig.gateway.redis_state() {
        RedisStatus::Failed { detail, .. } => Some(detail),
        _ => None,
    }
}

pub async fn until_in_use(rig: &Rig) {
    until(rig, in_use).await;
}

pub async fn until_failed(rig: &Rig) {
    until(rig, |rig| failed(rig).is_some()).await;
}

/// Looks now and then, since a try comes once a second only.
async fn until(rig: &Rig, reached: impl Fn(&Rig) -> bool) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !reached(rig) {
        assert!(tokio::time::Instant::now() < deadline, "still {:?}", rig.gateway.redis_state());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// `count` requests at once; how many were admitted. Nothing but 200 and 429 may come.
pub async fn admitted(rig: &Rig, count: usize) -> usize {
    let answers = join_all((0..count).map(|_| rig.get("/api/tags"))).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 429)), "{answers:?}");
    answers.iter().filter(|answer| answer.status == 200).count()
}

fn counted(server: &RedisServer) -> u32 {
    let rows = server.cli(&["HGETALL", "op:rl:keykeykeykey"]);
    let rows: Vec<&str> = rows.lines().collect();
    let buckets = rows.chunks(2).filter(|row| row[0].parse::<u64>().is_ok());
    buckets.map(|row| row[1].parse::<u32>().unwrap()).sum()
}

#[tokio::test]
async fn two_gateways_on_one_redis_admit_exactly_the_limit_together() {
    let (backend, server) = (FakeOllama::builder().models(["llama3.2"]).start().await, RedisServer::start().await);
    let rigs = [rig(&backend).await, rig(&backend).await];
    for rig in &rigs {
        rig.gateway.set_redis(Some(settings(&server)));
        until_in_use(rig).await;
    }
    let (one, other) = tokio::join!(admitted(&rigs[0], 30), admitted(&rigs[1], 30));
    assert_eq!(one + other, 20, "{one} and {other}");
    assert_eq!(counted(&server), 20);
    let refused = rigs[0].get("/api/tags").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("ratelimit-policy"), Some("\"key\";q=20;w=3600"));
    let retry: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((3_540..=3_960).contains(&retry), "{retry}");
    let expected = format!(r#"{{"error":"rate limit exceeded: 20 requests in 60 minutes, try again in {retry} s"}}"#);
    assert_eq!(refused.body, expected);
}

#[tokio::test]
async fn the_quota_counts_down_over_both_gateways_and_a_new_number_applies_at_once() {
    let (backend, server) = (FakeOllama::builder().models(["llama3.2"]).start().await, RedisServer::start().await);
    let mut rigs = [rig(&backend).await, rig(&backend).await];
    for rig in &rigs {
        rig.gateway.set_redis(Some(settings(&server)));
        until_in_use(rig).await;
    }
    for (turn, remaining) in ["r=19;", "r=18;", "r=17;"].into_iter().enumerate() {
        let answer = rigs[turn % 2].get("/api/tags").await;
        assert!(answer.header("ratelimit").unwrap().contains(remaining), "{answer:?}");
    }
    for rig in &mut rigs {
        rig.change(|plan| plan.limit = Some(RateLimit { requests: 4, minutes: 60 }));
    }
    assert_eq!(rigs[1].get("/api/tags").await.status, 200);
    assert_eq!(rigs[0].get("/api/tags").await.status, 429);
    rigs[0].change(|plan| plan.limit = Some(RateLimit { requests: 5, minutes: 120 }));
    assert_eq!(rigs[0].get("/api/tags").await.status, 200, "another window holds the count of the old");
    assert_eq!(rigs[0].get("/api/tags").await.status, 429);
}

#[tokio::test]
async fn a_redis_that_dies_under_load_and_comes_back_empty_changes_nothing_of_the_limit() {
    let (backend, mut server) = (FakeOllama::builder().models(["llama3.2"]).start().await, RedisServer::start().await);
    let rig = rig(&backend).await;
    rig.gateway.set_redis(Some(settings(&server)));
    until_in_use(&rig).await;
    let (first, ()) = tokio::join!(admitted(&rig, 12), async { server.kill() });
    let second = admitted(&rig, 3).await;
    assert_eq!((first, second), (12, 3), "neither opened nor shut");
    until_failed(&rig).await;
    server.restart().await;
    until_in_use(&rig).await;
    assert_eq!(counted(&server), 15, "it is told everything before it is asked");
    assert_eq!(admitted(&rig, 30).await, 5, "no second quota");
    assert_eq!(counted(&server), 20);
}

#[tokio::test]
async fn a_frozen_redis_costs_the_budget_and_is_given_up() {
    let (backend, server) = (FakeOllama::builder().models(["llama3.2"]).start().await, RedisServer::start().await);
    let rig = rig(&backend).await;
    rig.gateway.set_redis(Some(hasty(&server)));
    until_in_use(&rig).await;
    assert_eq!(admitted(&rig, 6).await, 6);
    server.freeze(true);
    let admitted_alone = admitted(&rig, 40).await;
    assert_eq!(admitted_alone, 14);
    until_failed(&rig).await;
    assert!(failed(&rig).is_some_and(|detail| detail.contains("in time") || detail.contains("two seconds")));
    server.freeze(false);
    until_in_use(&rig).await;
    assert_eq!(admitted(&rig, 10).await, 0);
}

#[tokio::test]
async fn a_slow_or_cut_line_is_bridged_and_what_was_admitted_meanwhile_is_told() {
    let (backend, server) = (FakeOllama::builder().models(["llama3.2"]).start().await, RedisServer::start().await);
    let rig = rig(&backend).await;
    rig.gateway.set_redis(Some(hasty(&server)));
    until_in_use(&rig).await;
    assert_eq!(admitted(&rig, 2).await, 2);
    for (round, door) in [Door::Slow(Duration::from_secs(1)), Door::Hold, Door::Shut].into_iter().enumerate() {
        server.door(door);
        assert_eq!(admitted(&rig, 5).await, 5, "{door:?}");
        until_failed(&rig).await;
        server.door(Door::Open);
        until_in_use(&rig).await;
        // A call whose answer came too late may have been counted by Redis and here: rather twice than never.
        let (counted, known) = (counted(&server), 2 + 5 * (round as u32 + 1));
        assert!(counted >= known, "{counted} of {known} after {door:?}");
        server.cli(&["DEL", "op:rl:keykeykeykey"]);
        server.cli(&["HSET", "op:rl:keykeykeykey", "m", "60", &now_slot(&server), &known.to_string()]);
    }
    assert_eq!(admitted(&rig, 30).await, 3);
}

fn now_slot(server: &RedisServer) -> String {
    let seconds: u64 = server.cli(&["TIME"]).lines().next().unwrap().parse().unwrap();
    (seconds / 60).to_string()
}

#[tokio::test]
async fn without_redis_each_of_several_gateways_takes_its_part() {
    let (backend, mut server) = (FakeOllama::builder().models(["llama3.2"]).start().await, RedisServer::start().await);
    let mut rigs = [rig(&backend).await, rig(&backend).await];
    for rig in &mut rigs {
        rig.change(|plan| plan.settings.replicas = 2);
        rig.gateway.set_redis(Some(settings(&server)));
        until_in_use(rig).await;
    }
    assert_eq!(admitted(&rigs[0], 4).await, 4);
    server.kill();
    for rig in &rigs {
        let _ = admitted(rig, 6).await;
        until_failed(rig).await;
    }
    let alone = admitted(&rigs[0], 30).await + admitted(&rigs[1], 30).await;
    assert_eq!(alone, 20 - 4 - 6 - 6, "ten each, of which the first had six and four already");
    server.restart().await;
    for rig in &rigs {
        until_in_use(rig).await;
    }
    assert_eq!(counted(&server), 20);
    assert_eq!(admitted(&rigs[0], 5).await + admitted(&rigs[1], 5).await, 0);
}

#[tokio::test]
async fn what_was_counted_before_redis_was_configured_counts_there_too() {
    let (backend, server) = (FakeOllama::builder().models(["llama3.2"]).start().await, RedisServer::start().await);
    let rigs = [rig(&backend).await, rig(&backend).await];
    assert_eq!(admitted(&rigs[0], 15).await, 15);
    for rig in &rigs {
        rig.gateway.set_redis(Some(settings(&server)));
        until_in_use(rig).await;
    }
    assert_eq!(admitted(&rigs[1], 15).await, 5);
    rigs[0].gateway.set_redis(None);
    assert_eq!(rigs[0].gateway.redis_state(), RedisStatus::NotConfigured);
    assert_eq!(admitted(&rigs[0], 15).await, 5, "alone again, with its own fifteen");
}

#[tokio::test]
async fn a_script_that_redis_forgot_is_sent_again() {
    let (backend, server) = (FakeOllama::builder().models(["llama3.2"]).start().await, RedisServer::start().await);
    let rig = rig(&backend).await;
    rig.gateway.set_redis(Some(settings(&server)));
    until_in_use(&rig).await;
    assert_eq!(server.cli(&["SCRIPT", "FLUSH"]), "OK");
    assert_eq!(admitted(&rig, 3).await, 3);
    assert_eq!(counted(&server), 3);
    assert!(in_use(&rig));
}

#[tokio::test]
async fn a_user_who_may_do_nothing_else_is_enough_and_a_wrong_password_is_said_without_it() {
    const PASSWORD: &str = "geheim-geheim";
    let (backend, server) = (FakeOllama::builder().models(["llama3.2"]).start().await, RedisServer::start().await);
    let words = domain::settings::REDIS_USER.replace("PASSWORD", PASSWORD);
    assert_eq!(server.cli(&words.split_whitespace().collect::<Vec<_>>()), "OK");
    let rig = rig(&backend).await;
    let mut url = server.url();
    url.set_username("fortress").unwrap();
    let with = |password: &str| {
        Some(RedisSettings { budget: Duration::from_secs(5), ..RedisSettings::new(url.clone(), Some(password.into())) })
    };
    rig.gateway.set_redis(with("geheim-wrong"));
    until_failed(&rig).await;
    assert!(failed(&rig).is_some_and(|detail| detail.contains("password") && !detail.contains("geheim")));
    assert_eq!(admitted(&rig, 4).await, 4);
    rig.gateway.set_redis(with(PASSWORD));
    until_in_use(&rig).await;
    assert_eq!(admitted(&rig, 30).await, 16);
    assert_eq!(counted(&server), 20);
}

/// T33.
#[tokio::test]
async fn whatever_redis_answers_the_limit_holds_and_nobody_sees_an_error() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    for poison in [
        &b"+OK\r\n"[..],
        b":1\r\n",
        b"*0\r\n",
        b"*4\r\n:1\r\n:1\r\n$1\r\n1\r\n:1\r\n",
        b"*4\r\n:7\r\n:-9223372036854775808\r\n:-1\r\n:0\r\n",
        b"*-1\r\n",
        b"$-1\r\n",
        b"*4\r\n:1\r\n:-5\r\n:-1\r\n:9223372036854775807\r\n",
        b"*4\r\n:1\r\n:9223372036854775807\r\n:9223372036854775807\r\n:0\r\n",
        b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        b"-NOSCRIPT No matching script\r\n",
        b"-MOVED 1 10.0.0.1:6379\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b"-READONLY You can't write against a read only replica.\r\n",
        b"*1000000000\r\n",
        b"$1000000000\r\nx",
        b"\x00\xff garbage\r\n",
        b"",
    ] {
        let redis = FakeRedis::start().await;
        let rig = rig(&backend).await;
        rig.gateway.set_redis(Some(redis.settings()));
        until_in_use(&rig).await;
        redis.scripts(poison);
        let total = admitted(&rig, 10).await + admitted(&rig, 30).await;
        assert_eq!(total, 20, "{:?}", String::from_utf8_lossy(poison));
    }
}

#[tokio::test]
async fn a_redis_that_says_no_shuts_the_door_for_a_window_at_most_as_any_refusal() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let (redis, rig) = (FakeRedis::start().await, rig(&backend).await);
    rig.gateway.set_redis(Some(redis.settings()));
    until_in_use(&rig).await;
    redis.scripts(b"*4\r\n:0\r\n:99\r\n:9223372036854775807\r\n:0\r\n");
    let refused = rig.get("/api/tags").await;
    assert_eq!(refused.status, 429);
    let retry: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(retry <= 3_960, "{retry}");
    assert!(refused.header("ratelimit").unwrap().starts_with("\"key\";r=0;"));
}

#[tokio::test]
async fn a_flood_from_redis_is_cut_off() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let (redis, rig) = (FakeRedis::start().await, rig(&backend).await);
    rig.gateway.set_redis(Some(redis.settings()));
    until_in_use(&rig).await;
    redis.answer(|words| {
        words[0].starts_with("EVAL").then(|| {
            let mut flood = b"$104857600\r\n".to_vec();
            flood.resize(4 * 1024 * 1024, b'x');
            flood
        })
    });
    assert_eq!(admitted(&rig, 30).await, 20);
    until_failed(&rig).await;
    assert!(failed(&rig).is_some());
}

#[tokio::test]
async fn what_does_not_answer_as_redis_does_is_not_used() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = rig(&backend).await;
    for (command, answer) in [
        ("PING", &b"-ERR unknown\r\n"[..]),
        ("SCRIPT", b"-NOPERM no script|load for you\r\n"),
        ("SCRIPT", b"+OK\r\n"),
        ("TIME", b"+OK\r\n"),
        ("TIME", b"*2\r\n$1\r\nx\r\n$1\r\n0\r\n"),
        ("EVALSHA", b"-NOPERM no scripts for you\r\n"),
    ] {
        let redis = FakeRedis::start().await;
        redis.answer(move |words| (words[0] == command).then(|| answer.to_vec()));
        rig.gateway.set_redis(Some(redis.settings()));
        until_failed(&rig).await;
        redis.answer(|_| None);
        rig.gateway.set_redis(Some(redis.settings()));
        until_in_use(&rig).await;
        rig.gateway.set_redis(None);
    }
}
