use std::path::Path;

use super::*;

fn config(folder: &Path) -> StoreConfig {
    StoreConfig { address: format!("surrealkv://{}", folder.join("db").display()) }
}

/// A folder that stands for a database, told by what is in it.
fn database(path: &Path, what: &str) {
    fs::create_dir_all(path).unwrap();
    fs::write(path.join("is"), what).unwrap();
}

fn is(path: &Path) -> String {
    fs::read_to_string(path.join("is")).unwrap_or_default()
}

fn begin(folder: &Path) -> Restoring {
    let restoring = Restoring::begin(&config(folder), "now").unwrap();
    database(&restoring.work.join(DATABASE), "new");
    restoring
}

#[test]
fn the_old_database_is_kept_and_named() {
    let folder = tempfile::tempdir().unwrap();
    database(&folder.path().join("db"), "old");
    let kept = begin(folder.path()).swap("now").unwrap().unwrap();
    assert_eq!((is(&folder.path().join("db")).as_str(), is(&kept).as_str()), ("new", "old"));
    let again = begin(folder.path()).swap("now").unwrap().unwrap();
    assert_ne!(kept, again, "a second one in the same moment does not replace the first");
    assert!(!folder.path().join("db.restoring").exists());
}

#[test]
fn a_restore_that_is_given_up_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    database(&folder.path().join("db"), "old");
    drop(begin(folder.path()));
    assert_eq!(is(&folder.path().join("db")), "old");
    assert!(!folder.path().join("db.restoring").exists());
}

#[test]
fn what_a_kill_left_is_removed_only_if_it_is_surely_half_made() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("db.restoring");
    database(&folder.path().join("db"), "old");
    database(&work.join("db"), "half");
    fs::write(work.join(INCOMPLETE), "").unwrap();
    let restoring = begin(folder.path());
    assert_eq!(restoring.found, None);
    drop(restoring);

    // Killed between the exchange and the last rename: what lies there is the database from before.
    database(&work.join("db"), "from before");
    let restoring = begin(folder.path());
    let found = restoring.found.clone().unwrap();
    assert_eq!(is(&found), "from before");
    drop(restoring);
    assert_eq!((is(&folder.path().join("db")).as_str(), is(&found).as_str()), ("old", "from before"));
}

#[test]
fn a_whole_new_database_without_an_old_one_takes_its_place_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("db.restoring");
    database(&work.join("db"), "new");
    fs::write(work.join(INCOMPLETE), "").unwrap();
    settle(&folder.path().join("db")).unwrap();
    assert!(!folder.path().join("db").exists(), "a half one stays where it is");
    fs::remove_file(work.join(INCOMPLETE)).unwrap();
    settle(&folder.path().join("db")).unwrap();
    assert_eq!(is(&folder.path().join("db")), "new");
    assert!(!work.exists());
}

#[test]
fn nothing_is_restored_into_a_database_in_use_or_one_that_is_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _held = begin(folder.path());
    assert!(matches!(Restoring::begin(&config(folder.path()), "now"), Err(StoreError::Locked)));
    for address in ["mem://", "ws://127.0.0.1:1"] {
        assert!(Restoring::begin(&StoreConfig { address: address.into() }, "now").is_err(), "{address}");
    }
}
