//! The edge as a Worker: `edge-worker/dist`, ready for `wrangler deploy` and for workerd.

use crate::{setup, shell};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use wasm_bindgen_cli_support::Bindgen;

#[derive(clap::Args)]
pub struct Arguments {
    /// With the route that takes conformance cases; never deploy that
    #[arg(long)]
    testing: bool,
}

/// What the Worker's modules are called.
const NAME: &str = "edge";

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
    Bindgen::new()
        .input_bytes(NAME, bytes)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(&dist)
        .with_context(|| format!("cannot bind into {}", dist.display()))?;
    let bound = dist.join(format!("{NAME}_bg.wasm"));
    let optimiser = root.join("sdk-js/node_modules/binaryen/bin/wasm-opt");
    let mut optimise = shell::command(root, "node", [optimiser]);
    optimise.args(OPTIMISE).arg(&bound).arg("-o").arg(&bound);
    shell::run(optimise)?;
    for file in SHIMS {
        let from = root.join("edge-worker").join(file);
        fs::copy(&from, dist.join(file))
            .with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(dist)
}

/// What stands beside the engine.
const SHIMS: [&str; 2] = ["worker.mjs", "site.js"];

const OPTIMISE: [&str; 10] = [
    "-O3",
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-multivalue",
    "--strip-debug",
    "--strip-target-features",
];
