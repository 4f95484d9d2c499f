//! The database server dies and comes back while the gateway runs.

use crate::{
    admin::Admin,
    harness::{http, until, until_listed},
    server::SurrealServer,
    support::{ask, home_on, ollama},
};

#[tokio::test(flavor = "multi_thread")]
async fn inference_goes_on_without_the_database_and_admin_work_after_it() {
    let mut database = SurrealServer::start();
    let ollama = ollama().await;
    let home = home_on(&database).with("OLLAMA_SERVERS", &ollama.base());
    let server = home.start();
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    until_listed(&server, &key, "llama3.2").await;
    let admin = Admin::sign_in(&server).await;
    ollama.hold();
    let question = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;
    let request = http().post(server.url("/api/chat")).bearer_auth(&key).body(question).send();
    let request = tokio::spawn(request);
    ollama.wait_for(|seen| seen.inference().count() == 1).await;
    ollama.release_chunk();
    let mut stream = request.await.unwrap().unwrap();

    database.kill();
    ollama.release_all();
    while stream.chunk().await.unwrap().is_some() {}
    for _ in 0..5 {
        assert_eq!(ask(&server, &key, "llama3.2").await, 200);
    }
    let ready = http().get(server.url("/readyz")).send().await.unwrap().status();
    assert_eq!(ready, 200, "it serves");
    // By command line and by page: a clear refusal.
    let refused = home.run(&["user", "add", "bob"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("the database does not answer"), "{refused:?}");
    let answer = admin.post(&server, "users/add", &[("name", "carol")]).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(!status.is_success() && text.contains("the database does not answer"), "{status} {text}");
    assert_eq!(admin.status(&server, "/admin/users").await, 200, "pages still show what is known");

    database.start_again();
    until("admin work goes on", || (home.run(&["user", "add", "dora"]).code == Some(0)).then_some(()));
    assert_eq!(home.names(&["user", "list"]), ["ada", "dora"], "what was refused did not happen after all");
    assert_eq!(ask(&server, &key, "llama3.2").await, 200);
    // What was used meanwhile is accounted: seven answers and the lists before.
    let requests = || home.json(&["key", "list"])[0]["requests"].as_u64().unwrap();
    until("the usage of the outage", || (requests() >= 8).then_some(()));
    server.stop();

    let server = home.start();
    assert!(requests() >= 8, "it was written, not only remembered");
    server.stop();
}

#[test]
fn a_gateway_without_its_database_still_ends_in_order() {
    let mut database = SurrealServer::start();
    let server = home_on(&database).start();
    database.kill();
    server.stop();
}
