//! A look at SurrealKV's write-ahead log before the engine opens it.
//!
//! The engine repairs a log by itself: it keeps what comes before the first damaged record, drops everything behind it,
//! and goes on writing into the file it has just replaced, so that what is acknowledged after a repair is lost with the
//! next kill. Both must not happen. A record that a kill or a power cut left unfinished at the very end was never
//! acknowledged and is cut off here, so the engine finds nothing to repair; damage with whole records behind it is a
//! corrupt database, and refused untouched.
//!
//! Format (surrealkv, `wal/mod.rs`): blocks of 32 KiB; a record is `crc32(type, data)` and length, both big-endian, a
//! type byte, and data; it never crosses a block; fewer than seven bytes at a block's end are padding.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
};

use crate::StoreError;

const BLOCK: usize = 32 * 1024;
const HEADER: usize = 7;

const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;
const COMPRESSION: u8 = 9;

/// What a log file looks like.
#[derive(Debug, PartialEq, Eq)]
enum Log {
    Whole,
    /// Whole records up to this length, then an unfinished one.
    Torn(usize),
    /// Whole records behind damage that begins here.
    Hole(usize),
}

/// Checks the log of the database in `folder` and cuts off an unfinished end.
pub(crate) fn prepare(folder: &Path) -> Result<(), StoreError> {
    let files = files(folder)?;
    for (index, path) in files.iter().enumerate() {
        let last = index + 1 == files.len();
        match look(&read(path)?) {
            Log::Whole => {}
            Log::Torn(length) if last => cut(path, length)?,
            Log::Torn(at) | Log::Hole(at) => {
                return Err(StoreError::corrupt(format_args!("{} is damaged at byte {at}", path.display())));
            }
        }
    }
    Ok(())
}

/// After a refused write and once the engine is closed: `end` is what [`end`] said when the write was refused. Nothing
/// behind it was ever acknowledged, so if the engine went on writing behind a gap, the gap and the rest are cut off. An
/// unfinished end is left to the next [`prepare`]: the engine may still hold a buffer, and write it into the room that
/// cutting makes.
pub(crate) fn settle(folder: &Path, end: (PathBuf, usize)) -> Result<(), StoreError> {
    let (refused, well) = end;
    match files(folder)?.pop() {
        Some(path) if path == refused => match look(&read(&path)?) {
            Log::Hole(at) if at >= well => cut(&path, at),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// The last log file, and the length up to which it is well.
pub(crate) fn end(folder: &Path) -> Option<(PathBuf, usize)> {
    let path = files(folder).ok()?.pop()?;
    let bytes = read(&path).ok()?;
    let length = match look(&bytes) {
        Log::Whole => bytes.len(),
        Log::Torn(length) | Log::Hole(length) => length,
    };
    Some((path, length))
}

/// Oldest first.
fn files(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let folder = folder.join("wal");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::file(&format!("cannot read {}", folder.display()), &error)),
    };
    let mut paths = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "wal"))
        .collect::<Vec<_>>();
    // Names are numbers of twenty digits.
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    fs::read(path).map_err(|error| StoreError::file(&format!("cannot read {}", path.display()), &error))
}

fn cut(path: &Path, length: usize) -> Result<(), StoreError> {
    tracing::warn!(path = %path.display(), length, "cutting an unfinished write off the database's log");
    OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|file| {
            file.set_len(length as u64)?;
            file.sync_all()
        })
        .map_err(|error| StoreError::file(&format!("cannot repair {}", path.display()), &error))
}

fn look(bytes: &[u8]) -> Log {
    let mut at = 0;
    // End of the last record that is there from its first piece to its last.
    let mut whole = 0;
    let mut inside = false;
    loop {
        let left_in_block = BLOCK - at % BLOCK;
        if left_in_block < HEADER {
            at += left_in_block;
        }
        if at >= bytes.len() {
            break;
        }
        let Some((kind, length)) = record(bytes, at) else { return behind(bytes, at, whole) };
        let fits = match kind {
            FULL | FIRST => !inside,
            MIDDLE | LAST => inside,
            _ => true,
        };
        if !fits {
            return behind(bytes, at, whole);
        }
        at += HEADER + length;
        inside = matches!(kind, FIRST | MIDDLE);
        if !inside {
            whole = at;
        }
    }
    if inside { Log::Torn(whole) } else { Log::Whole }
}

