//! `rapport train` beside LightGBM, XGBoost, CatBoost and perpetual on the same folds, and the time
//! that boosting takes beside LightGBM's. The folds are a rule in `peers/train.py`. Takes a good half hour on two cores.

use super::Figure;
use crate::{setup, shell};
use anyhow::{Context, Result};
use std::path::Path;

const SUITE: &str = "train";

pub fn figures(root: &Path, sets: &str) -> Result<Vec<Figure>> {
    let data =
        setup::data(root).context("no data: set RAPPORT_DATA to the folder that holds it")?;
    let python = setup::python(&root.join("xtask/peers/requirements.txt"))?;
    let rapport = ["--release", "--package", "rapport-cli", "--no-default-features"];
    let rapport = shell::built(root, rapport)?;
    let timing = ["--package", "rapport-core", "--features", "train", "--example", "train_timing"];
    let timing = shell::built(root, ["--release"].into_iter().chain(timing))?;
    let script = root.join("xtask/peers/train.py");
    let mut peers = shell::command(root, &python.to_string_lossy(), [&script, &data]);
    peers.arg("--rapport").arg(rapport);
    peers.arg("--timing").arg(timing);
    peers.args(["--sets", sets]);
    shell::capture(peers)?.lines().map(|line| Figure::said(SUITE, line)).collect()
}
