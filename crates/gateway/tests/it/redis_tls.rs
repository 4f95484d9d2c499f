//! Redis over TLS, a real redis-server with a certificate of a private authority: used where that authority is trusted,
//! and in every other case refused with the reason, while limits are counted here.

use std::time::Duration;

use domain::{
    limit::RateLimit,
    settings::{RedisState, RedisStatus},
};
use gateway::{Authority, RedisSettings};
use testkit::{
    FakeOllama, RedisServer,
    certificates::{self, Pair},
};

use crate::rig::{Rig, eventually};

/// With time enough for a handshake on a starved machine.
fn settings(server: &RedisServer, host: &str, authority: Option<&certificates::Authority>) -> RedisSettings {
    let mut settings = RedisSettings::new(server.secured_url(host), None);
    settings.budget = Duration::from_secs(5);
    settings.authority = authority.map(|authority| Authority::parse(&authority.pem()).unwrap());
    settings
}

async fn fault(server: &RedisServer, host: &str, authority: Option<&certificates::Authority>) -> String {
    match settings(server, host, authority).test().await {
        RedisState::Unreachable { detail } => detail,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn two_gateways_share_a_limit_over_tls_with_a_private_authority() {
    let authority = certificates::Authority::default();
    let server = RedisServer::secured(&authority.pair(&["localhost"])).await;
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let limit = RateLimit { requests: 3, minutes: 60 };
    let one = Rig::with(&[&backend], |plan| plan.limit = Some(limit)).await;
    let other = Rig::with(&[&backend], |plan| plan.limit = Some(limit)).await;
    for rig in [&one, &other] {
        rig.gateway.set_redis(Some(settings(&server, "localhost", Some(&authority))));
        eventually("Redis is in use", || matches!(rig.gateway.redis_state(), RedisStatus::InUse { .. })).await;
    }
    let mut statuses = Vec::new();
    for rig in [&one, &other, &one, &other, &one] {
        statuses.push(rig.get("/api/tags").await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}

#[tokio::test]
async fn a_redis_that_nobody_trusted_vouches_for_is_not_used_and_the_reason_is_told() {
    let (authority, stranger) = (certificates::Authority::default(), certificates::Authority::default());
    let good = RedisServer::secured(&authority.pair(&["localhost"])).await;
    let expired = RedisServer::secured(&authority.expired_pair(&["localhost"])).await;
    let plain = RedisServer::start().await;
    for (detail, words) in [
        (fault(&good, "localhost", None).await, "nobody that is trusted here vouches"),
        (fault(&good, "localhost", Some(&stranger)).await, "nobody that is trusted here vouches"),
        (fault(&good, "127.0.0.1", Some(&authority)).await, "is for another name"),
        (fault(&expired, "localhost", Some(&authority)).await, "has expired"),
        (fault(&plain, "localhost", Some(&authority)).await, "is TLS turned on"),
    ] {
        assert!(detail.starts_with("TLS failed: ") && detail.contains(words), "{detail}");
    }
    assert!(matches!(settings(&good, "localhost", Some(&authority)).test().await, RedisState::Reachable { .. }));

    // Requests are counted here meanwhile, and the state says why.
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::with(&[&backend], |plan| plan.limit = Some(RateLimit { requests: 1, minutes: 60 })).await;
    rig.gateway.set_redis(Some(settings(&expired, "localhost", Some(&authority))));
    let failed = || match rig.gateway.redis_state() {
        RedisStatus::Failed { detail, .. } => detail.contains("has expired"),
        _ => false,
    };
    eventually("the state says why", failed).await;
    assert_eq!([rig.get("/api/tags").await.status, rig.get("/api/tags").await.status], [200, 429]);
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_without_a_restart_of_the_gateway() {
    let authority = certificates::Authority::default();
    let mut server = RedisServer::secured(&authority.expired_pair(&["localhost"])).await;
    let rig = Rig::start(&[]).await;
    rig.gateway.set_redis(Some(settings(&server, "localhost", Some(&authority))));
    eventually("it is refused", || matches!(rig.gateway.redis_state(), RedisStatus::Failed { .. })).await;
    let renewed: Pair = authority.pair(&["localhost"]);
    server.renew(&renewed).await;
    eventually("it is used", || matches!(rig.gateway.redis_state(), RedisStatus::InUse { .. })).await;
}
