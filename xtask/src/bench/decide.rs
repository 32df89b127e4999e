//! Deciding, on every host.

mod native;
mod node;
mod php;
mod python;
mod visit;

use super::Figure;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

const SUITE: &str = "decide";

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    let hosts = [native::figures, node::figures, python::figures, php::figures, visit::figures];
    let mut figures = Vec::new();
    for host in hosts {
        figures.extend(host(root)?);
    }
    Ok(figures)
}

/// The other SDKs' bench: `RAPPORT_PEERS`, or `../shared/peers/sdk` from the root.
fn peers(root: &Path) -> Result<PathBuf> {
    let folder = match std::env::var_os("RAPPORT_PEERS") {
        Some(folder) => PathBuf::from(folder),
        None => root.parent().context("no folder above")?.join("shared/peers/sdk"),
    };
    let found = folder.join("eval/bench.py").is_file().then_some(folder);
    found
        .context("no bench of other SDKs: set RAPPORT_PEERS to the folder that holds eval/bench.py")
}
