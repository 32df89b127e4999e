//! How a program's memory grows that decides with core itself.

use super::{Figure, SUITE};
use crate::shell;
use crate::test::leads;
use anyhow::Result;
use std::path::Path;

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    leads::train(root)?;
    let mut run = shell::cargo(root, ["run", "--quiet", "--package", "rapport-core"]);
    run.args(["--features", "wire", "--example", "decide_growth"]);
    run.args(["examples/demo/signals.json", "sdk-js/dist/test/leads.rpm"]);
    Ok(vec![Figure::said(SUITE, shell::capture(run)?.trim())?])
}
