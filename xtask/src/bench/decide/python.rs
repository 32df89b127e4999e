//! The Python SDK beside Eppo's and GrowthBook's, and how its memory grows.

use super::{Figure, SUITE};
use crate::test::{leads, python};
use crate::{setup, shell};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    leads::train(root)?;
    let interpreter = setup::python(&root.join("xtask/peers/decide.txt"))?;
    python::install(root, &interpreter)?;
    let run = |script: &str, argument: &Path| {
        let script = root.join("xtask/peers/decide").join(script);
        let mut run = shell::command(root, &interpreter.to_string_lossy(), [script.as_path()]);
        run.arg(argument);
        shell::capture(run)
    };
    let said = run("evaluate.py", &peers(root)?)? + &run("rss.py", root)?;
    said.lines().map(|line| Figure::said(SUITE, line)).collect()
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
