//! Open files, of which every connection is one: how many the process may have, and how many callers that leaves room for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept for the database, the log, the command line and idle connections to backends.
const RESERVED: u64 = 256;
/// More connections than this have to be asked for: each takes memory too.
const MOST: u64 = 65_536;
/// Fewer would be no server.
const LEAST: u64 = 16;

/// Raises the limit as far as a process may do that by itself. The limit in force; the highest number for none.
pub fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current.unwrap_or(u64::MAX);
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "cannot raise the limit of open files");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Connections for which `files` suffice: each may need another one to a backend.
pub fn room(files: u64) -> u32 {
    let left = files.saturating_sub(RESERVED.min(files / 4));
    u32::try_from((left / 2).clamp(LEAST, MOST)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_has_room_for_its_backend_and_the_database_for_its_files() {
        for (files, connections) in
            [(0, 16), (96, 36), (256, 96), (1_024, 384), (20_000, 9_872), (524_288, 65_536), (u64::MAX, 65_536)]
        {
            assert_eq!(room(files), connections, "{files}");
        }
    }
}
