//! Our bandits beside mabwiser's and Vowpal Wabbit's: `peers/bandits.py` has the worlds and the peers' policies.

use super::Figure;
use crate::{setup, shell};
use anyhow::Result;
use std::path::Path;

const SUITE: &str = "bandits";

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    let python = setup::python(&root.join("xtask/peers/bandits.txt"))?;
    let example =
        ["--package", "rapport-core", "--features", "wire,train", "--example", "bandit_play"];
    let bandit_play = shell::built(root, ["--quiet", "--release"].into_iter().chain(example))?;
    let mut play =
        shell::command(root, &python.to_string_lossy(), [root.join("xtask/peers/bandits.py")]);
    play.arg(bandit_play);
    shell::capture(play)?.lines().map(|line| Figure::said(SUITE, line)).collect()
}
