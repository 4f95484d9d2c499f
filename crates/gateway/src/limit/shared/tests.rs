//! The script against the ring, on a real redis-server. Its clock cannot be set, so the one line that reads it is replaced
//! by one that reads a key; everything else is the script as it runs.

use domain::limit::RateLimit;
use proptest::{prelude::*, test_runner::TestRunner};
use redis::{AsyncConnectionConfig, Cmd, IntoConnectionInfo, Pipeline, Value, aio::MultiplexedConnection};
use testkit::RedisServer;
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;

use super::{
    super::{
        gaps::gap,
        ring::{Decision, Ring},
    },
    live::{ADMIT, integers},
};

const CLOCK: &str = "redis.call('TIME')";
const START: u64 = 1_700_000_000_000;

fn script() -> String {
    assert_eq!(ADMIT.matches(CLOCK).count(), 1);
    ADMIT.replace(CLOCK, "{ redis.call('GET', 'now:s'), redis.call('GET', 'now:us') }")
}

/// One call: how long after the last one, under which policy, and what is owed, by age in sub-buckets.
#[derive(Debug, Clone)]
struct Step {
    gap: u64,
    limit: RateLimit,
    debt: Vec<(u64, u32)>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let limit = |minutes| (1_u32..20, minutes).prop_map(|(requests, minutes)| RateLimit { requests, minutes });
    // Of one step in thirteen the policy is another; one in seven owes something.
    let debt = (0_u8..7, [(0_u64..70, 1_u32..4), (0_u64..70, 1_u32..4), (0_u64..70, 1_u32..4)], 1_usize..4)
        .prop_map(|(rare, debt, length)| if rare == 6 { debt[..length].to_vec() } else { Vec::new() });
    let step = (gap(), 0_u8..13, limit(1_u32..4), debt);
    (limit(1_u32..3), prop::collection::vec(step, 1..60)).prop_map(|(limit, steps)| {
        let step = |(gap, rare, other, debt)| Step { gap, limit: if rare == 12 { other } else { limit }, debt };
        steps.into_iter().map(step).collect()
    })
}

async fn connect(server: &RedisServer) -> (MultiplexedConnection, AbortOnDropHandle<()>) {
    let info = "redis://socket".into_connection_info().unwrap();
    let stream = UnixStream::connect(server.socket()).await.unwrap();
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let opened = MultiplexedConnection::new_with_config(info.redis_settings(), stream, config).await;
    let (connection, driver) = opened.unwrap();
    (connection, AbortOnDropHandle::new(tokio::spawn(driver)))
}

/// Sets the clock, then runs the script.
fn call(pipeline: &mut Pipeline, sha: &str, now: u64, limit: RateLimit, debt: &[(u64, u32)]) {
    pipeline.cmd("MSET").arg("now:s").arg(now / 1_000).arg("now:us").arg(now % 1_000 * 1_000 + 999).ignore();
    pipeline.cmd("EVALSHA").arg(sha).arg(1).arg("op:rl:test").arg(limit.requests).arg(limit.minutes);
    for (slot, count) in debt {
        pipeline.arg(slot).arg(count);
    }
}

async fn load(connection: &mut MultiplexedConnection) -> String {
    let mut command = Cmd::new();
    command.arg("SCRIPT").arg("LOAD").arg(script()).query_async(connection).await.unwrap()
}

