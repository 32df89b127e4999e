//! The edge as a Worker: `edge-worker/dist`, ready for `wrangler deploy` and for workerd.

use crate::wasm::{self, Binding};
use crate::{setup, shell};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// With the route that takes conformance cases; never deploy that
    #[arg(long)]
    testing: bool,
}

const WORKER: Binding = Binding { name: "edge", typed: false, passes: &["-O3"] };

pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    setup::wasm_target()?;
    setup::npm(&root.join("sdk-js"))?;
    let build = if arguments.testing { Build::Testing } else { Build::Deployed };
    println!("{}", worker(root, build)?.display());
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
pub enum Build {
    Deployed,
    /// With the route that takes conformance cases.
    Testing,
}

/// Builds the Worker and returns the folder of its modules.
pub fn worker(root: &Path, build: Build) -> Result<PathBuf> {
    let dist = root.join("edge-worker").join(match build {
        Build::Deployed => "dist",
        Build::Testing => "dist/testing",
    });
    let testing = ["--features", "testing"];
    let features = if build == Build::Testing { testing.as_slice() } else { &[] };
    let cargo = ["--quiet", "--profile", "edge", "--package", "rapport-edge-worker", "--target"];
    let cargo = cargo.into_iter().chain(["wasm32-unknown-unknown"]).chain(features.iter().copied());
    let built = shell::built(root, cargo)?;
    let bytes = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    wasm::bind(root, bytes, &dist, &WORKER)?;
    for file in SHIMS {
        let from = root.join("edge-worker").join(file);
        fs::copy(&from, dist.join(file))
            .with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(dist)
}

/// What stands beside the engine.
const SHIMS: [&str; 2] = ["worker.mjs", "site.js"];
