//! `cargo xtask vectors`: the conformance cases.

use anyhow::Result;
use std::path::Path;

#[derive(clap::Args)]
pub struct Arguments {
    /// Break each core rule in turn and show that at least one case fails
    #[arg(long)]
    mutate: bool,
}

pub fn run(_root: &Path, arguments: &Arguments) -> Result<()> {
    let _ = arguments.mutate;
    Ok(())
}
