//! Models that customers bring, as hosts' tests open them.

use crate::{shell, wasm};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Where the packed exports stand.
pub fn folder(root: &Path) -> PathBuf {
    shell::target(root).join("brought")
}

/// Builds the engines for ONNX and packs the exports of the tests.
pub fn pack(root: &Path) -> Result<()> {
    wasm::onnx(root)?;
    let example =
        ["--quiet", "--package", "rapport-onnx", "--no-default-features", "--example", "bring"];
    let bring = shell::built(root, example)?;
    shell::run(shell::command(root, &bring.to_string_lossy(), [folder(root)]))
}
