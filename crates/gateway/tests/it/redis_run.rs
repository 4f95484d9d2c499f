//! R11: one run through everything that happens to a Redis, under load all the while: killed, empty again, frozen, slow,
//! silent, cut off, and back each time. No request sees an error, and the limit holds from the first request to the last.

use domain::limit::RateLimit;
use testkit::{Door, FakeOllama, RedisServer, rounds};

use crate::{
    redis::{admitted, hasty, until_failed, until_in_use},
    rig::Rig,
};

/// In one window that is longer than the run.
const LIMIT: RateLimit = RateLimit { requests: 60, minutes: 60 };
/// Requests of each gateway in each state of Redis.
const BURST: usize = 6;

/// What happens, and what undoes it.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Killed,
    Frozen,
    Behind(Door),
    /// Gone and back before anybody looked.
    Restarted,
}

const FAULTS: [Fault; 6] = [
    Fault::Killed,
    Fault::Frozen,
    Fault::Behind(Door::Slow(std::time::Duration::from_secs(1))),
    Fault::Behind(Door::Hold),
    Fault::Behind(Door::Shut),
    Fault::Restarted,
];

async fn burst(rigs: &[Rig]) -> usize {
    let bursts = rigs.iter().map(|rig| admitted(rig, BURST));
    futures_util::future::join_all(bursts).await.iter().sum()
}

/// How many were admitted in all, and how many were asked for.
async fn run(rigs: &[Rig]) -> (usize, usize) {
    let mut server = RedisServer::start().await;
    for rig in rigs {
        rig.gateway.set_redis(Some(hasty(&server)));
        until_in_use(rig).await;
    }
    let (mut total, mut bursts) = (0, 0);
    for _ in 0..rounds(1, 2) {
        for fault in FAULTS {
            total += burst(rigs).await;
            match fault {
                Fault::Killed => server.kill(),
                Fault::Frozen => server.freeze(true),
                Fault::Behind(door) => server.door(door),
                Fault::Restarted => server.restart().await,
            }
            total += burst(rigs).await;
            if !matches!(fault, Fault::Restarted) {
                for rig in rigs {
                    until_failed(rig).await;
                }
            }
            total += burst(rigs).await;
            match fault {
                Fault::Killed => server.restart().await,
                Fault::Frozen => server.freeze(false),
                Fault::Behind(_) => server.door(Door::Open),
                Fault::Restarted => {}
            }
            for rig in rigs {
                until_in_use(rig).await;
            }
            bursts += 3;
        }
    }
    (total, bursts * BURST * rigs.len())
}

#[tokio::test]
async fn one_gateway_admits_no_more_than_the_limit_whatever_happens_to_redis_and_never_shuts() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rigs = [Rig::with(&[&backend], |plan| plan.limit = Some(LIMIT)).await];
    let (total, asked) = run(&rigs).await;
    let limit = LIMIT.requests as usize;
    assert!(total <= limit && asked > limit, "{total} of {asked}");
    // What Redis counted without an answer in time counts twice, which is the only loss.
    assert!(total >= limit - 2 * BURST, "{total}: what was asked for in time was admitted");
    assert_eq!(admitted(&rigs[0], BURST).await, 0, "the last return granted nothing");
}

#[tokio::test]
async fn gateways_that_know_of_each_other_stay_below_twice_the_limit_through_every_switch() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let two = |plan: &mut crate::rig::Plan| (plan.limit, plan.settings.replicas) = (Some(LIMIT), 2);
    let rigs = [Rig::with(&[&backend], two).await, Rig::with(&[&backend], two).await];
    let (total, asked) = run(&rigs).await;
    let limit = LIMIT.requests as usize;
    assert!(total < 2 * limit && asked > 2 * limit, "{total} of {asked}");
    assert!(total >= limit / 2, "{total}");
    for rig in &rigs {
        assert_eq!(admitted(rig, BURST).await, 0, "the last return granted nothing");
    }
}
