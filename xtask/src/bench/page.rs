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
    let model = score::model(root)?;
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
    figures.extend(main_thread(root)?);
    Ok(figures)
}

/// What the tracker takes of the main thread, beside other trackers on the same page in the same run.
fn main_thread(root: &Path) -> Result<Vec<Figure>> {
    let measured = said(root, "main_thread.mjs", None)?;
    eprintln!("main thread: {measured}");
    let of = |tracker: &str| measured[tracker]["ms"].as_f64();
    let value = of("rapport").context("main_thread.mjs measured nothing")?;
    let alone = |name: &str, value| Figure::alone("page", name, value, "ms");
    let mut ours = alone("main_thread_ms", value);
    if let Some(umami) = of("umami") {
        ours.peer = Some(("umami".into(), umami));
        ours.ratio = Some(value / umami);
    }
    let others = ["plausible", "posthog"].into_iter();
    let others =
        others.filter_map(|name| Some(alone(&format!("main_thread_{name}_ms"), of(name)?)));
    Ok([ours].into_iter().chain(others).collect())
}

/// Runs a script beside this file, whose last line is an object of figures.
fn measured(
    root: &Path,
    script: &str,
    model: Option<&Path>,
    names: &[(&str, &'static str)],
) -> Result<Vec<Figure>> {
    let measured = said(root, script, model)?;
    let figure = |&(name, unit): &(&str, &'static str)| -> Result<Figure> {
        let value = measured[name].as_f64().with_context(|| format!("no {name} in {measured}"))?;
        Ok(Figure::alone("page", name, value, unit))
    };
    names.iter().map(figure).collect()
}

/// The last line of a script beside this file.
fn said(root: &Path, script: &str, model: Option<&Path>) -> Result<Value> {
    let mut node = shell::command(root, "node", [root.join("xtask/src/bench").join(script)]);
    node.args(model).env("CHROMIUM", setup::chromium()?);
    let said = shell::capture(node)?;
    serde_json::from_str(said.lines().last().unwrap_or_default())
        .with_context(|| format!("{script} said: {said}"))
}
