//! Models that customers bring, beside what runs them elsewhere.

use super::Figure;
use crate::{setup, shell};
use anyhow::{Context, Result};
use std::path::Path;

const SUITE: &str = "models";

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    let mut figures = onnx(root)?;
    figures.extend(scorer(root)?);
    Ok(figures)
}

/// One score of the Rust example, limits on, each from a new instance; the wheel does the same.
fn scorer(root: &Path) -> Result<Vec<Figure>> {
    let python = setup::python(&root.join("xtask/peers/scorer.txt"))?;
    setup::wasm_target()?;
    let guest = shell::target(root).join("scorers");
    let build = ["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown"];
    let mut cargo = shell::cargo(&root.join("examples/scorers/rust"), build);
    cargo.env("CARGO_TARGET_DIR", &guest).env_remove("RUSTFLAGS");
    shell::run(cargo)?;
    let guest = guest.join("wasm32-unknown-unknown/release/lead_odds.wasm");
    let example =
        ["--quiet", "--release", "--package", "rapport-scorer", "--example", "scorer_timing"];
    let ours = shell::built(root, example)?;
    let time = |mut run: std::process::Command| -> Result<f64> {
        run.arg(&guest);
        shell::capture(run)?.trim().parse().context("no time")
    };
    let us = time(shell::command(root, &ours.to_string_lossy(), [] as [&str; 0]))?;
    let peer = root.join("xtask/peers/scorer.py");
    let peer_us = time(shell::command(root, &python.to_string_lossy(), [&peer]))?;
    Ok(vec![Figure {
        peer: Some(("wasmtime from Python".to_owned(), peer_us)),
        ratio: Some(us / peer_us),
        ..Figure::alone(SUITE, "wasm_scorer_us", us, "us")
    }])
}

/// One row through a network of 50, 64 and 1: natively, and in onnxruntime from Python. Each side runs
/// twice, in turn, and its better run counts, so that a busy moment of the machine hits neither alone.
fn onnx(root: &Path) -> Result<Vec<Figure>> {
    let python = setup::python(&root.join("xtask/peers/requirements.txt"))?;
    let model = root.join("onnx/tests/exports/mlp_50_64_1");
    let (file, rows) = (model.with_extension("onnx"), model.with_extension("json"));
    // Without tract, which this graph does not need and which takes minutes to link.
    let example =
        ["--package", "rapport-onnx", "--no-default-features", "--example", "onnx_timing"];
    let ours = shell::built(root, ["--quiet", "--release"].into_iter().chain(example))?;
    let time = |program: &Path, first: Option<&Path>| -> Result<f64> {
        let mut run = shell::command(root, &program.to_string_lossy(), first);
        run.args([&file, &rows]);
        shell::capture(run)?.trim().parse().context("no time")
    };
    let peer = root.join("xtask/peers/onnx.py");
    let (mut us, mut peer_us) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..2 {
        us = us.min(time(&ours, None)?);
        peer_us = peer_us.min(time(&python, Some(&peer))?);
    }
    let ratio = us / peer_us;
    Ok(vec![
        Figure {
            peer: Some(("onnxruntime from Python".to_owned(), peer_us)),
            ratio: Some(ratio),
            ..Figure::alone(SUITE, "onnx_mlp_us", us, "us")
        },
        Figure::alone(SUITE, "onnx_mlp_ratio", ratio, ""),
    ])
}
