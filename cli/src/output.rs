//! Files that are whole or absent.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot write {}: there is no folder {}", path.display(), folder.display())]
    NoFolder { path: PathBuf, folder: PathBuf },
    #[error("cannot write {}: it is a folder, name a file in it", path.display())]
    Folder { path: PathBuf },
    #[error("cannot write to standard output: {0}")]
    Standard(io::Error),
}

/// Says before long work whether `path` can be written.
pub fn look_ahead(path: &Path) -> Result<(), OutputError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(OutputError::NoFolder { path: path.to_owned(), folder: folder.to_owned() });
    }
    if path.is_dir() {
        return Err(OutputError::Folder { path: path.to_owned() });
    }
    if is_device(path) {
        return Ok(());
    }
    let part = part(path);
    fs::File::create(&part)
        .and_then(|_| fs::remove_file(&part))
        .map_err(|source| OutputError::Write { path: path.to_owned(), source })
}

/// Writes beside `path` first and then renames, so that nobody ever reads half a file.
pub fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut io::BufWriter<fs::File>) -> io::Result<()>,
) -> Result<(), OutputError> {
    look_ahead(path)?;
    let attempt = || {
        if is_device(path) {
            // Nothing may take its place.
            let mut device = io::BufWriter::new(fs::OpenOptions::new().write(true).open(path)?);
            write(&mut device)?;
            return device.flush();
        }
        // Where `path` is a link, the file that it leads to.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let part = part(&path);
        let attempt = || {
            let mut file = io::BufWriter::new(fs::File::create(&part)?);
            write(&mut file)?;
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            fs::rename(&part, &path)
        };
        attempt().inspect_err(|_| {
            let _ = fs::remove_file(&part);
        })
    };
    attempt().map_err(|source| OutputError::Write { path: path.to_owned(), source })
}

/// Prints a result.
pub fn print(text: &str) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(OutputError::Standard)
}

/// A terminal, a pipe, `/dev/null`.
fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| !data.is_file() && !data.is_dir())
}

fn part(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}
