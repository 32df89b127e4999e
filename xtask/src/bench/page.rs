//! What a visitor's page pays: an event's way to reasons inside WebAssembly, and to the screen.

use super::{Figure, score};
use crate::test::leads;
use crate::{setup, shell, wasm};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    setup::wasm_target()?;
    setup::npm(&root.join("sdk-js"))?;
    wasm::page(root)?;
    wasm::full(root)?;
    leads::train(root)?;
    let model = score::folder(root).join("model.rpm");
    if !model.is_file() {
        // The scoring figures train it.
        score::figures(root)?;
    }
    let mut figures = measured(
        root,
        "page.mjs",
        Some(&model),
        &[
            ("event_to_reasons_us", "us"),
            ("page_update_p50_ms", "ms"),
            ("page_update_p99_ms", "ms"),
        ],
    )?;
    figures.extend(measured(root, "main_thread.mjs", None, &[("main_thread_ms", "ms")])?);
    Ok(figures)
}

/// Runs a script beside this file, whose last line is an object of figures.
fn measured(
    root: &Path,
    script: &str,
    model: Option<&Path>,
    names: &[(&str, &'static str)],
) -> Result<Vec<Figure>> {
    let mut node = shell::command(root, "node", [root.join("xtask/src/bench").join(script)]);
    node.args(model).env("CHROMIUM", setup::chromium()?);
    let said = shell::capture(node)?;
    let measured: Value = serde_json::from_str(said.lines().last().unwrap_or_default())
        .with_context(|| format!("{script} said: {said}"))?;
    let figure = |&(name, unit): &(&str, &'static str)| -> Result<Figure> {
        let value = measured[name].as_f64().with_context(|| format!("no {name} in {said}"))?;
        Ok(Figure::alone("page", name, value, unit))
    };
    names.iter().map(figure).collect()
}
