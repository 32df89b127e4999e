//! Our bandits beside mabwiser's and Vowpal Wabbit's: `peers/bandits.py` has the worlds and the peers' policies.

use super::Figure;
use crate::{setup, shell};
use anyhow::Result;
use std::path::{Path, PathBuf};

const SUITE: &str = "bandits";

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    let python = setup::python(&root.join("xtask/peers/bandits.txt"))?;
    let example =
        ["--package", "rapport-core", "--features", "wire,train", "--example", "bandit_play"];
    shell::run(shell::cargo(root, ["build", "--quiet", "--release"].iter().chain(&example)))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let mut play =
        shell::command(root, &python.to_string_lossy(), [root.join("xtask/peers/bandits.py")]);
    play.arg(target.join("release/examples/bandit_play"));
    shell::capture(play)?.lines().map(|line| Figure::said(SUITE, line)).collect()
}
