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

pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    setup::wasm_target()?;
    setup::npm(&root.join("sdk-js"))?;
    let build = if arguments.testing { Build::Testing } else { Build::Deployed };
    println!("{}", worker(root, build)?.display());
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
pub enum Build {
    /// What is deployed, in `edge-worker/dist`.
    Deployed,
    /// With the route that takes conformance cases.
    Testing,
    /// What deciding is measured beside: it reads a body and answers a constant.
    Constant,
}

/// Builds a Worker and returns the folder of its modules.
pub fn worker(root: &Path, build: Build) -> Result<PathBuf> {
    let target = || shell::target(root).join("edge-worker");
    let (dist, name, how): (_, _, &[_]) = match build {
        Build::Deployed => (root.join("edge-worker/dist"), "edge", &[]),
        Build::Testing => (target().join("testing"), "edge", &["--features", "testing"]),
        Build::Constant => (target().join("constant"), "constant", &["--example", "constant"]),
    };
    let cargo = ["--quiet", "--profile", "edge", "--package", "rapport-edge-worker", "--target"];
    let cargo = cargo.into_iter().chain(["wasm32-unknown-unknown"]).chain(how.iter().copied());
    let built = shell::built(root, cargo)?;
    let bytes = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    wasm::bind(root, bytes, &dist, &Binding { name, typed: false, passes: &["-O3"] })?;
    if build == Build::Constant {
        fs::write(dist.join("worker.mjs"), CONSTANT)?;
        return Ok(dist);
    }
    for file in SHIMS {
        let from = root.join("edge-worker").join(file);
        fs::copy(&from, dist.join(file))
            .with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(dist)
}

/// What stands beside the engine.
const SHIMS: [&str; 3] = ["worker.mjs", "site.js", "crossing.js"];

/// What loads the constant.
const CONSTANT: &str = r#"import module from "./constant_bg.wasm";
import { fetch, initSync } from "./constant.js";

initSync({ module });

export default { fetch };
"#;
