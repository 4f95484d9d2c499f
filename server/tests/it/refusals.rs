//! What the command line refuses: where there is nothing, what is too long, what would be a second time the same, and
//! what another program wrote. One line each, and the exit code of README's table.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
};

use testkit::FakeOllama;

use crate::harness::{DEADLINE, Home, Outcome, until};

fn line(outcome: &Outcome) -> &str {
    let lines: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("ollama-fortress: ")).collect();
    assert_eq!(lines.len(), 1, "{outcome:?}");
    lines[0]
}

#[test]
fn commands_about_what_is_there_make_nothing_where_nothing_is() {
    let home = Home::new();
    for arguments in [
        &["user", "list"][..],
        &["backend", "list"],
        &["key", "list"],
        &["user", "remove", "ada"],
        &["backend", "enable", "gpu"],
        &["key", "revoke", "op_0123456789ab"],
        &["key", "create", "--user", "ada", "--name", "laptop"],
    ] {
        let outcome = home.run(arguments);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let line = line(&outcome);
        assert!(line.contains(home.data().to_str().unwrap()) && line.contains("DATA_DIR="), "{line}");
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_value_is_a_usage_fault_and_a_state_is_not_whether_or_not_a_server_runs() {
    let home = Home::new();
    home.ok(&["user", "add", "ada"]);
    let all = |home: &Home| {
        let long = "x".repeat(100_000);
        for arguments in [
            &["backend", "add", "--name", "gpu", "--url", "ftp://gpu"][..],
            &["user", "add", "a\u{202e}b"],
            &["user", "add", &"x".repeat(101)],
            &["user", "add", &long],
            &["user", "add", "ADA"],
            &["user", "add", "\u{ff41}da"],
            &["key", "revoke", "op_short"],
            &["key", "create", "--user", "ada", "--name", "k", "--requests", "0", "--minutes", "1"],
            &["admin", "create", "root"],
            &["fly"],
        ] {
            let outcome = home.run(arguments);
            assert_eq!(outcome.code, Some(64), "{:?}: {:.300}", arguments.first(), outcome.stderr);
            assert!(!outcome.stderr.contains("version?"), "{:.300}", outcome.stderr);
        }
        let empty = home.run_with("", &["admin", "create", "root", "--password-stdin"]);
        assert_eq!(empty.code, Some(64), "{empty:?}");
        for arguments in [&["user", "enable", "nobody"][..], &["key", "enable", "op_0123456789ab"]] {
            assert_eq!(home.run(arguments).code, Some(1), "{arguments:?}");
        }
    };
    all(&home);
    let server = home.start();
    all(&home);
    assert_eq!(home.names(&["user", "list"]), ["ada"]);
    server.stop();
}

#[test]
fn a_command_that_is_too_long_is_answered() {
    let home = Home::new();
    let server = home.start();
    let ask = |command: &str| {
        let mut stream = UnixStream::connect(home.socket()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        writeln!(stream, "{command}").unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer
    };
    let long = ask(&format!(r#"{{"command":"user_add","name":"{}"}}"#, "x".repeat(1 << 20)));
    assert!(long.contains("is too long") && long.starts_with(r#"{"Err""#), "{long:.200}");
    assert!(ask(r#"{"command":"user_list"}"#).starts_with(r#"{"Ok""#));
    server.stop();
}

#[test]
fn one_server_is_one_backend_however_it_is_spelled_and_the_gateway_is_none() {
    let home = Home::new().with("PUBLIC_URL", "https://llm.example");
    let server = home.start();
    let add = |name: &str, url: &str| home.run(&["backend", "add", "--name", name, "--url", url]);
    assert_eq!(add("first", "http://localhost:9").code, Some(0));
    for same in ["http://127.0.0.1:9", "http://127.0.0.1:9/", "HTTP://LOCALHOST.:9", "http://[::1]:9", "::ffff:7f00:1"]
    {
        let url = if same.contains("://") { same.to_owned() } else { format!("http://[{same}]:9") };
        let outcome = add("second", &url);
        assert_eq!(outcome.code, Some(64), "{url}: {outcome:?}");
        assert!(line(&outcome).contains("the backend first has this address"), "{outcome:?}");
    }
    let port = server.address.port();
    for own in [format!("http://127.0.0.1:{port}"), format!("localhost:{port}/x"), "https://llm.example".into()] {
        let outcome = add("own", &own);
        assert_eq!(outcome.code, Some(64), "{own}: {outcome:?}");
        assert!(line(&outcome).contains("the gateway's own address"), "{outcome:?}");
    }
    assert_eq!(home.names(&["backend", "list"]), ["first"]);
    server.stop();

    let home = Home::new().with("PROXY_PORT", "8080").with("OLLAMA_SERVERS", "http://gpu-7, localhost:8080");
    let outcome = home.run(&["check"]);
    assert_eq!(outcome.code, Some(64), "{outcome:?}");
    assert!(line(&outcome).contains("OLLAMA_SERVERS: ") && line(&outcome).contains("own address"), "{outcome:?}");
    assert_eq!(home.run(&["backend", "add", "--name", "own", "--url", "localhost:8080"]).code, Some(64));
}

#[tokio::test]
async fn the_list_says_why_a_backend_is_down() {
    let ollama = FakeOllama::builder().models(["llama3.2"]).start().await;
    let home = Home::new();
    let server = home.start();
    ollama.refuse_connections().await;
    home.ok(&["backend", "add", "--name", "gpu", "--url", &ollama.base()]);
    let cell = until("the backend is looked at", || {
        let text = home.ok(&["backend", "list"]);
        text.lines().find(|line| line.contains("  down: ")).map(str::to_owned)
    });
    let reason = home.json(&["backend", "list"])[0]["last_error"]["message"].as_str().unwrap().to_owned();
    assert!(cell.contains(&format!("down: {reason}")), "{cell}: {reason}");
    server.stop();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_database_of_a_newer_program_is_refused_by_every_way_in() {
    // Made by this program; then its schema number was set to 4711 through the engine.
    let newer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/newer");
    let home = Home::new();
    copy(&newer, &home.data().join("db"));
    for arguments in [&["serve"][..], &["user", "list"], &["user", "add", "ada"]] {
        let outcome = home.run(arguments);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let line = line(&outcome);
        assert!(line.contains("schema 4711") && line.contains("use a newer ollama-fortress"), "{line}");
    }
}

#[test]
fn a_command_leaves_a_store_that_is_no_database_as_it_is() {
    let home = Home::new();
    let manifest = home.data().join("db/manifest");
    fs::create_dir_all(&manifest).unwrap();
    let file = manifest.join("00000000000000000000.manifest");
    fs::write(&file, b"this is no database").unwrap();
    for arguments in [&["user", "list"][..], &["user", "add", "ada"]] {
        let outcome = home.run(arguments);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(line(&outcome).contains("cannot be read"), "{outcome:?}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"this is no database");
}

#[test]
fn a_database_that_another_gateway_holds_is_left_to_it() {
    let holder = Home::new();
    let server = holder.start();
    let other = Home::new().with("DATABASE_URL", &format!("surrealkv://{}", holder.data().join("db").display()));
    // The command waits a while, because a server that is just stopping looks the same.
    for arguments in [&["serve"][..], &["user", "add", "ada"]] {
        let outcome = other.run(arguments);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(line(&outcome).contains("in use by another process"), "{outcome:?}");
    }
    assert_eq!(holder.names(&["user", "list"]), Vec::<String>::new());
    server.stop();
}

#[test]
fn what_cannot_be_reached_or_written_says_what_to_do() {
    let unreachable = Home::new().with("DATABASE_URL", "ws://127.0.0.1:1").run(&["serve"]);
    assert_eq!(unreachable.code, Some(1), "{unreachable:?}");
    assert!(line(&unreachable).contains("DATABASE_URL"), "{unreachable:?}");
    // A folder that nobody can make, the administrator of the machine included.
    for data in ["/proc/fortress".to_owned(), format!("/tmp/{}", "d".repeat(300))] {
        for arguments in [&["serve"][..], &["user", "add", "ada"]] {
            let outcome = Home::new().with("DATA_DIR", &data).run(arguments);
            assert_eq!(outcome.code, Some(1), "{outcome:?}");
            assert!(line(&outcome).contains("set DATA_DIR to another folder"), "{outcome:?}");
        }
    }
}

#[test]
fn a_data_folder_with_a_long_name_has_a_socket_all_the_same() {
    let home = Home::new();
    let deep = home.path().join("d".repeat(200));
    let home = home.with("DATA_DIR", deep.to_str().unwrap());
    let server = home.start();
    home.ok(&["user", "add", "ada"]);
    assert_eq!(home.names(&["user", "list"]), ["ada"]);
    server.stop();
}
