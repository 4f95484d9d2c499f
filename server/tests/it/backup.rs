//! Backups and restores at the real binary: what was promised to an operator in the worst hour of the year.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio, thread};

use crate::{
    full_disk::on_full_disk,
    harness::{DEADLINE, Home, Outcome, Server, home_with_key, http, until},
};

const PASSPHRASE: &str = "correct horse battery";

fn backup(home: &Home, arguments: &[&str]) -> Outcome {
    let arguments = [&["backup", "--passphrase-stdin"], arguments].concat();
    home.run_with(&format!("{PASSPHRASE}\n"), &arguments)
}

/// A backup that must succeed; what it says of itself.
fn made(home: &Home, file: &str) -> serde_json::Value {
    let outcome = backup(home, &[file, "--json"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn verify(home: &Home, file: &str) -> Outcome {
    home.run_with(&format!("{PASSPHRASE}\n"), &["backup", "verify", file, "--passphrase-stdin", "--json"])
}

fn restore(home: &Home, file: &str) -> Outcome {
    home.run_with(&format!("{PASSPHRASE}\n"), &["restore", file, "--yes", "--passphrase-stdin", "--json"])
}

/// A restore that must succeed; its report.
fn restored(home: &Home, file: &str) -> serde_json::Value {
    let outcome = restore(home, file);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

async fn status(server: &Server, key: &str) -> u16 {
    http().get(server.url("/api/tags")).bearer_auth(key).send().await.unwrap().status().as_u16()
}

/// What is beside a file, by name.
fn names(folder: PathBuf) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_under_writes_is_one_moment_and_works_on_another_machine() {
    let (home, key) = home_with_key();
    let server = home.start();
    let socket = home.socket();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = thread::spawn(move || {
        use std::io::{BufRead, BufReader, Write};
        for number in 0.. {
            // Both in one change each: a user without its number, or a gap, would be a mixture of two moments.
            let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            writeln!(stream, "{}", serde_json::json!({ "command": "user_add", "name": format!("u{number}") })).unwrap();
            BufReader::new(stream).read_line(&mut String::new()).unwrap();
            if stopped.try_recv().is_ok() {
                return;
            }
        }
    });
    until("some were written", || (home.names(&["user", "list"]).len() > 3).then_some(()));
    let summary = made(&home, "a.backup");
    stop.send(()).unwrap();
    writer.join().unwrap();
    let file = home.path().join("a.backup");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let verified = verify(&home, "a.backup");
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&verified.stdout).unwrap(), summary);
    server.stop();

    let other = Home::new();
    fs::copy(&file, other.path().join("a.backup")).unwrap();
    restored(&other, "a.backup");
    let users = other.names(&["user", "list"]);
    assert_eq!(users.len() as u64, summary["rows"]["user"].as_u64().unwrap());
    // Every user is one revision: those before the backup without a gap, and none behind it.
    let mut numbers: Vec<usize> =
        users.iter().filter_map(|name| name.strip_prefix('u').and_then(|n| n.parse().ok())).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..numbers.len()) && numbers.len() > 2, "{numbers:?}");
    let server = other.start();
    assert_eq!(status(&server, &key).await, 200, "the old key works on the new machine");
    server.stop();
}

