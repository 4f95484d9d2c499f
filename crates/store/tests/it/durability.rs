//! What was acknowledged is there after kill -9; a living process is told apart from a dead one's lock.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use store::{Store, StoreError, row::Op};

use crate::{
    support::{folder_config, user},
    usage::record,
};

const FOLDER: &str = "STORE_TEST_FOLDER";
const TEST: &str = "durability::every_acknowledged_write_survives_kill_9";

/// Runs itself as the process that is killed.
#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_write_survives_kill_9() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write_until_killed(folder.as_ref()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", TEST, "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = acknowledged;
        for line in lines {
            let line = line.unwrap();
            let Some((_, revision)) = line.split_once("acknowledged ") else { continue };
            acknowledged = revision.parse::<u64>().unwrap();
            if acknowledged >= first + 25 {
                break;
            }
        }
        assert!(acknowledged >= first + 25, "the child ended by itself");
        if round == 0 {
            assert!(matches!(Store::open(&folder_config(folder.path())).await, Err(StoreError::Locked)));
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let store = Store::open(&folder_config(folder.path())).await.unwrap();
        let state = store.load().await.unwrap();
        assert!(state.revision >= acknowledged, "{} of {acknowledged}", state.revision);
        assert_eq!(state.users.len() as u64, state.revision);
        let usage = store.usage(0, u64::MAX, usize::MAX).await.unwrap().len() as u64;
        assert!(usage >= acknowledged * 400, "{usage} records for {acknowledged} appends");
        store.close().await.unwrap();
        acknowledged = state.revision;
    }
}

async fn write_until_killed(folder: &std::path::Path) {
    let store = Store::open(&folder_config(folder)).await.unwrap();
    let mut revision = store.revision().await.unwrap();
    loop {
        // Large enough that a record of the log spans blocks and can be torn.
        let records = (0..400).map(|n| record(n + 1_000 * revision, 1_000 * revision + n)).collect::<Vec<_>>();
        store.append_usage(&records).await.unwrap();
        revision = store.commit(revision, vec![Op::PutUser(user(revision))]).await.unwrap();
        println!("acknowledged {revision}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_write_at_the_end_is_cut_off_and_later_writes_stay() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let config = folder_config(folder.path());
    for round in 0..3 {
        let store = Store::open(&config).await.unwrap();
        assert_eq!(store.commit(round, vec![Op::PutUser(user(round))]).await.unwrap(), round + 1);
        // A copy of the open folder is what a kill leaves.
        let killed = tempfile::tempdir().unwrap();
        copy(&folder.path().join("db"), &killed.path().join("db"));
        store.close().await.unwrap();
        let config = folder_config(killed.path());
        let mut log = std::fs::OpenOptions::new().append(true).open(last_log(killed.path())).unwrap();
        log.write_all(&[0xAB, 1, 2, 3, 0x10, 0, 2, 77, 77]).unwrap();
        drop(log);
        for further in 1..3 {
            let store = Store::open(&config).await.unwrap();
            let state = store.load().await.unwrap();
            assert_eq!(state.revision, round + further, "nothing written after the repair is missing");
            store.commit(state.revision, vec![Op::PutUser(user(100 + further))]).await.unwrap();
            let again = tempfile::tempdir().unwrap();
            copy(&killed.path().join("db"), &again.path().join("db"));
            store.close().await.unwrap();
            let store = Store::open(&folder_config(again.path())).await.unwrap();
            assert_eq!(store.revision().await.unwrap(), round + further + 1);
            store.close().await.unwrap();
        }
    }
}

fn last_log(folder: &std::path::Path) -> std::path::PathBuf {
    let mut logs = std::fs::read_dir(folder.join("db/wal")).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>();
    logs.sort();
    logs.pop().unwrap()
}

pub fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.metadata().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
