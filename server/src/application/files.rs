//! The data folder: made if it is missing, for its owner only.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

/// Makes the folder with mode 0700. One that is there already stays as it is, with a warning if others may look into
/// it: who made it may have had a reason.
pub fn make_data_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
            tracing::warn!(folder = %path.display(), "others may look into the data folder: `chmod 700` would close it");
        }
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        make_data_dir(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        make_data_dir(&path).unwrap();
    }
}
