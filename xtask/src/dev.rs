//! `cargo xtask dev`: from a clone to a scored visitor.

use crate::{setup, shell, wasm};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  cargo xtask dev                               learns from simulated visitors
  cargo xtask dev --data leads.csv              learns from real leads of the X Education form
  cargo xtask dev --data leads.csv --mapping mapping.json
      (examples/demo/xeducation-mapping.json shows how a mapping is written)
  cargo xtask dev --dir /tmp/demo --port 5500   beside another demo")]
pub struct Arguments {
    /// Train on these leads (CSV) instead of simulated visitors
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Which of their columns is which signal (JSON); the default fits the X Education table
    #[arg(long, value_name = "FILE", requires = "data")]
    mapping: Option<PathBuf>,
    /// Everything that the demo remembers
    #[arg(long, value_name = "DIR", default_value = "data")]
    dir: PathBuf,
    /// First of the ports to listen on, on loopback
    #[arg(long, default_value_t = 4400)]
    port: u16,
}

pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let rapport = build(root)?;
    let mut demo = Command::new(rapport);
    demo.arg("demo").arg("--dir").arg(&arguments.dir);
    demo.arg("--sdk-dir").arg(root.join("sdk-js/dist"));
    demo.arg("--site").arg(root.join("examples/demo-site"));
    demo.arg("--signals").arg(root.join("examples/demo"));
    demo.arg("--port").arg(arguments.port.to_string());
    if let Some(data) = &arguments.data {
        demo.arg("--data").arg(data);
    }
    if let Some(mapping) = &arguments.mapping {
        demo.arg("--mapping").arg(mapping);
    }
    become_it(demo)
}

/// Builds the page's files and the `rapport` binary, and returns where the binary is.
pub fn build(root: &Path) -> Result<PathBuf> {
    setup::wasm_target()?;
    setup::npm(&root.join("sdk-js"))?;
    println!("build: engine and SDK for the page");
    wasm::page(root)?;
    println!("build: rapport");
    shell::executable(root, "rapport-cli", "rapport")
}

/// Replaces this process where the system can, so that signals reach the server itself.
fn become_it(mut command: Command) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let error = command.exec();
        Err(error).context("cannot start rapport")
    }
    #[cfg(not(unix))]
    shell::run(command)
}
