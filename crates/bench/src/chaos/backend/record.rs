//! A file that gets one line for each call, written at once: what stands there outlives the process, however it ends.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

pub struct Record(File);

impl Record {
    /// Lines are added to what is there.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(File::options().create(true).append(true).open(path)?))
    }

    /// `what` is one letter: `R` a call came; then `W` it was answered by a model in memory, `M` its model had to be loaded
    /// though another machine had it and a slot, `U` it had to be loaded and nobody had it with a slot.
    pub fn write(&self, what: char, id: u64) {
        // A record that cannot be written is missed by whoever reads it.
        let _ = (&self.0).write_all(format!("{what} {id:016x}\n").as_bytes());
    }
}
