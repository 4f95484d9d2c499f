//! A full disk. Mounting a small file system takes rights a test does not have everywhere, and a limit on file sizes
//! holds for every folder; so a small library is compiled and loaded before the C library, and answers writes below one
//! folder with "no space left on device".
#![cfg(target_os = "linux")]

use std::{fs, process::Command};

use crate::harness::{Home, Server, home_with_key, http, until};

const LIBRARY: &str = include_str!("full_disk/no_space.c");

/// The server on a data folder that takes no more bytes while the file `full` exists.
pub fn on_full_disk(home: &Home) -> Command {
    let source = home.path().join("no_space.c");
    let library = home.path().join("no_space.so");
    fs::write(&source, LIBRARY).unwrap();
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    assert!(compiled.expect("a C compiler (cc) is needed, as for building").success());
    let mut command = home.command_of(env!("CARGO_BIN_EXE_ollama-fortress"), &["serve"]);
    command
        .env("LD_PRELOAD", library)
        .env("NO_SPACE_BELOW", home.data())
        .env("NO_SPACE_WHILE", home.path().join("full"));
    command
}

#[tokio::test]
async fn it_starts_read_only_and_says_so() {
    let (home, key) = home_with_key();
    let command = on_full_disk(&home);
    fs::write(home.path().join("full"), "").unwrap();
    let mut server = home.start_command(command);
    let line = server.line();
    assert!(line.starts_with("READ-ONLY: "), "{line}");
    let tags = http().get(server.url("/api/tags")).bearer_auth(&key).send().await.unwrap();
    assert_eq!(tags.status(), 200, "inference goes on with the keys there are");
    assert_eq!(http().get(server.url("/readyz")).send().await.unwrap().status(), 200);
    server.kill();

    fs::remove_file(home.path().join("full")).unwrap();
    assert_eq!(home.names(&["user", "list"]), ["ada"], "nothing was lost");
    home.ok(&["user", "add", "bob"]);
}

#[tokio::test]
async fn one_that_fills_up_refuses_changes_and_serves_on() {
    let (home, key) = home_with_key();
    let server = home.start_command(on_full_disk(&home));
    home.ok(&["user", "add", "before"]);
    fs::write(home.path().join("full"), "").unwrap();
    let refused = home.run(&["user", "add", "during"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let tags = http().get(server.url("/api/tags")).bearer_auth(&key).send().await.unwrap();
    assert_eq!(tags.status(), 200);
    // Whoever has a key that got out is shut out all the same.
    let revoked = home.run(&["key", "revoke", key.get(..15).unwrap()]);
    assert!(revoked.code == Some(1) && revoked.stderr.contains("the key is refused from now on"), "{revoked:?}");
    let tags = http().get(server.url("/api/tags")).bearer_auth(&key).send().await.unwrap();
    assert_eq!(tags.status(), 401);
    // The same process writes again once there is room, and what it writes is there after a power cut.
    fs::remove_file(home.path().join("full")).unwrap();
    until("it can be written again", || (home.run(&["user", "add", "after"]).code == Some(0)).then_some(()));
    let fresh = home.ok(&["key", "create", "--user", "after", "--name", "laptop"]);
    let status = async |server: &Server, key: &str| {
        http().get(server.url("/api/tags")).bearer_auth(key).send().await.unwrap().status().as_u16()
    };
    assert_eq!([status(&server, &fresh).await, status(&server, &key).await], [200, 401]);
    server.kill();
    let server = home.start();
    let names = home.names(&["user", "list"]);
    assert!(names.contains(&"before".to_owned()) && names.contains(&"after".to_owned()), "{names:?}");
    assert!(!names.contains(&"during".to_owned()), "what was refused must not appear later: {names:?}");
    assert_eq!([status(&server, &fresh).await, status(&server, &key).await], [200, 401]);
    home.ok(&["user", "add", "later"]);
    server.stop();
}
