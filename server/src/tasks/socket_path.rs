//! A path to a Unix socket that the kernel accepts. Socket addresses hold about a hundred bytes; a data folder may have
//! a longer name, and then the folder is opened and the socket named through its descriptor.

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

/// Longest path used as it is; the smallest limit of the systems we know is 104 with the final NUL.
const MAX_PATH: usize = 100;

/// Keeps the folder open as long as the path is used.
pub struct SocketPath {
    path: PathBuf,
    _folder: Option<File>,
}

impl SocketPath {
    /// `path` itself, or the way through its opened folder. Fails if that folder cannot be opened.
    pub fn new(path: &Path) -> io::Result<Self> {
        match (path.parent(), path.file_name()) {
            (Some(folder), Some(name)) if path.as_os_str().len() > MAX_PATH => {
                let folder = File::open(folder)?;
                let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
                Ok(Self { path, _folder: Some(folder) })
            }
            _ => Ok(Self { path: path.to_owned(), _folder: None }),
        }
    }

    pub fn as_path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_in_a_deep_folder_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d".repeat(150));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join("control.sock");
        assert!(UnixListener::bind(&path).is_err(), "the kernel takes long names now, and this module can go");
        let _listener = UnixListener::bind(SocketPath::new(&path).unwrap().as_path()).unwrap();
        UnixStream::connect(SocketPath::new(&path).unwrap().as_path()).unwrap();
    }

    #[test]
    fn a_short_path_stays_as_it_is() {
        assert_eq!(SocketPath::new(Path::new("/tmp/x.sock")).unwrap().as_path(), Path::new("/tmp/x.sock"));
    }
}
