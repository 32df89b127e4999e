//! `cargo xtask dev`: from a clone to a scored visitor.

use crate::{setup, shell, wasm};
use anyhow::Result;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// Train on these leads (CSV) instead of simulated visitors
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Everything that the demo remembers
    #[arg(long, value_name = "DIR", default_value = "data")]
    dir: PathBuf,
    /// First of the ports to listen on, on loopback
    #[arg(long, default_value_t = 4400)]
    port: u16,
}

pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    build(root)?;
    let mut demo = shell::cargo(root, ["run", "--quiet", "--package", "rapport-cli", "--", "demo"]);
    demo.arg("--dir").arg(&arguments.dir);
    demo.arg("--sdk-dir").arg(root.join("sdk-js/dist"));
    demo.arg("--site").arg(root.join("examples/demo-site"));
    demo.arg("--port").arg(arguments.port.to_string());
    if let Some(data) = &arguments.data {
        demo.arg("--data").arg(data.canonicalize().unwrap_or_else(|_| data.clone()));
    }
    shell::run(demo)
}

/// The page's files and the `rapport` binary.
pub fn build(root: &Path) -> Result<()> {
    setup::wasm_target()?;
    setup::npm(&root.join("sdk-js"))?;
    println!("build: engine and SDK for the page");
    wasm::page(root)?;
    println!("build: rapport");
    shell::run(shell::cargo(root, ["build", "--quiet", "--package", "rapport-cli"]))
}
