//! Starting, and the ways it is refused: one line that says what to do, an exit code, nothing lost.

use std::{collections::BTreeMap, fs, net::TcpListener, path::PathBuf};

use crate::harness::{Home, Outcome, until};

/// One line of the program itself, besides log lines of a level that is always told.
fn refusal(outcome: &Outcome) -> &str {
    let lines: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("ollama-fortress: ")).collect();
    assert_eq!(lines.len(), 1, "{outcome:?}");
    lines[0]
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let outcome = Home::new().with("PROXY_PORT", &port).run(&["serve"]);
    assert_eq!(outcome.code, Some(1));
    let line = refusal(&outcome);
    assert!(line.contains(&port) && line.contains("in use") && line.contains("PROXY_PORT"), "{line}");
}

#[test]
fn a_store_that_is_held_by_a_living_process_is_left_alone() {
    let home = Home::new();
    home.ok(&["user", "add", "ada"]);
    let server = home.start();
    let outcome = home.run(&["serve"]);
    assert_eq!(outcome.code, Some(1));
    assert!(refusal(&outcome).contains("in use by another process"), "{outcome:?}");
    assert_eq!(home.names(&["user", "list"]), ["ada"], "the first one still answers");
    server.stop();
}

#[test]
fn a_store_that_is_no_database_is_left_as_it_is() {
    let home = Home::new();
    home.ok(&["user", "add", "ada"]);
    let files = |home: &Home| -> BTreeMap<PathBuf, Vec<u8>> {
        // The engine's lock file holds the number of whoever opened the folder last, and no data.
        let paths = walk(&home.data().join("db")).into_iter().filter(|path| !path.ends_with("LOCK"));
        paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    };
    for path in files(&home).into_keys() {
        fs::write(path, b"this is no database").unwrap();
    }
    let before = files(&home);
    assert!(!before.is_empty());
    let outcome = home.run(&["serve"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(refusal(&outcome).contains("cannot be read"), "{outcome:?}");
    assert!(files(&home) == before, "a file was changed, added or removed");
}

#[test]
fn a_data_folder_belongs_to_one_server_wherever_its_database_is() {
    let home = Home::new().with("DATABASE_URL", "mem://");
    let server = home.start();
    home.ok(&["user", "add", "ada"]);
    let outcome = home.run(&["serve"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let line = refusal(&outcome);
    assert!(line.contains("in use by another process") && line.contains("DATA_DIR"), "{line}");
    assert_eq!(home.names(&["user", "list"]), ["ada"], "the first one still answers");
    server.kill();
    home.start().stop();
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn all_faults_of_a_configuration_are_named_together() {
    let home = Home::new()
        .with("PROXY_PORT", "eighty")
        .with("SECRET_KEY", "")
        .with("ADMIN_USER", "root")
        .with("DATABASE_URL", "sqlite+aiosqlite:///./ollama_proxy.db")
        .with("DENIED_IPS", "10.0.0.300");
    for verb in ["serve", "check"] {
        let outcome = home.run(&[verb]);
        assert_eq!(outcome.code, Some(64), "{outcome:?}");
        for name in ["PROXY_PORT", "SECRET_KEY", "ADMIN_PASSWORD", "DATABASE_URL", "DENIED_IPS"] {
            assert!(outcome.stderr.contains(&format!("ollama-fortress: {name}: ")), "{name}: {outcome:?}");
        }
    }
    assert!(!home.data().exists());
}

/// T32: no secret that could be guessed, and none is repeated.
#[test]
fn weak_secrets_are_refused_at_the_start_and_not_repeated() {
    const STRONG: [(&str, &str); 3] = [
        ("SECRET_KEY", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
        ("ADMIN_USER", "root"),
        ("ADMIN_PASSWORD", "horse battery staple"),
    ];
    const NAMES: [&str; 3] = ["SECRET_KEY", "ADMIN_PASSWORD", "SECRET_KEY_PREVIOUS"];
    for weak in ["", "changeme", "qz81xk!w", "password"] {
        for name in NAMES {
            // A password has eight characters at least, and is none of the usual ones.
            let weak = if name == "ADMIN_PASSWORD" { weak.trim_end_matches('w') } else { weak };
            let strong = STRONG.into_iter().filter(|(other, _)| *other != name);
            let home = strong.fold(Home::new(), |home, (name, value)| home.with(name, value)).with(name, weak);
            for verb in ["serve", "check"] {
                let outcome = home.run(&[verb]);
                assert_eq!(outcome.code, Some(64), "{name}={weak}: {outcome:?}");
                assert!(outcome.stderr.contains(&format!("ollama-fortress: {name}: ")), "{name}={weak}: {outcome:?}");
                assert!(!weak.starts_with("qz") || !outcome.stderr.contains(weak), "{name}: {outcome:?}");
            }
            assert!(!home.data().exists(), "{name}={weak}");
        }
    }
}

#[test]
fn all_faults_of_file_and_environment_are_named_together() {
    let home = Home::new().with("PROXY_PORT", "eighty").with("DATABASE_URL", "ws://").with("ADMIN_USER", "root");
    let text = "LOG_LEVEL=info\nSECRET_KEY hunter2\nREDIS_URL=redis://u:hunter2$x@h\nADMIN_PASSWORD hunter2\nBALANCE=fastest\n";
    fs::write(home.path().join(".env"), text).unwrap();
    for verb in ["serve", "check"] {
        let outcome = home.run(&[verb]);
        assert_eq!(outcome.code, Some(64), "{outcome:?}");
        let said: Vec<&str> =
            outcome.stderr.lines().filter_map(|line| line.strip_prefix("ollama-fortress: ")).collect();
        for expected in
            [".env: line 2 ", ".env: line 3 ", ".env: line 4 ", "PROXY_PORT: ", "DATABASE_URL: ", "BALANCE: "]
        {
            assert_eq!(said.iter().filter(|line| line.starts_with(expected)).count(), 1, "{expected}: {said:?}");
        }
        assert_eq!(said.len(), 6, "what follows from a broken line is no second fault: {said:?}");
        assert!(!outcome.stderr.contains("hunter2") && !outcome.stdout.contains("hunter2"), "{outcome:?}");
    }
}

#[test]
fn check_shows_what_holds_where_nothing_is_given() {
    let home = Home::new();
    let list = home.json(&["check"]);
    assert!(list.iter().all(|row| row["value"].as_str().is_some_and(|value| !value.is_empty())), "{list:?}");
    let row = |name: &str| list.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!((&row("MAX_BODY_MB")["value"], &row("MAX_BODY_MB")["source"]), (&"64".into(), &"default".into()));
    let database = format!("surrealkv://{}", home.data().join("db").display());
    assert_eq!(row("DATABASE_URL")["value"], database);
}

#[test]
fn check_prints_the_configuration_without_its_secrets() {
    let secret = "Zk3v9QmT7rXw2LpB8nYc5HdJ6sGf4aEu";
    let home = Home::new().with("SECRET_KEY", secret);
    fs::write(home.path().join(".env"), "PROXY_HOST=0.0.0.0\nREDIS_URL=redis://me:hunter2@cache:6379/0\n").unwrap();
    let outcome = home.run(&["check"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("0.0.0.0") && outcome.stdout.contains(".env"), "{outcome:?}");
    for hidden in [secret, "hunter2"] {
        assert!(!outcome.stdout.contains(hidden) && !outcome.stderr.contains(hidden), "{outcome:?}");
    }
    let port = home.json(&["check"]).into_iter().find(|row| row["name"] == "PROXY_PORT").unwrap();
    assert_eq!((&port["value"], &port["source"]), (&"0".into(), &"environment".into()));
}

#[test]
fn what_serve_would_refuse_check_refuses_too() {
    let home = Home::new().with("OLLAMA_SERVERS", "gpu-7, 0.0.0.0").with("REDIS_URL", "redis://cache/zero");
    for verb in ["check", "serve"] {
        let outcome = home.run(&[verb]);
        assert_eq!(outcome.code, Some(64), "{outcome:?}");
        for name in ["OLLAMA_SERVERS: entry 2", "REDIS_URL"] {
            assert!(outcome.stderr.contains(&format!("ollama-fortress: {name}: ")), "{name}: {outcome:?}");
        }
    }
}

/// The kernel's own folder takes no files from anybody, the super-user included.
#[cfg(target_os = "linux")]
#[test]
fn a_data_folder_that_cannot_be_made_is_found_out_before_the_start() {
    for folder in ["/proc/x", "/proc"] {
        let home = Home::new().with("DATA_DIR", folder).with("REDIS_URL", "redis://cache/zero");
        let outcome = home.run(&["check"]);
        assert_eq!(outcome.code, Some(64), "{outcome:?}");
        for said in ["ollama-fortress: REDIS_URL: ", "ollama-fortress: DATA_DIR: nothing can be written in /proc: "] {
            assert!(outcome.stderr.contains(said), "{outcome:?}");
        }
    }
    let home = Home::new();
    home.ok(&["check"]);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "check leaves nothing behind");
}

#[test]
fn an_unreadable_env_file_is_one_line() {
    let home = Home::new();
    let file = home.path().join(".env");
    fs::create_dir(&file).unwrap();
    for arguments in [&["serve"][..], &["check"], &["user", "list"]] {
        let outcome = home.run(arguments);
        assert_eq!(outcome.code, Some(64), "{outcome:?}");
        assert!(refusal(&outcome).contains(".env"), "{outcome:?}");
    }
    fs::remove_dir(&file).unwrap();
    fs::write(&file, "PROXY_HOST=127.0.0.1\nADMIN_PASSWORD hunter2\n").unwrap();
    let outcome = home.run(&["serve"]);
    assert!(refusal(&outcome).contains("line 2") && !outcome.stderr.contains("hunter2"), "{outcome:?}");
}

#[test]
fn an_admin_from_the_environment_takes_the_place_of_the_link() {
    let home = Home::new().with("ADMIN_USER", "root").with("ADMIN_PASSWORD", "correct horse battery");
    let server = home.start();
    assert!(!server.log().contains("correct horse"), "{}", server.log());
    server.stop();
    let reset = home.run_with("another horse battery", &["admin", "reset-password", "root", "--password-stdin"]);
    assert_eq!(reset.code, Some(0), "{reset:?}");
    assert!(home.ok(&["check"]).contains("are not used once there is one"));
    let server = home.start();
    until("it is said that the environment's password is not used", || {
        server.log().contains("ADMIN_PASSWORD is not the password of the administrator").then_some(())
    });
    assert!(!server.log().contains("horse"), "{}", server.log());
    server.stop();
}
