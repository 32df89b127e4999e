use super::Outcome;
use std::path::PathBuf;

/// Trains a model on a table of past leads.
#[derive(clap::Args)]
pub struct Args {
    /// Table of past leads, one row a lead (CSV).
    #[arg(long)]
    input: PathBuf,
    /// Column that says how each lead ended.
    #[arg(long)]
    target: String,
    /// Where to write the model.
    #[arg(long)]
    out: PathBuf,
}

pub fn run(_args: Args) -> Outcome {
    Err("train is not available in this build".into())
}
