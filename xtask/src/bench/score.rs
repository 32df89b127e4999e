//! Scoring and explaining: in WebAssembly under Node, and natively, beside LightGBM and shap.
//!
//! The model is our trainer's, of bank marketing rows and as large as LightGBM's with 64 leaves at depth
//! 6; each peer reads what was stored, exported back. Every figure is the best of its rounds: keep the
//! machine quiet.

use super::Figure;
use crate::{setup, shell};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};

const SUITE: &str = "score";

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    let folder = folder(root);
    let library = train(root)?;
    let peer = |arguments: &[&Path]| peer(root, arguments);
    let native = build(root, "score_timing", false)?;
    let wasm = build(root, "page_timing", true)?;
    let natively = || json(shell::command(root, &native.to_string_lossy(), [&folder]));

    // The first run exports what the peers read.
    natively()?;
    let shap = object(&peer(&["shap".as_ref(), &folder])?)?;
    let lightgbm = lightgbm(root, library.trim(), &folder)?;
    let ours = natively()?;
    let mut node = shell::command(root, "node", [root.join("xtask/src/bench/score.mjs")]);
    node.args([&wasm, &folder]);
    let page = json(node)?;

    let number = |object: &Value, name: &str| {
        object[name].as_f64().with_context(|| format!("no figure {name} in {object}"))
    };
    let beside = |name: &str, value: f64, peer: (&str, f64), ratio: f64| Figure {
        peer: Some((peer.0.to_owned(), peer.1)),
        ratio: Some(ratio),
        ..Figure::alone(SUITE, name, value, "us")
    };
    let (explain, shap_us) = (number(&page, "explain_us")?, number(&shap, "us")?);
    let (score, lightgbm_us) = (number(&ours, "score_us")?, number(&lightgbm, "us")?);
    let difference =
        number(&page, "explain_max_abs_diff")?.max(number(&ours, "explain_max_abs_diff")?);
    Ok(vec![
        Figure::alone(SUITE, "score_wasm_us", number(&page, "score_us")?, "us"),
        Figure::alone(SUITE, "score_wasm_call_us", number(&page, "call_us")?, "us"),
        beside("explain_wasm_us", explain, ("shap", shap_us), shap_us / explain),
        Figure::alone(SUITE, "explain_max_abs_diff", difference, "log-odds"),
        Figure::alone(SUITE, "model_bytes", number(&ours, "model_bytes")?, "bytes"),
        Figure::alone(SUITE, "model_load_us", number(&page, "load_us")?, "us"),
        beside(
            "score_native_us",
            score,
            ("LightGBM single-row-fast", lightgbm_us),
            score / lightgbm_us,
        ),
        Figure::alone(SUITE, "explain_native_us", number(&ours, "explain_us")?, "us"),
    ])
}

/// Where the model of the figures stands; it is trained where it is not there yet.
pub fn model(root: &Path) -> Result<PathBuf> {
    let model = folder(root).join("model.rpm");
    if !model.is_file() {
        train(root)?;
    }
    Ok(model)
}

/// Trains the model of the figures; says where LightGBM's library is.
fn train(root: &Path) -> Result<String> {
    let data =
        setup::data(root).context("no data: set RAPPORT_DATA to the folder that holds it")?;
    let folder = folder(root);
    std::fs::create_dir_all(&folder)?;
    let library = peer(root, &["prepare".as_ref(), &folder, &data])?;
    let trainer = build(root, "score_model", false)?;
    shell::capture(shell::command(root, &trainer.to_string_lossy(), [&folder]))?;
    Ok(library)
}

/// What `xtask/peers/score.py` says.
fn peer(root: &Path, arguments: &[&Path]) -> Result<String> {
    let python = setup::python(&root.join("xtask/peers/requirements.txt"))?;
    let mut command =
        shell::command(root, &python.to_string_lossy(), [root.join("xtask/peers/score.py")]);
    command.args(arguments);
    shell::capture(command)
}

fn folder(root: &Path) -> PathBuf {
    shell::target(root).join("bench/score")
}

/// Builds an example of core and returns where it is: natively, or as pages get it.
fn build(root: &Path, example: &str, page: bool) -> Result<PathBuf> {
    let how: &[_] = if page {
        &["--profile", "page", "--target", "wasm32-unknown-unknown"]
    } else {
        &["--release", "--features", "train,wire"]
    };
    let what = ["--quiet", "--package", "rapport-core", "--example", example];
    shell::built(root, what.into_iter().chain(how.iter().copied()))
}

/// Compiles and runs the loop around LightGBM's C call.
fn lightgbm(root: &Path, library: &str, folder: &Path) -> Result<Value> {
    let program = folder.join("lightgbm");
    let source = root.join("xtask/peers/lightgbm.c");
    let mut compile = shell::command(root, "cc", ["-O2", "-o"]);
    compile.arg(&program).arg(source).arg("-ldl");
    shell::run(compile)?;
    let mut run = shell::command(root, &program.to_string_lossy(), [library]);
    run.args([folder.join("exported.txt"), folder.join("exported_rows.f64"), "50".into()]);
    json(run)
}

fn json(command: std::process::Command) -> Result<Value> {
    object(&shell::capture(command)?)
}

fn object(text: &str) -> Result<Value> {
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("not a JSON object: {line}"))
}