/// T41.
#[tokio::test]
async fn a_key_revoked_after_the_backup_stays_revoked() {
    let (home, key) = home_with_key();
    let other = home.ok(&["key", "create", "--user", "ada", "--name", "other"]);
    made(&home, "a.backup");
    home.ok(&["key", "revoke", &key[..15]]);
    // Even if the database that knows of it is lost.
    for lost in [false, true] {
        if lost {
            fs::remove_dir_all(home.data().join("db")).unwrap();
        }
        let report = restored(&home, "a.backup");
        assert!(report["revoked"].to_string().contains(&key[..15]), "{report}");
        let server = home.start();
        assert_eq!([status(&server, &key).await, status(&server, &other).await], [401, 200]);
        server.stop();
    }
    let list = home.data().join("revoked-keys");
    assert!(fs::read_to_string(&list).unwrap().contains(&key[..15]));
    assert_eq!(fs::metadata(list).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_cannot_be_backed_up_or_restored_says_so_and_changes_nothing() {
    let (home, _) = home_with_key();
    let refused = |outcome: Outcome, code: i32, part: &str| {
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert!(outcome.stderr.contains(part) && outcome.stderr.lines().count() == 1, "{outcome:?}");
    };
    let short = home.run_with("elevenchars\n", &["backup", "a.backup", "--passphrase-stdin"]);
    refused(short, 64, "at least 12 characters");
    assert_eq!(made(&home, "a.backup")["rows"]["user"], 1);
    refused(backup(&home, &["a.backup"]), 64, "--force");
    assert_eq!(backup(&home, &["a.backup", "--force"]).code, Some(0));
    refused(backup(&home, &["data"]), 64, "is a folder");
    refused(backup(&home, &["no/such/folder"]), 1, "cannot write");

    let wrong = ["restore", "a.backup", "--yes", "--passphrase-stdin"];
    refused(home.run_with("another passphrase\n", &wrong), 1, "passphrase is wrong");
    refused(home.run(&["restore", "a.backup"]), 64, "--yes");
    fs::write(home.path().join("other"), "SQLite format 3\0").unwrap();
    refused(restore(&home, "other"), 1, "no backup of ollama-fortress");
    refused(restore(&home, "missing"), 1, "No such file");
    let whole = fs::read(home.path().join("a.backup")).unwrap();
    for (name, bytes) in [("cut", &whole[..whole.len() - 1]), ("long", &[whole.as_slice(), b"x"].concat())] {
        fs::write(home.path().join(name), bytes).unwrap();
        assert_eq!(restore(&home, name).code, Some(1), "{name}");
    }
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(home.path().join("flipped"), flipped).unwrap();
    assert_eq!(restore(&home, "flipped").code, Some(1));
    let elsewhere = ["DATABASE_URL=ws://127.0.0.1:1", "DATABASE_URL=mem://"];
    for given in elsewhere {
        let script =
            format!("{given} exec {} restore a.backup --yes --passphrase-stdin", env!("CARGO_BIN_EXE_ollama-fortress"));
        refused(run_shell(&home, &script), 64, "DATABASE_URL");
    }
    let script = format!(
        "SECRET_KEY=Zk3v9QmT7rXw2LpB8nYc5HdJ6sGf4aEu exec {} restore a.backup --yes --passphrase-stdin",
        env!("CARGO_BIN_EXE_ollama-fortress")
    );
    refused(run_shell(&home, &script), 64, "SECRET_KEY");

    let server = home.start();
    refused(restore(&home, "a.backup"), 1, "stop that one");
    server.stop();
    assert_eq!(home.names(&["user", "list"]), ["ada"]);
    assert!(names(home.data()).iter().all(|name| !name.contains("restor")), "{:?}", names(home.data()));
    assert!(!home.path().join("a.backup.partial").exists());
}

#[test]
fn only_regular_files_are_replaced_and_none_of_the_gateways_own() {
    let (home, _) = home_with_key();
    let at = |name: &str| home.path().join(name);
    let refused = |name: &str, part: &str| {
        let outcome = backup(&home, &[name, "--force"]);
        assert_eq!(outcome.code, Some(64), "{name}: {outcome:?}");
        assert!(outcome.stderr.contains(part) && outcome.stderr.lines().count() == 1, "{outcome:?}");
    };
    // Not with a device: a mistake would cost this machine its /dev/null.
    std::os::unix::fs::symlink("pipe", at("to-pipe")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("broken")).unwrap();
    std::os::unix::fs::symlink("data/secret.key", at("way")).unwrap();
    std::os::unix::fs::symlink("data", at("folder")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for name in ["to-pipe", "broken", "pipe", "socket"] {
        refused(name, "no regular file");
        assert!(!fs::symlink_metadata(at(name)).unwrap().is_file(), "{name}");
    }
    refused("folder", "is a folder");
    let secret = fs::read(home.data().join("secret.key")).unwrap();
    let own = ["data/secret.key", "folder/secret.key", "way", "data/revoked-keys", "data/db/x.backup", "data/db.lock"];
    for name in own {
        refused(name, "may be a file of the gateway's own");
    }
    assert_eq!(fs::read(home.data().join("secret.key")).unwrap(), secret);
    // What is left: new names, regular files, and links to those.
    fs::write(at("old"), "old").unwrap();
    std::os::unix::fs::symlink("old", at("link")).unwrap();
    fs::create_dir(home.data().join("backups")).unwrap();
    for name in ["link", "data/a.backup", "data/backups/a"] {
        assert_eq!(backup(&home, &[name, "--force"]).code, Some(0), "{name}");
        assert_eq!(verify(&home, name).code, Some(0), "{name}");
    }
    assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink(), "the link stays, its file is replaced");
    assert_eq!(verify(&home, "old").code, Some(0));
    // A draft is opened without following or waiting.
    std::os::unix::fs::symlink("old", at("b.backup.partial")).unwrap();
    assert_eq!(backup(&home, &["b.backup"]).code, Some(1));
    assert_eq!(verify(&home, "old").code, Some(0));
    home.start().stop();
}

fn run_shell(home: &Home, script: &str) -> Outcome {
    use std::io::Write;
    let mut child = home
        .command_of("sh", &["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSPHRASE}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_backup_never_holds_usage_that_was_left_out_and_is_in_the_audit_log() {
    let (home, _) = home_with_key();
    let server = home.start();
    let outcome = backup(&home, &["a.backup", "--without-usage", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(summary["usage"], false);
    assert!(summary["rows"].as_object().unwrap().keys().all(|table| !table.starts_with("usage")), "{summary}");
    let log = home.ok(&["audit", "list"]);
    assert!(log.contains("backup made"), "{log}");
    server.stop();
}

#[test]
fn a_full_disk_leaves_no_half_backup_under_any_name() {
    let (home, _) = home_with_key();
    fs::create_dir(home.data().join("backups")).unwrap();
    let mut with = home.command_of(env!("CARGO_BIN_EXE_ollama-fortress"), &["backup", "data/backups/a"]);
    for (name, value) in on_full_disk(&home).get_envs() {
        with.env(name, value.unwrap_or_default());
    }
    with.env("BACKUP_PASSPHRASE", PASSPHRASE);
    // The draft takes its first bytes, the rest finds the disk full.
    fs::write(home.data().join("backups/a.partial"), "").unwrap();
    fs::write(home.path().join("full"), "").unwrap();
    let output = with.output().unwrap();
    fs::remove_file(home.path().join("full")).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("No space left"), "{stderr}");
    assert_eq!(names(home.data().join("backups")), Vec::<String>::new());
}

#[tokio::test]
async fn a_restore_that_is_killed_leaves_the_old_database_or_the_new_one() {
    let (home, key) = home_with_key();
    for number in 0..3 {
        home.ok(&["user", "add", &format!("before-{number}")]);
    }
    made(&home, "a.backup");
    home.ok(&["user", "add", "after"]);
    let mut outcomes = Vec::new();
    // Killed later and later, until one gets through.
    for round in 0..8_u32 {
        let mut command = home.command_of(env!("CARGO_BIN_EXE_ollama-fortress"), &["restore", "a.backup", "--yes"]);
        command.env("BACKUP_PASSPHRASE", PASSPHRASE).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let folder = home.data().join("db.restoring");
        // What is on the disk says how far it is; the kill falls four times as many looks later each round.
        let mut looks = 0;
        let ended = until("the restore ends or gets far enough", || {
            if let Some(status) = child.try_wait().unwrap() {
                return Some(Some(status));
            }
            looks += u32::from(folder.exists());
            (looks >= 4_u32.pow(round)).then_some(None)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        let users = home.names(&["user", "list"]);
        let before = users.iter().filter(|name| name.starts_with("before-")).count();
        assert_eq!(before, 3, "{users:?}");
        outcomes.push(users.contains(&"after".to_owned()));
        if ended.is_some_and(|status| status.success()) {
            break;
        }
        if outcomes.last() == Some(&false) {
            // The new one is there: another round begins with the old one's row.
            home.ok(&["user", "add", "after"]);
        }
    }
    assert!(outcomes.contains(&true) && outcomes.last() == Some(&false), "{outcomes:?}");
    assert!(!home.data().join("db.restoring").exists());
    let server = home.start();
    assert_eq!(status(&server, &key).await, 200);
    server.stop();
}

/// T37.
#[tokio::test]
async fn rotated_secrets_leave_keys_and_old_backups_working() {
    let (home, key) = home_with_key();
    made(&home, "before.backup");
    let server = home.start();
    let said = home.ok(&["secrets", "rotate"]);
    assert!(said.contains("--forget-old"), "{said}");
    assert_eq!(status(&server, &key).await, 200);
    server.stop();
    home.ok(&["secrets", "rotate", "--forget-old"]);
    let server = home.start();
    assert_eq!(status(&server, &key).await, 200);
    made(&home, "after.backup");
    server.stop();
    for file in ["before.backup", "after.backup"] {
        restored(&home, file);
        let server = home.start();
        assert_eq!(status(&server, &key).await, 200, "{file}");
        server.stop();
    }
    let kept = names(home.data());
    assert_eq!(kept.iter().filter(|name| name.starts_with("db.before-restore-")).count(), 2, "{kept:?}");
    assert_eq!(kept.iter().filter(|name| name.starts_with("secret.key.before-restore-")).count(), 2, "{kept:?}");
}

#[test]
fn a_bad_previous_key_is_named_before_anything_is_opened() {
    const GOOD: &str = "Zk3v9QmT7rXw2LpB8nYc5HdJ6sGf4aEu";
    for (key, previous) in [(Some(GOOD), "changeme"), (Some(GOOD), ""), (Some(GOOD), GOOD), (None, GOOD)] {
        let mut home = Home::new().with("SECRET_KEY_PREVIOUS", previous);
        if let Some(key) = key {
            home = home.with("SECRET_KEY", key);
        }
        let outcome = home.run(&["serve"]);
        assert_eq!(outcome.code, Some(64), "{outcome:?}");
        assert!(outcome.stderr.contains("SECRET_KEY_PREVIOUS: "), "{outcome:?}");
        assert!(!outcome.stderr.contains(GOOD), "{outcome:?}");
    }
}

/// Made by the program of schema 2: see fixtures/README.md.
const OLD: &[u8] = include_bytes!("fixtures/schema-2.backup");
/// A key in it.
const OLD_KEY: &str = "op_SmpMHevWBnk3_QkdUDeo1VFNiB4fhKZKy7SL6DLuGsIS8x5Pd8tWQA1C49gFaB";

#[tokio::test]
async fn a_backup_of_schema_2_is_restored_and_every_row_is_there() {
    let home = Home::new();
    fs::write(home.path().join("old.backup"), OLD).unwrap();
    let arguments = ["restore", "old.backup", "--yes", "--passphrase-stdin", "--json"];
    let outcome = home.run_with("the passphrase of this fixture\n", &arguments);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["backup"]["schema"], 2);
    assert_eq!(home.names(&["user", "list"]), ["ada", "bob"]);
    assert_eq!(home.names(&["admin", "list"]), ["root"]);
    assert_eq!(home.json(&["admin", "list"])[0]["role"], "owner");
    let keys = home.json(&["key", "list"]);
    let told: Vec<(&str, &str)> =
        keys.iter().map(|key| (key["name"].as_str().unwrap(), key["status"].as_str().unwrap())).collect();
    let expected = [("laptop", "active"), ("revoked", "revoked"), ("disabled", "disabled"), ("lost", "revoked")];
    assert_eq!(told, expected);
    assert_eq!((&keys[0]["requests"], &keys[0]["limit"]["requests"]), (&3.into(), &100.into()));
    assert_eq!(home.json(&["user", "list"])[1]["policy"]["concurrent"], 3);
    assert_eq!(home.json(&["backend", "list"])[0]["has_token"], true);
    let server = home.start();
    assert_eq!(status(&server, OLD_KEY).await, 200, "its key works");
    let signed_in = crate::admin::post(
        &server,
        "session/login",
        &[("name", "root"), ("password", "an old administrator's password")],
    );
    assert_eq!(signed_in.send().await.unwrap().status(), 200);
    server.stop();
    let again = backup(&home, &["new.backup", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    for (table, rows) in report["backup"]["rows"].as_object().unwrap() {
        // Sessions apart nothing is lost on the way; marks and the log may have grown.
        assert!(summary["rows"][table].as_u64() >= rows.as_u64(), "{table}: {summary} after {report}");
    }
}

/// Made by the program of schema 3: see fixtures/README.md.
const DOORS: &[u8] = include_bytes!("fixtures/schema-3.backup");
/// A key in it.
const DOORS_KEY: &str = "op_gkXS80vGDbWn_7pJHYBy23Ly2f2jgGwV1mGszFYV4ShAj62bEotw91Qq1LjR7H";

#[tokio::test]
async fn a_backup_of_schema_3_is_restored_with_backends_that_take_what_they_took() {
    let home = Home::new();
    fs::write(home.path().join("old.backup"), DOORS).unwrap();
    let arguments = ["restore", "old.backup", "--yes", "--passphrase-stdin", "--json"];
    let outcome = home.run_with("the passphrase of this fixture\n", &arguments);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["backup"]["schema"], 3);
    assert_eq!(
        (home.names(&["user", "list"]), home.names(&["admin", "list"])),
        (vec!["ada".to_owned(), "bob".to_owned()], vec!["root".to_owned(), "grace".to_owned()],)
    );
    assert_eq!(home.json(&["admin", "list"])[1]["role"], "viewer");
    let backend = &home.json(&["backend", "list"])[0];
    let share = (&backend["parallel"], &backend["weight"], &backend["priority"], &backend["draining"]);
    assert_eq!(share, (&serde_json::Value::Null, &1.into(), &0.into(), &false.into()));
    assert!(home.json(&["key", "list"])[0]["requests"].as_u64() > Some(3), "its usage");
    let server = home.start();
    assert_eq!(status(&server, DOORS_KEY).await, 200, "its key works");
    home.ok(&["backend", "edit", "gpu", "--weight", "2"]);
    home.ok(&["backend", "drain", "gpu"]);
    server.stop();
    assert!(home.json(&["audit", "list"]).len() > 13, "the log goes on");
    let again = backup(&home, &["new.backup", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(summary["schema"], 8);
}
