use std::io::Cursor;

use super::{
    envelope::{CHUNK, MAGIC, Opening},
    *,
};
use crate::tests::{Bench, add, bench};

const PASSPHRASE: &str = "correct horse battery";
/// So cheap that a test can open a file many times.
pub(crate) const CHEAP: Cost = Cost { memory_kib: 8, rounds: 1, lanes: 1 };

/// The bytes of a backup of `bench`.
pub(crate) async fn bytes(bench: &Bench, usage: bool) -> Vec<u8> {
    let (sender, mut pieces) = mpsc::channel(1);
    let actor = Actor::command_line().unwrap();
    let (made, bytes) =
        tokio::join!(bench.control.backup_at(&actor, Zeroizing::new(PASSPHRASE.into()), usage, CHEAP, sender), async {
            let mut bytes = Vec::new();
            while let Some(piece) = pieces.recv().await {
                bytes.extend(piece);
            }
            bytes
        });
    assert_eq!(made.unwrap().bytes, bytes.len() as u64);
    bytes
}

/// A file to read, from bytes.
pub(crate) fn file(bytes: &[u8]) -> std::fs::File {
    use std::io::Write;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn verify(bytes: &[u8], passphrase: &str) -> Result<BackupSummary, BackupError> {
    Backup::verify(file(bytes), Zeroizing::new(passphrase.into())).map(|backup| backup.summary().clone())
}

/// More than two chunks of configuration.
async fn filled() -> Bench {
    let bench = bench().await;
    let actor = bench.admin().await;
    let user = bench.user(&actor, "ada").await;
    for number in 0..40 {
        bench
            .control
            .store_backend(
                &actor,
                &add(&format!("gpu-{number}"), &format!("http://gpu-{number}:1"), &"t".repeat(4_000)),
            )
            .await
            .unwrap();
    }
    bench.key(&actor, &user, "laptop").await;
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_read_and_counted() {
    let bench = filled().await;
    let bytes = bytes(&bench, false).await;
    assert!(bytes.len() > 2 * CHUNK, "{}", bytes.len());
    let summary = verify(&bytes, PASSPHRASE).unwrap();
    assert_eq!((summary.rows["backend"], summary.rows["key"], summary.usage), (40, 1, false));
    assert_eq!(summary.revision, bench.control.state().rows.revision);
    assert!(!summary.rows.contains_key("session"));
    let told =
        bench.control.0.store.audit(&domain::audit::AuditQuery { limit: 1, ..Default::default() }).await.unwrap();
    assert_eq!(told.entries[0].action, "backup made");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_can_be_cut_off_added_moved_or_changed() {
    let bench = filled().await;
    let whole = bytes(&bench, false).await;
    assert!(matches!(verify(&whole, "another passphrase"), Err(BackupError::Passphrase)));
    let sealed = CHUNK + 16;
    let head = whole.len() % sealed;
    // Where the chunks begin: what is left of the file is whole chunks and a short last one.
    let start =
        MAGIC.len() + 6 + u32::from_be_bytes(whole[MAGIC.len() + 2..MAGIC.len() + 6].try_into().unwrap()) as usize;
    let mut cuts: Vec<usize> = (start..whole.len()).step_by(sealed).collect();
    cuts.extend([0, 1, MAGIC.len(), MAGIC.len() + 3, start - 1, start + 1, whole.len() - 1, head]);
    for cut in cuts {
        assert!(verify(&whole[..cut], PASSPHRASE).is_err(), "cut at {cut}");
    }
    assert!(verify(&[whole.as_slice(), b"x"].concat(), PASSPHRASE).is_err(), "something behind the end");
    let mut swapped = whole.clone();
    let (first, second) = (start..start + sealed, start + sealed..start + 2 * sealed);
    swapped[first.clone()].copy_from_slice(&whole[second.clone()]);
    swapped[second].copy_from_slice(&whole[first]);
    assert!(verify(&swapped, PASSPHRASE).is_err(), "chunks in another order");
    let dropped = [&whole[..start + sealed], &whole[start + 2 * sealed..]].concat();
    assert!(verify(&dropped, PASSPHRASE).is_err(), "a chunk left out");
    for at in (0..whole.len()).step_by(1_777).chain(0..start) {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        assert!(verify(&flipped, PASSPHRASE).is_err(), "byte {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_another_kind_and_of_a_newer_program_are_named() {
    for bytes in [&b""[..], b"ollama", b"SQLite format 3\0 and more of it, enough to be a head", &[0; 4096]] {
        assert!(matches!(verify(bytes, PASSPHRASE), Err(BackupError::NoBackup)), "{bytes:?}");
    }
    let bench = bench().await;
    bench.admin().await;
    let mut newer = bytes(&bench, true).await;
    newer[MAGIC.len() + 1] = 2;
    assert!(matches!(verify(&newer, PASSPHRASE), Err(BackupError::NewerFormat)));
    let (mut sealing, mut bytes) = Sealing::begin(4711, 0, CHEAP, PASSPHRASE).unwrap();
    bytes.extend(sealing.push(b"whatever").unwrap());
    bytes.extend(sealing.finish().unwrap());
    let refused = verify(&bytes, PASSPHRASE).unwrap_err().to_string();
    assert!(refused.contains("schema 4711") && refused.contains("newer ollama-fortress"), "{refused}");
}

#[test]
fn a_file_cannot_ask_for_all_of_the_memory() {
    let greedy = Cost { memory_kib: u32::MAX, ..CHEAP };
    assert!(matches!(Sealing::begin(1, 0, greedy, PASSPHRASE), Err(BackupError::Damaged)));
}

#[test]
fn a_stream_of_any_length_comes_back() {
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
        let plain: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let (mut sealing, mut bytes) = Sealing::begin(1, 0, CHEAP, PASSPHRASE).unwrap();
        for part in plain.chunks(10_000) {
            bytes.extend(sealing.push(part).unwrap());
        }
        bytes.extend(sealing.finish().unwrap());
        let mut opening = Opening::begin(Cursor::new(bytes), PASSPHRASE).unwrap();
        let mut back = vec![0; length];
        assert!(opening.read_whole(&mut back).unwrap() || length == 0);
        assert!(back == plain && !opening.read_whole(&mut [0]).unwrap(), "{length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_passphrase_and_a_viewer_are_refused() {
    let bench = bench().await;
    let owner = bench.admin().await;
    let make = async |actor: &Actor, passphrase: &str| {
        let (sender, _pieces) = mpsc::channel(1);
        bench.control.backup_at(actor, Zeroizing::new(passphrase.into()), true, CHEAP, sender).await
    };
    let refused = make(&owner, "elevenchars").await.unwrap_err();
    assert!(refused.field("passphrase").is_some(), "{refused}");
    let mut viewer = owner.clone();
    viewer.view.role = domain::admin::Role::Operator;
    assert!(matches!(make(&viewer, PASSPHRASE).await, Err(AdminError::Forbidden { .. })));
}