/// Something is wrong at `at`: is there a later record that begins and is whole?
fn behind(bytes: &[u8], at: usize, whole: usize) -> Log {
    let begins = |at: usize| matches!(record(bytes, at), Some((FULL | FIRST, _)));
    let next_block = (at / BLOCK + 1) * BLOCK;
    // Inside the damaged block a length may be wrong, so every place is tried; later blocks begin with a record.
    if (at + 1..next_block.min(bytes.len())).any(begins) {
        return Log::Hole(whole);
    }
    for block in (next_block..bytes.len()).step_by(BLOCK) {
        let mut at = block;
        while let Some((kind, length)) = record(bytes, at) {
            if matches!(kind, FULL | FIRST) {
                return Log::Hole(whole);
            }
            at += HEADER + length;
        }
    }
    Log::Torn(whole)
}

/// Type and data length of the sound record at `at`.
fn record(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let header = bytes.get(at..at + HEADER)?;
    let &[c0, c1, c2, c3, l0, l1, kind] = header else { return None };
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    if !matches!(kind, FULL..=LAST | COMPRESSION) || at % BLOCK + HEADER + length > BLOCK {
        return None;
    }
    let data = bytes.get(at + HEADER..at + HEADER + length)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(data);
    (hasher.finalize() == u32::from_be_bytes([c0, c1, c2, c3])).then_some((kind, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(log: &mut Vec<u8>, kind: u8, data: &[u8]) {
        let left = BLOCK - log.len() % BLOCK;
        if left < HEADER {
            log.extend(vec![0; left]);
        }
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&[kind]);
        hasher.update(data);
        log.extend(hasher.finalize().to_be_bytes());
        log.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        log.push(kind);
        log.extend(data);
    }

    /// Small records, one over three blocks, small ones again; and where each ends.
    fn sample() -> (Vec<u8>, Vec<usize>) {
        let (mut log, mut ends) = (Vec::new(), vec![0]);
        for n in 0..20_u8 {
            append(&mut log, FULL, &vec![n; 100 + usize::from(n)]);
            ends.push(log.len());
        }
        let left = BLOCK - log.len() - HEADER;
        append(&mut log, FIRST, &vec![7; left]);
        append(&mut log, MIDDLE, &vec![8; BLOCK - HEADER]);
        append(&mut log, LAST, &[9; 500]);
        ends.push(log.len());
        for n in 0..20_u8 {
            append(&mut log, FULL, &[n; 50]);
            ends.push(log.len());
        }
        (log, ends)
    }

    #[test]
    fn a_log_cut_anywhere_is_torn_at_its_last_whole_record() {
        let (log, ends) = sample();
        assert_eq!(look(&log), Log::Whole);
        for length in (0..log.len()).step_by(61).chain(ends.iter().flat_map(|&end| [end, end + 1, end.max(1) - 1])) {
            let length = length.min(log.len());
            let whole = ends.iter().rev().copied().find(|&end| end <= length).unwrap();
            let expected = if whole == length { Log::Whole } else { Log::Torn(whole) };
            assert_eq!(look(&log[..length]), expected, "cut at {length}");
        }
    }

    #[test]
    fn a_changed_byte_with_records_behind_it_is_a_hole() {
        let (log, ends) = sample();
        let last_record = ends[ends.len() - 2];
        for at in (0..last_record).step_by(97).chain(last_record - 57..last_record) {
            let mut damaged = log.clone();
            damaged[at] ^= 0x55;
            let whole = ends.iter().rev().copied().find(|&end| end <= at).unwrap();
            assert_eq!(look(&damaged), Log::Hole(whole), "byte {at}");
        }
        let mut damaged = log.clone();
        damaged[last_record + 20] ^= 1;
        assert_eq!(look(&damaged), Log::Torn(last_record));
    }

    #[test]
    fn zeros_that_a_power_cut_left_are_torn() {
        let (mut log, _) = sample();
        let whole = log.len();
        log.extend(vec![0; 3 * BLOCK]);
        assert_eq!(look(&log), Log::Torn(whole));
    }
}
