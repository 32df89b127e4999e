//! The Next.js example, built and driven in Chromium.

use super::node::{Host, tap};
use crate::matrix::Matrix;
use crate::setup;
use crate::shell::{self, command};
use anyhow::Result;
use std::path::Path;

pub fn run(root: &Path, matrix: &mut Matrix) -> Result<()> {
    let folder = root.join("examples/nextjs");
    setup::node()?;
    // Not `npm ci`: that wants Next's builds for all systems, which not every registry has.
    if !folder.join("node_modules/.package-lock.json").is_file() {
        println!("setup: npm packages of {}", folder.display());
        let options = ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"];
        shell::run(command(&folder, "npm", options))?;
    }
    let file = folder.join("test/nextjs.test.mjs");
    let mut test = command(root, "node", ["--test", "--test-reporter=tap"]);
    test.arg(file).env("CHROMIUM", setup::chromium()?);
    test.env("RAPPORT", shell::executable(root, "rapport-cli", "rapport")?);
    tap(test, "nextjs", Host::Chromium.name(), matrix)
}
