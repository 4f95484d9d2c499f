//! Damaged files: refused with a reason, or read without loss; never a panic, never changed.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use store::{Store, StoreError, row::Op};

use crate::{
    durability::copy,
    support::{folder_config, key, user},
    usage::record,
};

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(contents(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            files.insert(path, bytes);
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_are_refused_or_harmless_but_never_lose_anything() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder_config(folder.path())).await.unwrap();
    // First, so that the middle of the log is not its last record: that one could not be told from an unfinished write.
    store.append_usage(&(0..500).map(|n| record(n, n)).collect::<Vec<_>>()).await.unwrap();
    for n in 0..20 {
        store.commit(n, vec![Op::PutUser(user(n)), Op::PutKey(key(n))]).await.unwrap();
    }
    let running = tempfile::tempdir().unwrap();
    copy(&folder.path().join("db"), &running.path().join("db"));
    store.close().await.unwrap();

    let mut refused = Vec::new();
    for (source, state) in [(folder.path(), "closed"), (running.path(), "killed")] {
        for path in contents(&source.join("db")).into_keys() {
            let name = path.strip_prefix(source).unwrap();
            if name.ends_with("LOCK") || std::fs::metadata(&path).unwrap().len() == 0 {
                continue;
            }
            for damage in ["cut", "flip"] {
                let work = tempfile::tempdir().unwrap();
                copy(&source.join("db"), &work.path().join("db"));
                let victim = work.path().join(name);
                let mut bytes = std::fs::read(&victim).unwrap();
                let middle = bytes.len() / 2;
                match damage {
                    "cut" => bytes.truncate(middle),
                    _ => bytes[middle] ^= 0xFF,
                }
                std::fs::write(&victim, &bytes).unwrap();
                let before = contents(&work.path().join("db"));
                let what = format!("{state} {damage} {}", name.display());
                match Store::open(&folder_config(work.path())).await {
                    Err(StoreError::Corrupt { detail }) => {
                        assert!(!detail.is_empty());
                        let mut after = contents(&work.path().join("db"));
                        for (path, bytes) in &before {
                            let kept = after.remove(path);
                            let same = path.ends_with("LOCK") || kept.as_deref() == Some(bytes);
                            assert!(same, "{what}: {} changed", path.display());
                        }
                        refused.push(what);
                    }
                    Err(error) => panic!("{what}: {error}"),
                    Ok(store) => {
                        let loaded = store.load().await;
                        if let Ok(loaded) = loaded {
                            // A log that was cut looks like one that was never written further.
                            let cut_log = damage == "cut" && name.starts_with("db/wal");
                            assert!(loaded.users.len() == 20 || cut_log, "{what}: {} users", loaded.users.len());
                            assert_eq!(loaded.users.len(), loaded.keys.len(), "{what}");
                        }
                        store.close().await.unwrap();
                    }
                }
            }
        }
    }
    let expected = ["closed cut db/manifest", "killed flip db/wal"];
    for expected in expected {
        assert!(refused.iter().any(|what| what.starts_with(expected)), "{expected} was not refused: {refused:?}");
    }
}
