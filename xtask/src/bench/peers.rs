//! Where others are measured: a bench that is not part of this repository, and the packages that it needs.

use crate::setup;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The other SDKs' bench: `RAPPORT_PEERS`, or `../shared/peers/sdk` from the root.
pub fn peers(root: &Path) -> Result<PathBuf> {
    let folder = match std::env::var_os("RAPPORT_PEERS") {
        Some(folder) => PathBuf::from(folder),
        None => root.parent().context("no folder above")?.join("shared/peers/sdk"),
    };
    let found = folder.join("eval/bench.py").is_file().then_some(folder);
    found.context(
        "no bench of other systems: set RAPPORT_PEERS to the folder that holds eval/bench.py",
    )
}

/// A folder in the user's cache with the peers' packages.
pub fn packages(ours: &Path, name: &str) -> Result<PathBuf> {
    let folder = setup::cache()?.join("npm").join(name);
    for name in ["package.json", "package-lock.json"] {
        let same = fs::read(ours.join(name)).ok() == fs::read(folder.join(name)).ok();
        if !same {
            put(&ours.join(name), &folder)?;
        }
    }
    setup::npm(&folder)?;
    Ok(folder)
}

/// Copies a file.
pub fn put(file: &Path, into: &Path) -> Result<()> {
    let name = file.file_name().context("no file")?;
    fs::create_dir_all(into)?;
    // The peers' files may be read-only, and so would be their copies.
    fs::write(into.join(name), fs::read(file)?)
        .with_context(|| format!("cannot copy {}", file.display()))
}
