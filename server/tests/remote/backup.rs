//! A backup of a database on a server: made while a gateway runs and while none does, of one moment, and good for a
//! gateway with a folder of its own. A restore into the server is refused.

use std::fs;

use crate::{
    admin::Admin,
    harness::{Home, Outcome, until, until_listed},
    server::SurrealServer,
    support::{ask, home_on, ollama},
};

const PASSPHRASE: &str = "a passphrase of some length";

fn run(home: &Home, arguments: &[&str]) -> Outcome {
    let arguments = [arguments, &["--passphrase-stdin"]].concat();
    home.run_with(&format!("{PASSPHRASE}\n"), &arguments)
}

fn told(outcome: &Outcome) -> serde_json::Value {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_on_a_server_is_backed_up_running_or_stopped_and_restored_into_a_folder() {
    let database = SurrealServer::start();
    let ollama = ollama().await;
    let home = home_on(&database).with("OLLAMA_SERVERS", &ollama.base());
    let server = home.start();
    Admin::sign_in(&server).await;
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    let lost = home.ok(&["key", "create", "--user", "ada", "--name", "lost"]);
    until_listed(&server, &key, "llama3.2").await;
    for _ in 0..3 {
        assert_eq!(ask(&server, &key, "llama3.2").await, 200);
    }
    let requests = |home: &Home| home.json(&["key", "list"])[0]["requests"].as_u64().unwrap();
    until("the usage is written", || (requests(&home) >= 4).then_some(()));
    let running = told(&run(&home, &["backup", "running.backup", "--json"]));
    server.stop();
    let used = requests(&home);
    let stopped = told(&run(&home, &["backup", "stopped.backup", "--json"]));
    for (file, summary) in [("running.backup", &running), ("stopped.backup", &stopped)] {
        assert_eq!(&told(&run(&home, &["backup", "verify", file, "--json"])), summary, "{file}");
        assert_eq!((&summary["rows"]["user"], &summary["rows"]["key"]), (&1.into(), &2.into()), "{file}: {summary}");
    }
    let refused = run(&home, &["restore", "stopped.backup", "--yes"]);
    assert!(refused.code == Some(64) && refused.stderr.contains("DATABASE_URL"), "{refused:?}");
    home.ok(&["key", "revoke", &lost[..15]]);

    // On a machine that knows nothing of the server: the backup brings the secret along.
    for file in ["running.backup", "stopped.backup"] {
        let other = Home::new();
        fs::copy(home.path().join(file), other.path().join(file)).unwrap();
        told(&run(&other, &["restore", file, "--yes", "--json"]));
        assert_eq!(other.names(&["user", "list"]), ["ada"], "{file}");
        assert_eq!(other.names(&["admin", "list"]), [crate::admin::NAME], "{file}");
        let restored = requests(&other);
        assert!(restored >= 4 && restored <= used, "{file}: {restored} of {used}");
        let server = other.start();
        until_listed(&server, &key, "llama3.2").await;
        assert_eq!([ask(&server, &key, "llama3.2").await, ask(&server, &lost, "llama3.2").await], [200, 200], "{file}");
        server.stop();
    }
    // What was done since is in the database on the server, and stays there.
    let server = home.start();
    until_listed(&server, &key, "llama3.2").await;
    assert_eq!(ask(&server, &lost, "llama3.2").await, 401);
    server.stop();
}
