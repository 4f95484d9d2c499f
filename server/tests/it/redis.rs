//! Redis through the binary: from the environment and from the Settings page, in force at once, and never its password in
//! a log or a page.

use testkit::{RedisServer, certificates::Authority};

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

/// Waits until Redis is asked.
pub async fn until_in_use(server: &Server, admin: &Admin) {
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
async fn a_restarted_server_takes_its_count_over_from_redis_url() {
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

/// P7: two programs with the same keys, at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_at_once_admit_exactly_the_limit_together() {
    const LIMIT: usize = 40;
    let redis = RedisServer::with(&["--requirepass", PASSWORD]).await;
    let configured = || home_with_admin().with("REDIS_URL", &url(&redis)).with("RATE_LIMIT_REQUESTS", "40");
    let (one, other) = (configured().with("RATE_LIMIT_WINDOW_MINUTES", "60"), configured());
    let other = other.with("RATE_LIMIT_WINDOW_MINUTES", "60");
    let key = key(&one);
    // The same keys and secrets, as after a backup that was restored on a second machine.
    let copied = std::process::Command::new("cp").arg("-a").args([one.data(), other.data()]).status().unwrap();
    assert!(copied.success());
    let servers = [one.start(), other.start()];
    for server in &servers {
        until_in_use(server, &Admin::sign_in(server).await).await;
    }
    let client = http();
    let bursts = (0..8).map(|caller| {
        let (client, key, url) = (client.clone(), key.clone(), servers[caller % 2].url("/api/tags"));
        tokio::spawn(async move {
            let mut statuses = Vec::new();
            for _ in 0..25 {
                statuses.push(client.get(&url).bearer_auth(&key).send().await.unwrap().status().as_u16());
            }
            statuses
        })
    });
    let mut statuses = Vec::new();
    for burst in bursts.collect::<Vec<_>>() {
        statuses.extend(burst.await.unwrap());
    }
    let admitted = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 429).count();
    let logs = servers.each_ref().map(Server::log).concat();
    assert_eq!((admitted, refused), (LIMIT, 200 - LIMIT), "{logs}");
    assert_eq!(counted(&redis), LIMIT as u32);
    servers.into_iter().for_each(Server::stop);
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
    let tested = admin.call(&server, "settings/redis", &fields).await;
    assert_eq!(tested["kind"], "reachable", "before anything is saved: {tested}");
    let saved = admin.call(&server, "settings/save", &fields).await;
    assert!(saved["redis_has_password"].as_bool().unwrap() && !saved.to_string().contains(PASSWORD), "{saved}");
    until_in_use(&server, &admin).await;
    until("what was counted before is told", || (counted(&redis) == 1).then_some(()));
    assert_eq!([call(&server, &key).await, call(&server, &key).await, call(&server, &key).await], [200, 200, 429]);
    assert_eq!(counted(&redis), 3);
    let tested = admin.call(&server, "settings/redis", &fields[..2]).await;
    assert_eq!(tested["kind"], "reachable", "{tested}");
    // The stored password goes to no other place.
    let elsewhere = [("redis_host", "localhost"), ("redis_port", &port)];
    let tested = admin.call(&server, "settings/redis", &elsewhere).await;
    assert_eq!(tested["kind"], "unreachable", "{tested}");
    // And Redis is no backend.
    let place = format!("http://localhost:{port}");
    let refused = admin.post(&server, "backends/add", &[("name", "gpu"), ("url", &place), ("token", "")]);
    let refused = refused.send().await.unwrap().text().await.unwrap();
    assert!(refused.contains("\"field\":\"url\"") && refused.contains("Redis is at this address"), "{refused}");
    admin.call(&server, "settings/save", &[("redis_url", "")]).await;
    let status = admin.get(&server, "/admin/fn/settings/redis-status").send().await.unwrap().text().await.unwrap();
    assert!(status.contains("not_configured"), "{status}");
    assert!(!server.log().contains(PASSWORD));
    server.stop();
}

#[tokio::test]
async fn redis_over_tls_is_used_with_the_authority_of_a_file_or_of_the_page_and_else_the_page_says_why_not() {
    let authority = Authority::default();
    let redis = RedisServer::secured(&authority.pair(&["localhost"])).await;
    let home = home_with_admin().with("REDIS_URL", redis.secured_url("localhost").as_str());
    let home = home.with("RATE_LIMIT_REQUESTS", "2");
    let key = key(&home);
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let place = redis.secured_url("localhost");
    let tested = admin.call(&server, "settings/redis", &[("redis_url", place.as_str())]).await.to_string();
    assert!(tested.contains("vouches for its certificate"), "{tested}");
    // Counted by this gateway alone.
    assert_eq!([call(&server, &key).await, call(&server, &key).await, call(&server, &key).await], [200, 200, 429]);
    let pair = authority.pair(&["localhost"]);
    for (typed, words) in [("nonsense", "holds no certificate"), (pair.key.as_str(), "a private key has no place here")]
    {
        let answer =
            admin.post(&server, "settings/save", &[("redis_ca", typed), ("replicas", "7")]).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_client_error() && text.contains("redis_ca") && text.contains(words), "{status} {text}");
    }
    let saved = admin.call(&server, "settings/save", &[("redis_ca", &authority.pem())]).await;
    assert_eq!(saved["replicas"]["value"], 1, "nothing half-saved");
    until_in_use(&server, &admin).await;
    assert_eq!(call(&server, &key).await, 429, "what was counted before counts there too");
    assert!(!server.log().contains("PRIVATE KEY"));
    admin.call(&server, "settings/save", &[("redis_ca", "")]).await;
    server.stop();

    std::fs::write(home.path().join("ca.pem"), format!("the office's\n{}", authority.pem())).unwrap();
    std::fs::write(home.path().join("key.pem"), &pair.key).unwrap();
    let home = home.with("REDIS_CA", "ca.pem");
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    until_in_use(&server, &admin).await;
    server.stop();
    for (file, words) in [("gone.pem", "cannot be read"), ("key.pem", "must hold certificates only")] {
        let path = home.path().join(file);
        let check = Home::new().with("REDIS_CA", path.to_str().unwrap()).run(&["check"]);
        let words = format!("REDIS_CA: {} {words}", path.display());
        assert!(check.code == Some(64) && check.stderr.contains(&words), "{check:?}");
    }
}
