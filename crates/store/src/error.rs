//! What can go wrong with the store, said so that an operator knows what to do, and how the engine's own texts are told
//! apart. Nothing here opens or writes anything.

/// Messages are one line, lower case, without full stop.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another living process holds the folder.
    #[error("the data folder is in use by another process: stop it, or use the command line while it runs")]
    Locked,
    /// The database was written by a newer program.
    #[error("the database has schema {found}, this program knows up to {known}: use a newer ollama-fortress")]
    Newer { found: u64, known: u64 },
    /// The files cannot be read as a database.
    #[error("the database cannot be read: {detail}. Nothing was changed; restore a backup or move the folder away")]
    Corrupt { detail: String },
    /// No space left, or the file system is read-only.
    #[error("the disk is full or cannot be written: {detail}")]
    Full { detail: String },
    /// The user this runs as may not write there.
    #[error(
        "the data folder cannot be written: {detail}: give the user this runs as the right to, or set DATA_DIR to another folder"
    )]
    Denied { detail: String },
    /// A shared database does not answer.
    #[error("the database does not answer: {detail}: start it, or mend DATABASE_URL")]
    Unreachable { detail: String },
    /// Somebody else changed the configuration first.
    #[error("the configuration changed in between")]
    Stale,
    #[error("database fault: {detail}")]
    Other { detail: String },
}

/// What the engine writes into its errors when the system refuses to write; it keeps no error codes.
const FULL: &[&str] = &[
    "No space left on device",
    "Read-only file system",
    "Disk quota exceeded",
    "File too large",
    "storage full",
    "read-only filesystem or storage medium",
];

/// Likewise when it may not write.
const DENIED: &[&str] = &["Permission denied", "Operation not permitted"];

/// Likewise when the lock of the folder is held.
const LOCKED: &[&str] = &["already locked", "lock hold by current process", "While lock file"];

impl StoreError {
    pub(crate) fn other(detail: impl std::fmt::Display) -> Self {
        Self::Other { detail: one_line(&detail.to_string()) }
    }

    pub(crate) fn corrupt(detail: impl std::fmt::Display) -> Self {
        Self::Corrupt { detail: one_line(&detail.to_string()) }
    }

    pub(crate) fn unreachable(detail: impl std::fmt::Display) -> Self {
        Self::Unreachable { detail: one_line(&detail.to_string()) }
    }

    /// A fault while the files of an embedded database were opened: whatever is neither a lock, nor a refused write,
    /// nor a missing permission, means that the files are not what the engine expects.
    pub(crate) fn opening(text: &str) -> Self {
        if contains(text, LOCKED) {
            Self::Locked
        } else if contains(text, FULL) {
            Self::Full { detail: one_line(text) }
        } else if contains(text, DENIED) {
            Self::Denied { detail: one_line(text) }
        } else if text.contains("Too many open files") {
            Self::other(text)
        } else {
            Self::corrupt(text)
        }
    }

    /// A fault while a statement ran.
    pub(crate) fn running(text: &str) -> Self {
        if contains(text, FULL) { Self::Full { detail: one_line(text) } } else { Self::other(text) }
    }

    /// A fault of the file system outside the engine.
    pub(crate) fn file(what: &str, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::ReadOnlyFilesystem => Self::Full { detail: format!("{what}: {error}") },
            std::io::ErrorKind::PermissionDenied => Self::Denied { detail: format!("{what}: {error}") },
            _ => Self::other(format_args!("{what}: {error}")),
        }
    }
}

fn contains(text: &str, needles: &[&str]) -> bool {
    needles.iter().any(|needle| text.contains(needle))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::StoreError;

    #[test]
    fn the_engines_texts_become_what_an_operator_can_act_on() {
        let locked = "Database at data/db/LOCK is already locked by another process";
        assert!(matches!(StoreError::opening(locked), StoreError::Locked));
        assert!(matches!(StoreError::opening("No space left on device (os error 28)"), StoreError::Full { .. }));
        assert!(matches!(StoreError::opening("Permission denied (os error 13)"), StoreError::Denied { .. }));
        assert!(
            matches!(StoreError::opening("invalid\nmanifest."), StoreError::Corrupt { detail } if detail == "invalid manifest")
        );
        assert!(matches!(StoreError::running("Read-only file system (os error 30)"), StoreError::Full { .. }));
        assert!(matches!(StoreError::running("Parse error"), StoreError::Other { .. }));
    }
}
