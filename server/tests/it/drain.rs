//! A backend's share of the work and its drain, from the command line.

use std::process::Stdio;

use testkit::FakeOllama;

use crate::harness::{Home, Server, home_with_key, http, until, until_listed};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ollama-fortress");
const QUESTION: &str = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;

fn ask(server: &Server, key: &str) -> reqwest::RequestBuilder {
    http().post(server.url("/api/chat")).bearer_auth(key).body(QUESTION)
}

fn row(home: &Home) -> serde_json::Value {
    home.json(&["backend", "list"])[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_waits_for_the_last_stream_admits_nothing_new_and_outlives_a_restart() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await;
    let (home, key) = home_with_key();
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    let server = home.start();
    until_listed(&server, &key, "llama3.2").await;
    ollama.hold();
    let release = async {
        ollama.wait_for(|seen| seen.inference().count() == 1).await;
        ollama.release_chunk();
    };
    let (answer, ()) = tokio::join!(ask(&server, &key).send(), release);
    let mut answer = answer.unwrap();
    answer.chunk().await.unwrap().unwrap();

    let impatient = home.run(&["backend", "drain", "gpu", "--wait", "--timeout", "0"]);
    assert_eq!(impatient.code, Some(1), "{impatient:?}");
    assert!(impatient.stderr.contains("gpu still has 1 request in flight"), "{impatient:?}");
    until("the list shows the drain", || {
        let row = row(&home);
        (row["draining"] == true && row["state"] == "draining" && row["in_flight"] == 1).then_some(())
    });
    assert!(home.ok(&["backend", "list"]).contains("up, draining, 1 request left"));
    assert_eq!(ask(&server, &key).send().await.unwrap().status(), 503);

    let mut waiting = home.command_of(PROGRAM, &["backend", "drain", "gpu", "--wait", "--json"]);
    let waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    ollama.release_all();
    let text = answer.text().await.unwrap();
    assert!(text.contains(r#""done":true"#), "{text}");
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let drained: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&drained[0]["in_flight"], &drained[0]["draining"]), (&0.into(), &true.into()));
    assert_eq!(ollama.inference_requests().len(), 1, "nothing else reached it");
    server.stop();

    assert_eq!(home.run(&["backend", "drain", "gpu", "--wait"]).code, Some(0), "nothing is in flight without a server");
    assert!(home.ok(&["backend", "list"]).contains("enabled, drained"));
    let server = home.start();
    until("the backend is looked at", || (row(&home)["state"] == "draining").then_some(()));
    assert_eq!(ask(&server, &key).send().await.unwrap().status(), 503);
    home.ok(&["backend", "undrain", "gpu"]);
    assert_eq!(ask(&server, &key).send().await.unwrap().status(), 200);
    server.stop();
}

#[test]
fn a_backends_share_is_set_and_changed_by_what_is_named() {
    let home = Home::new();
    let share = || {
        let row = row(&home);
        (row["parallel"].as_u64(), row["weight"].as_u64(), row["priority"].as_u64())
    };
    home.ok(&["backend", "add", "--name", "gpu", "--url", "http://127.0.0.1:9", "--parallel", "4", "--weight", "3"]);
    assert_eq!(share(), (Some(4), Some(3), Some(0)));
    home.ok(&["backend", "edit", "gpu", "--priority", "7", "--name", "gpu 1"]);
    assert_eq!(share(), (Some(4), Some(3), Some(7)));
    home.ok(&["backend", "edit", "gpu 1", "--parallel", "auto"]);
    assert_eq!(share(), (None, Some(3), Some(7)));
    for (option, value, bounds) in
        [("--parallel", "0", "1 to 1000"), ("--weight", "101", "1 to 100"), ("--priority", "-1", "0 to 100")]
    {
        let refused = home.run(&["backend", "edit", "gpu 1", option, value]);
        assert_eq!(refused.code, Some(64), "{refused:?}");
        assert!(refused.stderr.contains(option) && refused.stderr.contains(bounds), "{refused:?}");
    }
    assert_eq!(share(), (None, Some(3), Some(7)), "nothing half-saved");
    let table = home.ok(&["backend", "list"]);
    assert!(table.contains("AT ONCE") && table.contains("PRIORITY") && table.contains("gpu 1"), "{table}");
    for command in ["drain", "undrain", "edit"] {
        assert_eq!(home.run(&["backend", command, "nobody"]).code, Some(1), "{command}");
    }
}
