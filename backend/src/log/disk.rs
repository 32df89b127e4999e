//! The step to stable storage, as a port: tests watch it, lose what it was not asked to keep, and fill it up.

use crate::error::StoreError;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Writes the log's bytes and makes them last.
pub trait Disk: std::fmt::Debug + Send + Sync {
    /// Writes all of `bytes` at a place of a file.
    fn write(&self, path: &Path, file: &File, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Returns when everything written to the file is on stable storage.
    fn sync(&self, path: &Path, file: &File) -> io::Result<()>;
    /// Makes an empty file, in the place of another where there is one.
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).read(true).create(true).truncate(true).mode(0o600).open(path)
    }
    /// Gives a file another name; what had the name is gone.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }
    /// Deletes a file.
    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
    /// Returns when the names in a directory are on stable storage.
    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
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

/// What stands in a directory, each with its name; a name that is no text is empty.
///
/// # Errors
/// Where the directory cannot be read.
pub fn files(directory: &Path) -> Result<Vec<(PathBuf, String)>, StoreError> {
    let failed = |error| StoreError::file("reading", directory, error);
    let mut files = Vec::new();
    for file in std::fs::read_dir(directory).map_err(failed)? {
        let file = file.map_err(failed)?;
        files.push((file.path(), file.file_name().into_string().unwrap_or_default()));
    }
    Ok(files)
}
