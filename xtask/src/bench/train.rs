//! `rapport train` beside LightGBM, XGBoost, CatBoost and perpetual on the same folds, and the time
//! that boosting takes beside LightGBM's. The folds are a rule in `peers/train.py`. Takes a good half hour on two cores.

use super::Figure;
use crate::{setup, shell};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;

const SUITE: &str = "train";

pub fn figures(root: &Path, sets: &str) -> Result<Vec<Figure>> {
    let data =
        setup::data(root).context("no data: set RAPPORT_DATA to the folder that holds it")?;
    let python = setup::python(&root.join("xtask/peers/requirements.txt"))?;
    let target = root.join("target/release");
    let mut rapport = vec!["build", "--release", "--package", "rapport-cli"];
    rapport.push("--no-default-features");
    shell::run(shell::cargo(root, rapport))?;
    let timing = ["--package", "rapport-core", "--features", "train", "--example", "train_timing"];
    shell::run(shell::cargo(root, ["build", "--release"].into_iter().chain(timing)))?;
    let script = root.join("xtask/peers/train.py");
    let mut peers = shell::command(root, &python.to_string_lossy(), [&script, &data]);
    peers.arg("--rapport").arg(target.join("rapport"));
    peers.arg("--timing").arg(target.join("examples/train_timing"));
    peers.args(["--sets", sets]);
    shell::capture(peers)?.lines().map(figure).collect()
}

/// A line of the script.
fn figure(line: &str) -> Result<Figure> {
    let line: Value = serde_json::from_str(line).context("not a figure")?;
    let name = line["name"].as_str().context("a figure without a name")?;
    let value = line["value"].as_f64().context("a figure without a value")?;
    let unit = if line["unit"] == "s" { "s" } else { "" };
    let peer = line["peer"].as_str().map(str::to_owned).zip(line["peer_value"].as_f64());
    Ok(Figure { peer, ratio: line["ratio"].as_f64(), ..Figure::alone(SUITE, name, value, unit) })
}
