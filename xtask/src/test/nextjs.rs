//! The Next.js example, built and driven in Chromium.

use super::node::{Host, tap};
use crate::matrix::Matrix;
use crate::setup;
use crate::shell::command;
use anyhow::Result;
use std::path::Path;

pub fn run(root: &Path, matrix: &mut Matrix) -> Result<()> {
    let folder = root.join("examples/nextjs");
    setup::npm(&folder)?;
    let file = folder.join("test/nextjs.test.mjs");
    let mut test = command(root, "node", ["--test", "--test-reporter=tap"]);
    test.arg(file).env("CHROMIUM", setup::chromium()?);
    tap(test, "nextjs", Host::Chromium, matrix)
}
