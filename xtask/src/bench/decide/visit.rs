//! How long visitors wait until a slot of a page is filled, over a slow line.

use super::{Figure, SUITE};
use crate::bench::score;
use crate::{setup, shell, wasm};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    setup::wasm_target()?;
    setup::npm(&root.join("sdk-js"))?;
    wasm::page(root)?;
    if shell::capture(shell::command(root, "openssl", ["version"])).is_err() {
        setup::debian(&["openssl"])?;
    }
    let model = score::model(root)?;
    let server = shell::executable(root, "rapport-cli", "rapport")?;
    let script = root.join("xtask/src/bench/decide/visit.mjs");
    let mut node = shell::command(root, "node", [script.as_path(), &server, &model]);
    // What waits for what is told besides.
    node.env("CHROMIUM", setup::chromium()?).stderr(Stdio::inherit());
    let said = shell::capture(node)?;
    let said: Value = serde_json::from_str(said.lines().last().unwrap_or_default())
        .with_context(|| format!("visit.mjs said: {said}"))?;
    let figures = said.as_object().context("visit.mjs said no figures")?.iter();
    figures
        .map(|(name, value)| {
            let value = value.as_f64().with_context(|| format!("{name} is no number"))?;
            Ok(Figure::alone(SUITE, name, value, "ms"))
        })
        .collect()
}
