//! Rolling upgrades at the binary: calls go on while one backend after another is away, the command line follows and upgrades
//! by a command of its own, and a restart of the gateway changes nothing.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use domain::{id::BackendId, upgrade::StartUpgrade};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use testkit::FakeOllama;

use crate::{
    admin::{Admin, home_with_admin},
    harness::{Home, home_with_key, http, until, until_listed},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ollama-fortress");
const QUESTION: &str = r#"{"model":"llama3.2","prompt":"hi","stream":false}"#;
/// Says whose turn it is, and waits until it is upgraded; not for ever, because a test may end before.
const SCRIPT: &str = "echo $FORTRESS_BACKEND_URL > turn-$FORTRESS_BACKEND_NAME; \
                      for look in $(seq 1200); do [ -e done-$FORTRESS_BACKEND_NAME ] && exit 0; sleep 0.05; done; exit 9";

fn begin(home: &Home, arguments: &[&str]) -> Child {
    let mut command = home.command_of(PROGRAM, &[&["fleet", "upgrade"], arguments].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn run(home: &Home) -> serde_json::Value {
    home.json(&["fleet", "upgrade", "status"])[0].clone()
}

fn until_phase(home: &Home, phase: &str) {
    until("the phase comes", || (run(home)["steps"][0]["phase"] == phase).then_some(()));
}

fn file(home: &Home, name: &str) -> Option<String> {
    fs::read_to_string(home.path().join(name)).ok().filter(|text| text.ends_with('\n'))
}

fn write(folder: &Path, name: &str) {
    fs::write(folder.join(name), "").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_while_three_backends_are_upgraded_one_after_another_under_load() {
    let (home, key) = home_with_key();
    let mut fakes = Vec::new();
    for number in 1..=3 {
        let fake = FakeOllama::builder().models(["llama3.2"]).first_byte_delay(5).start().await;
        fake.set(|script| script.loaded = vec!["llama3.2:latest".into()]);
        home.ok(&["backend", "add", "--name", &format!("gpu-{number}"), "--url", &fake.base()]);
        fakes.push(fake);
    }
    let server = home.start();
    until_listed(&server, &key, "llama3.2").await;
    until("all are up", || home.json(&["backend", "list"]).iter().all(|row| row["state"] == "up").then_some(()));
    let (over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..6)
        .map(|_| {
            let (key, url) = (key.clone(), server.url("/api/generate"));
            let (over, asked) = (Arc::clone(&over), Arc::clone(&asked));
            tokio::spawn(async move {
                let client = http();
                while !over.load(Ordering::SeqCst) {
                    let answer = client.post(&url).bearer_auth(&key).body(QUESTION).send().await.unwrap();
                    let (status, text) = (answer.status(), answer.text().await.unwrap());
                    assert!(status == 200 && text.contains(r#""done":true"#), "{status}: {text}");
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let following = begin(&home, &["--version", "v0.6.0", "--run", SCRIPT]);
    for (number, fake) in (1..).zip(&fakes) {
        let url = until("its turn comes", || file(&home, &format!("turn-gpu-{number}")));
        assert_eq!(url.trim(), fake.base());
        let (before, calls) = (fake.inference_requests().len(), asked.load(Ordering::SeqCst));
        until("calls go on meanwhile", || (asked.load(Ordering::SeqCst) > calls + 20).then_some(()));
        assert_eq!(fake.inference_requests().len(), before, "nothing reaches a drained backend");
        fake.refuse_connections().await;
        fake.set(|script| (script.version, script.loaded) = ("0.6.0".into(), Vec::new()));
        let calls = asked.load(Ordering::SeqCst);
        until("calls go on while it is away", || (asked.load(Ordering::SeqCst) > calls + 20).then_some(()));
        fake.accept_connections().await;
        let before = fake.inference_requests().len();
        write(home.path(), &format!("done-gpu-{number}"));
        let seen = fake.wait_for(|seen| seen.inference().count() > before).await;
        let first = seen.inference().nth(before).unwrap().json();
        assert!(first["prompt"].is_null() && first["keep_alive"].as_i64().unwrap() >= 300, "warmed first: {first}");
    }
    let followed = following.wait_with_output().unwrap();
    let said = String::from_utf8(followed.stdout).unwrap();
    assert!(followed.status.success(), "{said} {}", String::from_utf8_lossy(&followed.stderr));
    for text in ["gpu-1: rejoined: 0.5.1 became 0.6.0", "gpu-3: llama3.2:latest is loaded", "finished: 3 of 3 backends"]
    {
        assert!(said.contains(text), "{text} is missing in {said}");
    }
    over.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap();
    }
    let states = home.json(&["backend", "list"]);
    assert!(states.iter().all(|row| row["draining"] == false && row["version"] == "0.6.0"), "{states:?}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_pauses_and_a_restart_changes_nothing() {
    let (home, _) = home_with_key();
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    home.ok(&["backend", "add", "--name", "gpu", "--url", &fake.base()]);
    let server = home.start();
    until("it is looked at", || (home.json(&["backend", "list"])[0]["state"] == "up").then_some(()));
    let alone = home.run(&["fleet", "upgrade"]);
    assert_eq!(alone.code, Some(64), "{alone:?}");
    assert!(alone.stderr.contains("on the command line: --force") && alone.stderr.contains("llama3.2"), "{alone:?}");
    assert_eq!(home.run(&["fleet", "upgrade", "--version", "newest"]).code, Some(64));
    assert_eq!(home.run(&["fleet", "upgrade", "--backend", "nobody"]).code, Some(1));
    assert_eq!(home.run(&["fleet", "upgrade", "continue"]).code, Some(1), "nothing is under way");

    let failed = home.run(&["fleet", "upgrade", "--force", "--json", "--run", "echo working; exit 3"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(
        failed.stderr.contains("ended with exit code 3") && failed.stderr.contains("fleet upgrade retry"),
        "{failed:?}"
    );
    let events: Vec<serde_json::Value> =
        failed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["backend"] == "gpu" && event["at"].is_u64()), "{events:?}");
    assert!(failed.stderr.contains("working"), "with --json its output is beside the events");
    server.stop();

    assert_eq!(run(&home)["state"], "paused", "also a stopped gateway tells");
    let server = home.start();
    assert_eq!((&run(&home)["state"], &run(&home)["steps"][0]["phase"]), (&"paused".into(), &"handed_over".into()));
    assert_eq!(home.json(&["backend", "list"])[0]["draining"], true);
    let refused = home.run(&["fleet", "upgrade", "pause"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    home.ok(&["fleet", "upgrade", "retry"]);
    let followed = home.run(&["fleet", "upgrade", "follow", "--run", "true"]);
    assert_eq!(followed.code, Some(0), "{followed:?}");
    assert_eq!(home.json(&["backend", "list"])[0]["draining"], false);
    assert!(home.ok(&["fleet", "upgrade", "status"]).starts_with("Rolling upgrade, finished: 1 of 1 done."));
    assert!(followed.stdout.contains("1 of 1 backend done, version unchanged on gpu"), "{followed:?}");
    let rows = home.ok(&["audit", "list"]);
    for words in ["fleet upgrade begun", "fleet upgrade went on", "fleet upgrade answered"] {
        assert!(rows.contains(words), "{words} is missing in {rows}");
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_the_terminal_leaves_the_upgrade_as_it_is() {
    let (home, _) = home_with_key();
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    home.ok(&["backend", "add", "--name", "gpu", "--url", &fake.base()]);
    let stopped = home.run(&["fleet", "upgrade"]);
    assert_eq!(stopped.code, Some(1), "{stopped:?}");
    assert!(stopped.stderr.contains("no server runs here"), "{stopped:?}");
    let server = home.start();
    until("it is looked at", || (home.json(&["backend", "list"])[0]["state"] == "up").then_some(()));
    let following = begin(&home, &["--force"]);
    until("an upgrade is under way", || (home.json(&["fleet", "upgrade", "status"]).len() == 1).then_some(()));
    until_phase(&home, "handed_over");
    kill_process(Pid::from_child(&following), Signal::INT).unwrap();
    let left = following.wait_with_output().unwrap();
    let said = String::from_utf8(left.stderr).unwrap();
    assert_eq!(left.status.code(), Some(130), "{said}");
    assert!(said.contains("fleet upgrade follow"), "{said}");
    assert_eq!(run(&home)["steps"][0]["phase"], "handed_over");
    assert_eq!(home.run(&["fleet", "upgrade", "stop"]).code, Some(64), "it is asked what becomes of the backend");
    assert!(home.ok(&["fleet", "upgrade", "stop", "--leave-drained"]).contains("left drained"));
    assert_eq!(home.json(&["backend", "list"])[0]["draining"], true);
    assert_eq!(home.run(&["fleet", "upgrade", "follow"]).code, Some(1));
    server.stop();
}

/// Follows with a command that waits for a file, and returns when that runs. It does what it pleases with Ctrl-C.
fn follow_with(home: &Home, traps: &str, number: usize) -> Child {
    let run = format!(
        "{traps} echo $$ > runs-{number}; for look in $(seq 1200); do [ -e end-{number} ] && exit 0; sleep 0.05; done; exit 9"
    );
    let follower = begin(home, &["follow", "--run", &run]);
    until("the command runs", || file(home, &format!("runs-{number}")));
    follower
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_waits_for_the_command_and_twice_kills_it() {
    let (home, _) = home_with_key();
    let fake = FakeOllama::builder().models(["llama3.2"]).start().await;
    home.ok(&["backend", "add", "--name", "gpu", "--url", &fake.base()]);
    let server = home.start();
    until("it is looked at", || (home.json(&["backend", "list"])[0]["state"] == "up").then_some(()));
    let mut first = begin(&home, &["--force"]);
    until("an upgrade is under way", || (home.json(&["fleet", "upgrade", "status"]).len() == 1).then_some(()));
    until_phase(&home, "handed_over");
    first.kill().unwrap();
    first.wait().unwrap();
    let shown = run(&home)["change"].as_u64().unwrap();
    let stale = home.run(&["fleet", "upgrade", "continue", "--change", &(shown - 1).to_string()]);
    assert!(stale.code == Some(1) && stale.stderr.contains("look again"), "{stale:?}");

    let mut follower = follow_with(&home, "trap '' INT;", 1);
    let interrupt = |follower: &Child| kill_process(Pid::from_child(follower), Signal::INT).unwrap();
    interrupt(&follower);
    // Signals of one kind are not counted: the first has to be taken before the second is sent.
    let mut said = BufReader::new(follower.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Ctrl-C once more kills it") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended");
    }
    assert_eq!(follower.try_wait().unwrap(), None, "it waits for the command");
    interrupt(&follower);
    assert_eq!(follower.wait().unwrap().code(), Some(130));
    let shell = Pid::from_raw(file(&home, "runs-1").unwrap().trim().parse().unwrap()).unwrap();
    assert!(test_kill_process(shell).is_err(), "the command is gone as well");
    assert!(run(&home)["steps"][0]["problem"].as_str().unwrap().contains("ended by a signal"));

    home.ok(&["fleet", "upgrade", "retry"]);
    let follower = follow_with(&home, "", 2);
    interrupt(&follower);
    write(home.path(), "end-2");
    assert_eq!(follower.wait_with_output().unwrap().status.code(), Some(130));
    until("what ended well counts", || (run(&home)["state"] == "finished").then_some(()));
    server.stop();
}

/// A name in brackets that begins with a digit is read as the place in a list.
#[tokio::test]
async fn a_backends_box_is_read_whatever_its_id_begins_with() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    for id in ["0123456789ab", "123456789012", "abcdefghijkl"] {
        let name = format!("backends][{}", StartUpgrade::box_of(&BackendId::new(id).unwrap()));
        let answer = admin.post(&server, "upgrade/start", &[(name.as_str(), "true")]).send().await.unwrap();
        let text = answer.text().await.unwrap();
        assert!(text.contains("not_found") || text.contains("NotFound"), "{id}: {text}");
    }
    server.stop();
}
