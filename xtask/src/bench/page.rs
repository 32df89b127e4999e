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
    let mut node = shell::command(root, "node", [root.join("xtask/src/bench/page.mjs")]);
    node.arg(&model).env("CHROMIUM", setup::chromium()?);
    let said = shell::capture(node)?;
    let measured: Value = serde_json::from_str(said.lines().last().unwrap_or_default())
        .with_context(|| format!("page.mjs said: {said}"))?;
    let figure = |name: &str, unit: &'static str| -> Result<Figure> {
        let value = measured[name].as_f64().with_context(|| format!("no {name} in {said}"))?;
        Ok(Figure::alone("page", name, value, unit))
    };
    Ok(vec![
        figure("event_to_reasons_us", "us")?,
        figure("page_update_p50_ms", "ms")?,
        figure("page_update_p99_ms", "ms")?,
    ])
}
