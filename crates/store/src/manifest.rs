//! A look at SurrealKV's manifest before the engine opens it. The file carries no checksum, and the engine believes its
//! counts: a damaged one makes it ask for gigabytes of memory, which ends the process, or forget tables, which it then
//! deletes as orphans. Here the counts must account for every byte; anything else is refused untouched.
//!
//! Format 1 (surrealkv, `levels/mod.rs`), big-endian: version u16; next table, log number, last sequence u64 each; number
//! of levels u8, and for each a u32 and as many u64; number of snapshots u32, and for each a u32 and as many bytes.

use std::{fs, path::Path};

use crate::StoreError;

const FORMAT: u16 = 1;

pub(crate) fn check(folder: &Path) -> Result<(), StoreError> {
    let folder = folder.join("manifest");
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(()) };
    for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        if path.extension().is_none_or(|extension| extension != "manifest") {
            continue;
        }
        let bytes =
            fs::read(&path).map_err(|error| StoreError::file(&format!("cannot read {}", path.display()), &error))?;
        if !adds_up(&bytes) {
            return Err(StoreError::corrupt(format_args!("{} is damaged", path.display())));
        }
    }
    Ok(())
}

fn adds_up(bytes: &[u8]) -> bool {
    let Some((version, rest)) = bytes.split_first_chunk::<2>() else { return false };
    // The engine says by itself that it does not know another format.
    u16::from_be_bytes(*version) != FORMAT || walk(rest).is_some_and(<[u8]>::is_empty)
}

/// What is left behind the last snapshot.
fn walk(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = bytes.get(3 * 8..)?;
    let (&levels, mut bytes) = bytes.split_first()?;
    for _ in 0..levels {
        let (tables, rest) = count(bytes)?;
        bytes = rest.get(tables.checked_mul(8)?..)?;
    }
    let (snapshots, mut bytes) = count(bytes)?;
    for _ in 0..snapshots {
        let (length, rest) = count(bytes)?;
        bytes = rest.get(length..)?;
    }
    Some(bytes)
}

fn count(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_be_bytes(*number)).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two levels with two tables and none, one snapshot.
    fn sample() -> Vec<u8> {
        let mut bytes = vec![0, 1];
        bytes.extend([7_u64, 8, 9].iter().flat_map(|n| n.to_be_bytes()));
        bytes.push(2);
        bytes.extend(2_u32.to_be_bytes());
        bytes.extend([5_u64, 6].iter().flat_map(|n| n.to_be_bytes()));
        bytes.extend(0_u32.to_be_bytes());
        bytes.extend(1_u32.to_be_bytes());
        bytes.extend(24_u32.to_be_bytes());
        bytes.extend([0; 24]);
        bytes
    }

    #[test]
    fn every_byte_must_be_accounted_for() {
        let bytes = sample();
        assert!(adds_up(&bytes));
        for length in 0..bytes.len() {
            assert!(!adds_up(&bytes[..length]), "cut at {length}");
        }
        for at in [26, 27, 30, 47, 51, 55] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x7F;
            assert!(!adds_up(&damaged), "byte {at}");
        }
    }
}
