//! `cargo xtask soak`: the long counts.

use anyhow::Result;
use std::path::Path;

#[derive(clap::Args)]
pub struct Arguments {
    /// Minutes for each decoder
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
}

pub fn run(_root: &Path, arguments: &Arguments) -> Result<()> {
    let _ = arguments.minutes;
    Ok(())
}
