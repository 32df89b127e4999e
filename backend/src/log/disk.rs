//! The step to stable storage, as a port: tests watch it, lose what it was not asked to keep, and fill it up.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Writes a journal's bytes and makes them last.
pub trait Disk: std::fmt::Debug + Send + Sync {
    /// Writes all of `bytes` at a place of a file.
    fn write(&self, path: &Path, file: &File, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Returns when everything written to the file is on stable storage.
    fn sync(&self, path: &Path, file: &File) -> io::Result<()>;
}

/// The machine's own disk.
#[derive(Debug, Clone, Copy)]
pub struct MachineDisk;

impl Disk for MachineDisk {
    fn write(&self, _path: &Path, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    fn sync(&self, _path: &Path, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}
