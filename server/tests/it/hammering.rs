//! T11: callers that never pause while their key is taken away, by the command line and by the page, with and without Redis.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use domain::key::KeyStatus;
use testkit::{Door, RedisServer};
use tokio::task::JoinHandle;

use crate::{
    admin::{Admin, home_with_admin},
    harness::{Server, home_with_key, http, until},
    redis::until_in_use,
};

const CALLERS: usize = 8;
/// Requests of each caller that begin after the answer.
const AFTERWARDS: usize = 25;

/// One key that is hammered with, and what came of it.
struct Hammer {
    key: String,
    url: String,
    /// The answer has come that says that the key is no good any more.
    gone: AtomicBool,
    admitted: AtomicUsize,
    /// Beyond the limit.
    limited: AtomicUsize,
}

impl Hammer {
    fn new(server: &Server, key: &str) -> Arc<Self> {
        let (admitted, limited) = Default::default();
        let (key, url) = (key.to_owned(), server.url("/api/tags"));
        Arc::new(Self { key, url, gone: AtomicBool::new(false), admitted, limited })
    }

    fn id(&self) -> &str {
        &self.key["op_".len()..15]
    }

    fn start(self: &Arc<Self>) -> Vec<JoinHandle<()>> {
        self.gone.store(false, SeqCst);
        (0..CALLERS).map(|_| tokio::spawn(Arc::clone(self).call())).collect()
    }

    async fn call(self: Arc<Self>) {
        /// Each request comes from an address of its own: one that fails too often is told to wait.
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let (client, mut afterwards) = (http(), 0);
        while afterwards < AFTERWARDS {
            let late = self.gone.load(SeqCst);
            let number = ASKED.fetch_add(1, SeqCst);
            let address = format!("2001:db8:{:x}:{:x}::1", number >> 16, number & 0xffff);
            let request = client.get(&self.url).bearer_auth(&self.key).header("x-forwarded-for", address);
            let status = request.send().await.unwrap().status();
            assert!(status == 401 || [200, 429].contains(&status.as_u16()) && !late, "{status}, late: {late}");
            self.admitted.fetch_add(usize::from(status == 200), SeqCst);
            self.limited.fetch_add(usize::from(status == 429), SeqCst);
            afterwards += usize::from(late);
        }
    }

    async fn until_admitted(&self, count: usize) {
        until_async(|| self.admitted.load(SeqCst) >= count).await;
    }

    /// From here on nobody may get in any more; waits for the callers to have tried.
    async fn end(&self, callers: Vec<JoinHandle<()>>) {
        self.gone.store(true, SeqCst);
        for caller in callers {
            caller.await.unwrap();
        }
    }
}

/// Without keeping a thread.
async fn until_async(done: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + crate::harness::DEADLINE;
    while !done() {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn no_request_that_starts_after_the_revocation_returned_gets_in_however_many_hammer() {
    let (home, _) = home_with_key();
    let home = home.with("TRUSTED_PROXIES", "127.0.0.1");
    let server = home.start();
    for round in 0..5 {
        let key = home.ok(&["key", "create", "--user", "ada", "--name", &format!("key {round}")]);
        let hammer = Hammer::new(&server, &key);
        let callers = hammer.start();
        until("all are at it", || (hammer.admitted.load(SeqCst) >= 80).then_some(()));
        home.ok(&["key", "revoke", &key[..15]]);
        hammer.end(callers).await;
    }
    server.stop();
}

/// With counters in Redis, whatever becomes of Redis meanwhile. The page's answer comes sooner than a command's.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn with_redis_on_the_way_nobody_gets_in_after_the_answer_nor_more_than_the_limit() {
    const LIMIT: usize = 240;
    let redis = RedisServer::start().await;
    let home = home_with_admin().with("TRUSTED_PROXIES", "127.0.0.1").with("REDIS_URL", redis.url().as_str());
    home.ok(&["user", "add", "ada"]);
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let set = async |hammer: &Hammer, status: KeyStatus| {
        let status = serde_json::to_value(status).unwrap();
        let fields = [("id", hammer.id()), ("status", status.as_str().unwrap())];
        admin.call(&server, "keys/status", &fields).await;
    };
    let slow = Door::Slow(std::time::Duration::from_millis(10));
    for (round, door) in [Door::Open, slow, Door::Hold, Door::Shut, Door::Open].into_iter().enumerate() {
        until_in_use(&server, &admin).await;
        let create = ["key", "create", "--user", "ada", "--requests", "240", "--minutes", "60", "--name"];
        let key = home.ok(&[&create[..], &[&format!("key {round}")]].concat());
        let hammer = Hammer::new(&server, &key);
        let callers = hammer.start();
        hammer.until_admitted(40).await;
        redis.door(door);
        hammer.until_admitted(80).await;
        set(&hammer, KeyStatus::Disabled).await;
        hammer.end(callers).await;
        // It comes back with what it has used.
        set(&hammer, KeyStatus::Active).await;
        let callers = hammer.start();
        until_async(|| hammer.limited.load(SeqCst) > 0).await;
        set(&hammer, KeyStatus::Revoked).await;
        hammer.end(callers).await;
        let admitted = hammer.admitted.load(SeqCst);
        assert!(admitted <= LIMIT, "{door:?}: {admitted}");
        redis.door(Door::Open);
    }
    server.stop();
}
