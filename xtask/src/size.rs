//! `cargo xtask size`: bytes that a visitor downloads.

use anyhow::Result;
use std::path::Path;

#[derive(clap::Args)]
pub struct Arguments {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub fn run(_root: &Path, arguments: &Arguments) -> Result<()> {
    let _ = arguments.json;
    Ok(())
}
