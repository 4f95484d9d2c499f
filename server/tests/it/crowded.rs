//! R29. A process that has no file descriptor left: what runs goes on, and it recovers. It does not get there by itself: it
//! takes as many as it may, and lets in no more callers than these suffice for.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use testkit::FakeOllama;

use crate::harness::{DEADLINE, Home, Server, http, until, until_listed};

/// A server with limits of its own.
fn limited(home: &Home, limit: &str) -> Server {
    let script = format!("{limit} && exec \"$0\" serve");
    home.start_command(home.command_of("sh", &["-c", &script, env!("CARGO_BIN_EXE_ollama-fortress")]))
}

#[test]
fn of_more_callers_than_there_are_files_for_the_last_are_told_and_nothing_fails() {
    let home = Home::new();
    let server = limited(&home, "ulimit -n 256");
    let mut crowd: Vec<TcpStream> = (0..150).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let last = crowd.last_mut().unwrap();
    last.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: "), "{answer}");
    home.ok(&["user", "add", "ada"]);
    assert!(!server.log().contains("cannot accept connections"), "{}", server.log());
    drop(crowd);
    until("there is room again", || {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let mut answer = String::new();
        // Whoever is turned away may be reset.
        let _ = stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let _ = stream.read_to_string(&mut answer);
        answer.starts_with("HTTP/1.1 200").then_some(())
    });
    server.stop();
}

#[test]
fn the_server_takes_as_many_open_files_as_it_may() {
    let home = Home::new();
    let server = limited(&home, "ulimit -Sn 128 && ulimit -Hn 512");
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["512", "512"]);
    server.stop();
}

#[tokio::test]
async fn a_stream_goes_on_while_no_connection_can_be_accepted_and_afterwards_all_is_well() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).chunks(4).start().await;
    let home = Home::new();
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    let home = home.with("MAX_CONNECTIONS", "1000");
    let server = limited(&home, "ulimit -n 256");
    assert!(server.log().contains("MAX_CONNECTIONS is more than the limit of open files"), "{}", server.log());
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

    let crowd: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(server.address).unwrap()).collect();
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
