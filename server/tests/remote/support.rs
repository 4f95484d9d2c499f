//! Gateways whose database is on a server.

use testkit::FakeOllama;

use crate::{
    admin,
    harness::{Home, Server, http},
    server::SurrealServer,
};

/// The same on all gateways of a group.
const SECRET: &str = "Zk3v9QmT7rXw2LpB8nYc5HdJ6sGf4aEu";
const PATH: &str = "/team/gate";

/// A data folder whose database is on `database`, with an administrator of the environment.
pub fn home_on(database: &SurrealServer) -> Home {
    Home::new()
        .with("DATABASE_URL", &database.url(PATH))
        .with("SECRET_KEY", SECRET)
        .with("ADMIN_USER", admin::NAME)
        .with("ADMIN_PASSWORD", admin::PASSWORD)
}

/// The status of an answer that `key` asks `model` for; the answer is read to its end.
pub async fn ask(server: &Server, key: &str, model: &str) -> u16 {
    let question = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
    let answer = http().post(server.url("/api/chat")).bearer_auth(key).body(question).send().await.unwrap();
    let status = answer.status().as_u16();
    answer.bytes().await.unwrap();
    status
}

/// Asks until the answer has `status`.
pub async fn until_answered(server: &Server, key: &str, model: &str, status: u16) {
    let start = std::time::Instant::now();
    loop {
        let found = ask(server, key, model).await;
        if found == status {
            return;
        }
        assert!(start.elapsed() < crate::harness::DEADLINE, "still {found}, not {status}: {}", server.log());
    }
}

pub async fn ollama() -> FakeOllama {
    FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await
}
