//! PHP's package with the engine in it.

use crate::shell;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {}

/// How the engine is compiled.
#[derive(Clone, Copy, PartialEq)]
pub enum Build {
    /// As the tests compile everything else.
    Quick,
    /// As it is published, and measured.
    Published,
}

pub fn run(root: &Path, _: &Arguments) -> Result<()> {
    let library = library(root, Build::Published)?;
    println!("{}", library.display());
    Ok(())
}

/// Puts the shared library and its header into `sdk-php/lib`, and says where the library is.
pub fn library(root: &Path, build: Build) -> Result<PathBuf> {
    let profile = match build {
        Build::Quick => "dev",
        Build::Published => "release",
    };
    let built = shell::built(root, ["--quiet", "--package", "rapport-ffi", "--profile", profile])?;
    let into = root.join("sdk-php/lib");
    let library = into.join("librapport.so");
    fs::create_dir_all(&into)?;
    // A new file rather than new bytes in one that some process has mapped.
    let fresh = into.join("librapport.so.new");
    fs::copy(&built, &fresh).with_context(|| format!("cargo built no {}", built.display()))?;
    fs::rename(&fresh, &library)?;
    fs::copy(root.join("ffi/rapport.h"), into.join("rapport.h"))?;
    Ok(library)
}