/// Ten thousand traces where nobody waits for them, fewer at a desk.
fn cases() -> u32 {
    if std::env::var_os("CI").is_some() { 10_000 } else { 300 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_script_decides_as_the_ring_does() {
    let server = RedisServer::start().await;
    let (mut connection, _driver) = connect(&server).await;
    let sha = load(&mut connection).await;
    let runtime = tokio::runtime::Handle::current();
    let mut runner =
        TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) });
    let result = tokio::task::block_in_place(|| {
        runner.run(&steps(), |steps| {
            let mut pipeline = Pipeline::new();
            pipeline.cmd("DEL").arg("op:rl:test").ignore();
            let (mut ring, mut now) = (Ring::new(steps[0].limit.minutes, START), START);
            let mut expected = Vec::new();
            for Step { gap, limit, debt } in &steps {
                now += gap;
                let slot = now / (u64::from(limit.minutes) * 1_000);
                let debt: Vec<_> = debt.iter().map(|(age, count)| (slot + 3 - age, *count)).collect();
                call(&mut pipeline, &sha, now, *limit, &debt);
                ring.merge(limit.minutes, debt.iter().copied(), now);
                expected.push(match ring.admit(*limit, now) {
                    Decision::Admitted { remaining, reset_ms } => [1, remaining.into(), reset_ms as i64, now as i64],
                    Decision::Refused { retry_ms, .. } => [0, 0, retry_ms as i64, now as i64],
                });
            }
            let answers: Vec<Value> = runtime.block_on(pipeline.query_async(&mut connection.clone())).unwrap();
            let answers: Vec<_> = answers.iter().map(|answer| integers(answer).unwrap()).collect();
            prop_assert_eq!(answers, expected);
            Ok(())
        })
    });
    result.unwrap();
}

#[tokio::test]
async fn a_clock_of_redis_that_goes_back_never_admits_more_and_locks_out_for_a_window_at_most() {
    const LIMIT: RateLimit = RateLimit { requests: 3, minutes: 1 };
    let server = RedisServer::start().await;
    let (mut connection, _driver) = connect(&server).await;
    let sha = load(&mut connection).await;
    let mut ask = async |now: u64| {
        let mut pipeline = Pipeline::new();
        call(&mut pipeline, &sha, now, LIMIT, &[]);
        let answers: Vec<Value> = pipeline.query_async(&mut connection).await.unwrap();
        let answer = integers(&answers[0]).unwrap();
        (answer[0] == 1, answer[2] as u64)
    };
    for _ in 0..3 {
        assert!(ask(START).await.0);
    }
    for back in [1, 999, 1_000, 30_000, 60_000, 60_001, 61_000, 3_600_000, 90_000_000] {
        let (admitted, retry) = ask(START - back).await;
        assert!(!admitted && retry <= 122_000, "{back}: {retry}");
    }
    // Set back by more than a window: as if all had come just then.
    assert!(!ask(START - 90_000_000 + 60_999).await.0);
    assert!(ask(START - 90_000_000 + 61_000).await.0);
}

#[tokio::test]
async fn a_ring_of_redis_ends_with_twice_its_window_and_costs_no_more_for_a_large_limit() {
    let server = RedisServer::start().await;
    let (mut connection, _driver) = connect(&server).await;
    let sha = load(&mut connection).await;
    let limit = RateLimit { requests: 1_000_000_000, minutes: 7 };
    let mut pipeline = Pipeline::new();
    for turn in 0..200 {
        call(&mut pipeline, &sha, START + turn * 7_000, limit, &[]);
    }
    let _: Vec<Value> = pipeline.query_async(&mut connection).await.unwrap();
    let fields: u32 = server.cli(&["HLEN", "op:rl:test"]).parse().unwrap();
    assert!(fields <= 61 + 2, "{fields}");
    let left: u64 = server.cli(&["PTTL", "op:rl:test"]).parse().unwrap();
    assert!((1..=2 * 7 * 60_000).contains(&left) && left > 7 * 60_000, "{left}");
}

#[tokio::test]
async fn a_poisoned_ring_is_an_error_and_not_a_quota() {
    let server = RedisServer::start().await;
    let (mut connection, _driver) = connect(&server).await;
    let sha = load(&mut connection).await;
    for poison in [
        &["SET", "op:rl:test", "x"][..],
        &["HSET", "op:rl:test", "1", "-5"],
        &["HSET", "op:rl:test", "1", "nan"],
        &["HSET", "op:rl:test", "1", "inf"],
        &["HSET", "op:rl:test", "1", "1.5"],
        &["HSET", "op:rl:test", "x", "1"],
        &["HSET", "op:rl:test", "l", "y"],
    ] {
        server.cli(&["DEL", "op:rl:test"]);
        server.cli(poison);
        let mut pipeline = Pipeline::new();
        call(&mut pipeline, &sha, START, RateLimit { requests: 5, minutes: 1 }, &[]);
        let answer: Result<Vec<Value>, _> = pipeline.query_async(&mut connection).await;
        assert!(answer.is_err(), "{poison:?}: {answer:?}");
    }
}
