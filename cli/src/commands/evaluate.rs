use super::Outcome;
use std::path::PathBuf;

/// Measures a model on rows whose outcome is known.
#[derive(clap::Args)]
pub struct Args {
    #[arg(long)]
    model: PathBuf,
    #[arg(long)]
    input: PathBuf,
    #[arg(long)]
    target: String,
}

pub fn run(_args: Args) -> Outcome {
    Err("evaluate is not available in this build".into())
}
