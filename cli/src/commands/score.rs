use super::Outcome;
use std::path::PathBuf;

/// Scores the rows of a table with a model.
#[derive(clap::Args)]
pub struct Args {
    #[arg(long)]
    model: PathBuf,
    #[arg(long)]
    input: PathBuf,
    #[arg(long)]
    out: PathBuf,
}

pub fn run(_args: Args) -> Outcome {
    Err("score is not available in this build".into())
}
