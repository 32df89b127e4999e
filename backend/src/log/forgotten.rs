//! Up to where each scope's envelopes are forgotten: offsets go on though no file has them any more.

use super::{Disk, Offset};
use crate::error::StoreError;
use crate::identity::{Environment, Scope};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn path(directory: &Path) -> PathBuf {
    directory.join("forgotten")
}

/// Up to where the log of a data directory has forgotten the envelopes of each scope.
///
/// # Errors
/// Where the list cannot be read or is damaged.
pub fn forgotten(data: &Path) -> Result<BTreeMap<Scope, Offset>, StoreError> {
    read(&data.join("log"))
}

/// Reads the list: a line a scope, `WORKSPACE ENVIRONMENT OFFSET`.
pub fn read(directory: &Path) -> Result<BTreeMap<Scope, Offset>, StoreError> {
    let path = path(directory);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(StoreError::file("reading", path, error)),
    };
    let damaged = || StoreError::corrupt("log", format_args!("{} is damaged", path.display()));
    text.lines().map(|line| parse(line).ok_or_else(damaged)).collect()
}

fn parse(line: &str) -> Option<(Scope, Offset)> {
    let mut words = line.split(' ');
    let workspace = words.next()?.parse().ok()?;
    let word = words.next()?;
    let environment =
        [Environment::Live, Environment::Test].into_iter().find(|known| known.word() == word)?;
    let offset = Offset(words.next()?.parse().ok()?);
    words.next().is_none().then_some((Scope { workspace, environment }, offset))
}

/// Writes the list. It appears whole or not at all, and is on stable storage when this returns.
pub fn write(
    directory: &Path,
    disk: &dyn Disk,
    forgotten: &BTreeMap<Scope, Offset>,
) -> Result<(), StoreError> {
    let lines = forgotten.iter().map(|(scope, offset)| {
        format!("{} {} {}\n", scope.workspace, scope.environment.word(), offset.0)
    });
    let (path, text) = (path(directory), lines.collect::<String>());
    let unfinished = path.with_extension("unfinished");
    disk.create(&unfinished)
        .and_then(|file| {
            disk.write(&unfinished, &file, text.as_bytes(), 0)?;
            disk.sync(&unfinished, &file)
        })
        .and_then(|()| disk.rename(&unfinished, &path))
        .and_then(|()| disk.sync_directory(directory))
        .map_err(|error| StoreError::file("writing", path, error))
}
