//! Files that are whole or absent.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct OutputError {
    path: PathBuf,
    source: io::Error,
}

/// Writes beside `path` first and then renames, so that nobody ever reads half a file.
pub fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut io::BufWriter<fs::File>) -> io::Result<()>,
) -> Result<(), OutputError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let attempt = || {
        let mut file = io::BufWriter::new(fs::File::create(&part)?);
        write(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&part, path)
    };
    attempt().map_err(|source| {
        let _ = fs::remove_file(&part);
        OutputError { path: path.to_owned(), source }
    })
}
