//! Whatever was acknowledged is there after kill -9.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    sync::mpsc,
    thread,
};

use crate::harness::{DEADLINE, Home};

/// Kills. Each starts the server anew on what the last one left.
const ROUNDS: usize = 5;
/// Writers at once, so that the kill falls among commits.
const WRITERS: usize = 3;

/// Adds users through the control socket, as the command line does, until the server is gone; every acknowledged name
/// is sent on.
fn write_until_killed(
    home: &Home,
    round: usize,
    writer: usize,
    acknowledged: mpsc::Sender<String>,
) -> thread::JoinHandle<()> {
    let socket = home.socket();
    thread::spawn(move || {
        for number in 0.. {
            let name = format!("u{round}-{writer}-{number}");
            let Ok(mut stream) = UnixStream::connect(&socket) else { return };
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            let command = serde_json::json!({ "command": "user_add", "name": name });
            if writeln!(stream, "{command}").is_err() {
                return;
            }
            let mut answer = String::new();
            match BufReader::new(stream).read_line(&mut answer) {
                Ok(1..) => assert!(answer.starts_with(r#"{"Ok""#), "{answer}"),
                _ => return,
            }
            if acknowledged.send(name).is_err() {
                return;
            }
        }
    })
}

#[test]
fn every_acknowledged_write_survives_kill_9() {
    let home = Home::new();
    let mut expected = BTreeSet::new();
    for round in 0..ROUNDS {
        let server = home.start();
        let (sender, acknowledged) = mpsc::channel();
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| write_until_killed(&home, round, writer, sender.clone())).collect();
        drop(sender);
        // Another number every round, so that the kill meets the log at other places.
        for _ in 0..10 + 7 * round {
            expected.insert(acknowledged.recv_timeout(DEADLINE).unwrap());
        }
        server.kill();
        for writer in writers {
            writer.join().unwrap();
        }
        expected.extend(acknowledged.try_iter());
        let found: BTreeSet<String> = home.names(&["user", "list"]).into_iter().collect();
        let lost: Vec<_> = expected.difference(&found).collect();
        assert!(lost.is_empty(), "round {round}: of {} acknowledged, lost: {lost:?}", expected.len());
    }
}
