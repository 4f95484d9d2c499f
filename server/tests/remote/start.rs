//! From nothing to accounted answers on a database server, over a restart; and the starts that are refused.

use crate::{
    admin::Admin,
    harness::{Home, until, until_listed},
    server::SurrealServer,
    support::{ask, home_on, ollama},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_keeps_everything_on_the_server() {
    let database = SurrealServer::start();
    let ollama = ollama().await;
    let home = home_on(&database).with("OLLAMA_SERVERS", &ollama.base());
    let server = home.start();
    Admin::sign_in(&server).await;
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    until_listed(&server, &key, "llama3.2").await;
    for _ in 0..3 {
        assert_eq!(ask(&server, &key, "llama3.2").await, 200);
    }
    server.stop();

    // Nothing of it is in the folder of the gateway, so another one goes on.
    drop(home);
    let home = home_on(&database);
    let server = home.start();
    until_listed(&server, &key, "llama3.2").await;
    assert_eq!(ask(&server, &key, "llama3.2").await, 200);
    let admin = Admin::sign_in(&server).await;
    assert_eq!(home.names(&["user", "list"]), ["ada"]);
    let requests = || home.json(&["key", "list"])[0]["requests"].as_u64().unwrap();
    // Three and one answers, and the lists asked for; the last ones are written within a second or two.
    until("the usage of both gateways", || (requests() >= 4 + 2).then_some(()));
    drop(admin);
    assert!(!server.log().contains("ERROR"), "{}", server.log());
    server.stop();
}

#[test]
fn a_database_server_that_cannot_be_used_is_one_line() {
    let database = SurrealServer::start();
    let address = database.address();
    for (wrong, expected) in [
        (format!("ws://root:hunter2@{address}"), "refuses the user name or the password"),
        (format!("ws://root:hunter2@{address}/other/place"), "refuses the user name or the password"),
        (format!("wss://root:hunter2@{address}"), "is it ws:// there"),
        ("ws://root:hunter2@127.0.0.1:1".into(), "refused"),
    ] {
        let home = Home::new().with("DATABASE_URL", &wrong);
        for command in [&["serve"][..], &["user", "list"]] {
            let outcome = home.run(command);
            let lines: Vec<&str> =
                outcome.stderr.lines().filter(|line| line.starts_with("ollama-fortress: ")).collect();
            assert_eq!((outcome.code, lines.len()), (Some(1), 1), "{outcome:?}");
            assert!(lines[0].contains(expected) && !outcome.stderr.contains("hunter2"), "{outcome:?}");
            assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
        }
    }
    let home = Home::new().with("DATABASE_URL", &format!("ws://root:hunter2@{address}/alone"));
    let outcome = home.run(&["serve"]);
    assert_ne!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("/namespace/database") && !outcome.stderr.contains("hunter2"), "{outcome:?}");
}

#[test]
fn another_secret_than_the_group_s_is_refused() {
    let database = SurrealServer::start();
    let first = home_on(&database).start();
    let stranger = home_on(&database).with("SECRET_KEY", "Another9QmT7rXw2LpB8nYc5HdJ6sGf4");
    let outcome = stranger.run(&["serve"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("SECRET_KEY"), "{outcome:?}");
    first.stop();
}
