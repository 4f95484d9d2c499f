//! Redis through the binary: from the environment and from the Settings page, in force at once, and never its password in
//! a log or a page.

use testkit::RedisServer;

use crate::{
    admin::{Admin, home_with_admin},
    harness::{Home, Server, http, until},
};

const PASSWORD: &str = "canary-redis-geheim";

fn url(server: &RedisServer) -> String {
    server.url().as_str().replace("redis://", &format!("redis://:{PASSWORD}@"))
}

fn key(home: &Home) -> String {
    home.ok(&["user", "add", "ada"]);
    home.ok(&["key", "create", "--user", "ada", "--name", "laptop"])
}

/// How many requests the one key of `server` has in Redis.
fn counted(redis: &RedisServer) -> u32 {
    let cli = |arguments: &[&str]| redis.cli(&[&["-a", PASSWORD, "--no-auth-warning"], arguments].concat());
    let keys = cli(&["KEYS", "op:rl:*"]);
    let Some(key) = keys.lines().find(|key| *key != "op:rl:trial" && !key.is_empty()) else { return 0 };
    let rows = cli(&["HGETALL", key]);
    let rows: Vec<&str> = rows.lines().collect();
    rows.chunks(2).filter(|row| row[0].parse::<u64>().is_ok()).map(|row| row[1].parse::<u32>().unwrap()).sum()
}

async fn call(server: &Server, key: &str) -> u16 {
    http().get(server.url("/api/tags")).bearer_auth(key).send().await.unwrap().status().as_u16()
}

async fn until_in_use(server: &Server, admin: &Admin) {
    let deadline = std::time::Instant::now() + crate::harness::DEADLINE;
    loop {
        let answer = admin.get(server, "/admin/fn/settings/redis-status").send().await.unwrap().text().await.unwrap();
        if answer.contains("in_use") {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{answer}; log: {}", server.log());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn two_servers_share_a_limit_through_redis_url() {
    let redis = RedisServer::with(&["--requirepass", PASSWORD]).await;
    let home = home_with_admin().with("REDIS_URL", &url(&redis)).with("RATE_LIMIT_REQUESTS", "4");
    let key = key(&home);
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    until_in_use(&server, &admin).await;
    assert_eq!([call(&server, &key).await, call(&server, &key).await], [200, 200]);
    assert_eq!(counted(&redis), 2);
    let page = admin.get(&server, "/admin/settings").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Redis: in use"), "the frame says it");
    assert!(!page.contains(PASSWORD));
    // A restart is another gateway to Redis: it takes the count over.
    let log = server.log();
    server.stop();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    until_in_use(&server, &admin).await;
    assert_eq!([call(&server, &key).await, call(&server, &key).await, call(&server, &key).await], [200, 200, 429]);
    assert!(!log.contains(PASSWORD) && !server.log().contains(PASSWORD));
    server.stop();
}

#[tokio::test]
async fn an_address_saved_in_the_page_is_in_force_without_a_restart() {
    let redis = RedisServer::with(&["--requirepass", PASSWORD]).await;
    let home = home_with_admin().with("RATE_LIMIT_REQUESTS", "3").with("LOG_LEVEL", "trace");
    let key = key(&home);
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    assert_eq!(call(&server, &key).await, 200);
    let port = redis.url().port().unwrap().to_string();
    let fields = [("redis_host", "127.0.0.1"), ("redis_port", &port), ("redis_password", PASSWORD)];
    let saved = admin.call(&server, "settings/save", &fields).await;
    assert!(saved["redis_has_password"].as_bool().unwrap() && !saved.to_string().contains(PASSWORD), "{saved}");
    until_in_use(&server, &admin).await;
    until("what was counted before is told", || (counted(&redis) == 1).then_some(()));
    assert_eq!([call(&server, &key).await, call(&server, &key).await, call(&server, &key).await], [200, 200, 429]);
    assert_eq!(counted(&redis), 3);
    let tested = admin.call(&server, "settings/redis", &[]).await;
    assert_eq!(tested["kind"], "reachable", "{tested}");
    admin.call(&server, "settings/save", &[("redis_url", "")]).await;
    let status = admin.get(&server, "/admin/fn/settings/redis-status").send().await.unwrap().text().await.unwrap();
    assert!(status.contains("not_configured"), "{status}");
    assert!(!server.log().contains(PASSWORD));
    server.stop();
}
