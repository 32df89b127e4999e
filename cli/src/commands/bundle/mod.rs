//! `rapport bundle`: what hosts decide by, compiled, looked at, checked and compared.

mod compile;
mod diff;
mod file;
mod inspect;

use super::Outcome;
use std::path::PathBuf;

/// Compile a bundle, look into it, check it, or say what changes from one to another
///
/// A bundle is authored as JSON: signals, models, words, and flags (features, experiments, audiences,
/// experiences). Compiled, signed and in one file it decides offline in every SDK.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  rapport bundle compile bundle.json --model buyers=leads.rpm --key sign.key --out bundle.rapport
  rapport bundle inspect bundle.json        (what everybody can read once it is published)
  rapport bundle inspect bundle.rapport     (its parts and their sizes)
  rapport bundle verify bundle.rapport --public-key 5Nd3…=
  rapport bundle diff old.json new.json     (what changes, and for whom)")]
pub struct Args {
    #[command(subcommand)]
    job: Job,
}

#[derive(clap::Subcommand)]
enum Job {
    /// Compile and sign a bundle into one file; what is wrong is said and left out
    Compile(compile::Args),
    /// Print the parts of a bundle with their sizes, and what everybody can read of it
    Inspect(inspect::Args),
    /// Check each part's hash, and the signature
    Verify(inspect::VerifyArgs),
    /// Print what changes from one bundle to another, and for whom
    Diff(diff::Args),
}

pub fn run(args: Args) -> Outcome {
    match args.job {
        Job::Compile(args) => compile::run(&args),
        Job::Inspect(args) => inspect::run(&args),
        Job::Verify(args) => inspect::verify(&args),
        Job::Diff(args) => diff::run(&args),
    }
}

/// What a file holds.
fn read(path: &PathBuf) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}
