//! The engine as WebAssembly, and the JavaScript around it.

use crate::{setup, shell};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use wasm_bindgen_cli_support::Bindgen;

#[derive(clap::Args)]
pub struct Arguments {
    /// Also the build that takes JavaScript objects, for Node and conformance
    #[arg(long)]
    full: bool,
}

pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    setup::wasm_target()?;
    setup::npm(&root.join("sdk-js"))?;
    page(root)?;
    if arguments.full { full(root) } else { Ok(()) }
}

/// What visitors download: `sdk-js/dist` with the engine, the SDK, the loader and the inspector.
pub fn page(root: &Path) -> Result<()> {
    let dist = root.join("sdk-js/dist");
    bind(root, &compile(root, &[])?, &dist.join("engine"))?;
    fs::rename(dist.join("engine/engine_bg.wasm"), dist.join("rapport_bg.wasm"))?;
    shell::run(shell::command(&root.join("sdk-js"), "node", ["build.mjs"]))
}

/// The build for Node, conformance and tools, which takes and gives JavaScript objects: `sdk-js/dist/full`.
pub fn full(root: &Path) -> Result<()> {
    bind(root, &compile(root, &["--features", "full"])?, &root.join("sdk-js/dist/full"))
}

fn compile(root: &Path, features: &[&str]) -> Result<PathBuf> {
    let target = "wasm32-unknown-unknown";
    let mut cargo =
        shell::cargo(root, ["build", "--quiet", "--release", "--package", "rapport-wasm"]);
    cargo.args(["--target", target]).args(features);
    shell::run(cargo)?;
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    Ok(folder.join(target).join("release/rapport_wasm.wasm"))
}

/// Writes `engine.js`, its types and the optimised `engine_bg.wasm` into `folder`.
fn bind(root: &Path, wasm: &Path, folder: &Path) -> Result<()> {
    Bindgen::new()
        .input_path(wasm)
        .out_name("engine")
        .web(true)?
        .typescript(true)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
        .with_context(|| format!("cannot bind {}", wasm.display()))?;
    let bound = folder.join("engine_bg.wasm");
    let optimiser = root.join("sdk-js/node_modules/binaryen/bin/wasm-opt");
    let mut command = shell::command(root, "node", [optimiser]);
    command.args(OPTIMISE).arg(&bound).arg("-o").arg(&bound);
    shell::run(command)
}

/// Bulk memory, SIMD and the rest are in every browser that runs WebAssembly modules of 2021 and later.
const OPTIMISE: [&str; 8] = [
    "-O3",
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--strip-debug",
];
