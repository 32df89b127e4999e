//! Files in a directory: one folder a workspace, in it one an environment.

use super::{Files, PartName};
use crate::error::StoreError;
use crate::identity::Scope;
use crate::secret::{base32, random};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Keeps files below a directory.
pub struct DirectoryFiles {
    root: PathBuf,
}

impl DirectoryFiles {
    /// Opens a directory, or makes it.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn open(root: PathBuf) -> Result<Self, StoreError> {
        fs::create_dir_all(&root).map_err(|error| StoreError::file("creating", &root, error))?;
        Ok(Self { root })
    }

    fn folder(&self, scope: Scope) -> PathBuf {
        self.root.join(scope.workspace.to_string()).join(scope.environment.word())
    }
}

impl Files for DirectoryFiles {
    fn put(&self, scope: Scope, name: PartName, bytes: &[u8]) -> Result<(), StoreError> {
        let folder = self.folder(scope);
        let path = folder.join(name.to_string());
        if path.exists() {
            return Ok(());
        }
        let unfinished = folder.join(format!("{}.unfinished", base32(&random::<10>()?)));
        let written = write(&folder, &unfinished, &path, bytes);
        if written.is_err() {
            // The next attempt starts anew; what cannot be removed is only space.
            let _ = fs::remove_file(&unfinished);
        }
        written.map_err(|error| StoreError::file("writing", path, error))
    }

    fn get(&self, scope: Scope, name: PartName) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.folder(scope).join(name.to_string());
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::file("reading", path, error)),
        }
    }
}

/// A file appears under its name only when it is whole and on disk.
fn write(folder: &Path, unfinished: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = File::create_new(unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(unfinished, path)?;
    File::open(folder)?.sync_all()
}
