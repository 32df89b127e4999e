//! The Python SDK beside Eppo's and GrowthBook's, and how its memory grows.

use super::{Figure, SUITE};
use crate::bench::peers::peers;
use crate::test::{leads, python};
use crate::{setup, shell};
use anyhow::Result;
use std::path::Path;

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    leads::train(root)?;
    let interpreter = setup::python(&root.join("xtask/peers/decide.txt"))?;
    python::install(root, &interpreter)?;
    let run = |script: &str, argument: &Path| {
        let script = root.join("xtask/peers/decide").join(script);
        let mut run = shell::command(root, &interpreter.to_string_lossy(), [script.as_path()]);
        run.arg(argument);
        shell::capture(run)
    };
    let said = run("evaluate.py", &peers(root)?)? + &run("rss.py", root)?;
    said.lines().map(|line| Figure::said(SUITE, line)).collect()
}
