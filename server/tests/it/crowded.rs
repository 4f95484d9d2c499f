//! A process that has no file descriptor left: what runs goes on, and it recovers.

use std::net::TcpStream;

use testkit::FakeOllama;

use crate::harness::{Home, http, until, until_listed};

#[tokio::test]
async fn a_stream_goes_on_while_no_connection_can_be_accepted_and_afterwards_all_is_well() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).chunks(4).start().await;
    let home = Home::new();
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    let script = "ulimit -n 96 && exec \"$0\" serve";
    let server = home.start_command(home.command_of("sh", &["-c", script, env!("CARGO_BIN_EXE_ollama-fortress")]));
    until_listed(&server, &key, "llama3.2").await;
    let ask = || {
        let question = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;
        http().post(server.url("/api/chat")).bearer_auth(&key).body(question).send()
    };

    ollama.hold();
    let (answer, ()) = tokio::join!(ask(), async {
        ollama.wait_for(|seen| seen.inference().count() == 1).await;
        ollama.release_chunk();
    });
    let mut stream = answer.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());

    let crowd: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    until("the shortage is told", || server.log().contains("cannot accept connections").then_some(()));
    for _ in 0..2 {
        ollama.release_chunk();
        assert!(stream.chunk().await.unwrap().is_some(), "the stream goes on");
    }
    ollama.release_all();
    let mut rest = String::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        rest.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(rest.contains(r#""done":true"#), "{rest}");

    drop(crowd);
    let after = ask().await.unwrap();
    assert_eq!(after.status(), 200);
    assert!(after.text().await.unwrap().contains(r#""done":true"#));
    home.ok(&["user", "add", "late"]);
    assert_eq!(home.names(&["user", "list"]).len(), 2, "the database has its files too");
    server.stop();
}
