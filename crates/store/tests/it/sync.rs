//! An acknowledged write has reached the disk. A kill does not show it, because the system keeps what was written; so a
//! small library is compiled and loaded before the C library, and counts what the engine asks the disk for.
#![cfg(target_os = "linux")]

use std::{fs, path::Path, process::Command};

use store::{Store, row::Op};

use crate::{
    support::{folder_config, user},
    usage::record,
};

const LIBRARY: &str = include_str!("sync/count.c");
const FOLDER: &str = "STORE_SYNC_FOLDER";
const TEST: &str = "sync::every_acknowledged_write_was_synced";

/// Runs itself as the process whose calls are counted.
#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_write_was_synced() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write_and_count(folder.as_ref()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("count.c"), folder.path().join("count.so"));
    fs::write(&source, LIBRARY).unwrap();
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    assert!(compiled.expect("a C compiler (cc) is needed, as for building").success());
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(FOLDER, folder.path())
        .env("COUNT_FILE", folder.path().join("count"))
        .env("LD_PRELOAD", library)
        .output()
        .unwrap();
    let output = format!("{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
}

async fn write_and_count(folder: &Path) {
    let count = || fs::metadata(folder.join("count")).map_or(0, |file| file.len());
    let store = Store::open(&folder_config(folder)).await.unwrap();
    for n in 0..20 {
        let before = count();
        store.commit(n, vec![Op::PutUser(user(n))]).await.unwrap();
        let between = count();
        assert!(between > before, "commit {n} was acknowledged without a sync");
        store.append_usage(&[record(n, n)]).await.unwrap();
        assert!(count() > between, "append {n} was acknowledged without a sync");
    }
    store.close().await.unwrap();
}
