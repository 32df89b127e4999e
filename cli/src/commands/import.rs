//! `rapport import`: models of other software become model files.

use super::Outcome;
use crate::output::{look_ahead, write_whole};
use rapport_core::model::import::{ImportError, lightgbm, onnx, xgboost};
use rapport_core::model::{Bands, LeadModel, Packing, TreeModel, encode};
use std::io::Write;
use std::path::PathBuf;

/// Turn a LightGBM, XGBoost or ONNX tree model into a model file, or take in events of the past
///
/// Of a model, margins and decisions stay as they were, to the last digit; what cannot be kept is
/// refused with the reason. The score is the model's probability in per cent, and two thresholds part
/// it into bands: choose them by what `rapport evaluate` says.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_long_help = "\
Examples:
  rapport import --input model.txt --out leads.rpm        (LightGBM, save_model)
  rapport import --input model.json --out leads.rpm       (XGBoost, save_model as JSON)
  rapport import --input model.onnx --format onnx --out leads.rpm
  rapport import events history.jsonl --dir data")]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    model: Option<Model>,
}

#[derive(clap::Subcommand)]
enum What {
    #[cfg(feature = "serve")]
    Events(super::import_events::Args),
}

#[derive(clap::Args)]
struct Model {
    /// The model as its software wrote it
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// What wrote it (found out from the file where it is not given)
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Probability from which a lead is qualified
    #[arg(long, value_name = "PROBABILITY", default_value_t = 0.5)]
    qualified_from: f64,
    /// Probability below which a lead is not qualified
    #[arg(long, value_name = "PROBABILITY", default_value_t = 0.2)]
    not_below: f64,
    /// Where to write the model
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Lightgbm,
    Xgboost,
    Onnx,
}

pub fn run(args: Args) -> Outcome {
    match (args.what, args.model) {
        #[cfg(feature = "serve")]
        (Some(What::Events(events)), _) => super::import_events::run(events),
        (_, Some(model)) => import(model),
        (_, None) => Err("give a model with --input and --out, or `events` and a file".into()),
    }
}

fn import(args: Model) -> Outcome {
    let shown = args.input.display();
    let bytes =
        std::fs::read(&args.input).map_err(|error| format!("cannot read {shown}: {error}"))?;
    look_ahead(&args.out)?;
    if bytes.is_empty() {
        return Err(format!("{shown} is empty").into());
    }
    let format = args.format.unwrap_or_else(|| Format::of(&bytes));
    let trees = format.import(&bytes).map_err(|error| match (args.format, format) {
        (None, Format::Onnx) => format!(
            "{shown} begins like no model of LightGBM (“tree”) or XGBoost (“{{”), and as ONNX: {error}"
        ),
        _ => format!("{shown}: {error}"),
    })?;
    let bands = Bands { not_below: args.not_below, qualified_from: args.qualified_from };
    let (count, signals) = (trees.trees.len(), trees.signals.len());
    let name = args.input.file_stem().unwrap_or_default().to_string_lossy();
    let model = LeadModel { packing: Packing::EXACT, ..LeadModel::of_trees(&name, trees, bands) };
    let file = encode(&model)?;
    write_whole(&args.out, |out| out.write_all(&file))?;
    eprintln!("{}: {count} trees over {signals} signals, {} bytes", args.out.display(), file.len());
    Ok(())
}

impl Format {
    /// LightGBM's text begins with `tree`, XGBoost's JSON with a brace, ONNX with neither.
    fn of(bytes: &[u8]) -> Format {
        if bytes.starts_with(b"tree") {
            Format::Lightgbm
        } else if bytes.trim_ascii_start().starts_with(b"{") {
            Format::Xgboost
        } else {
            Format::Onnx
        }
    }

    fn import(self, bytes: &[u8]) -> Result<TreeModel, ImportError> {
        match self {
            Format::Lightgbm => lightgbm(bytes),
            Format::Xgboost => xgboost(bytes),
            Format::Onnx => onnx(bytes),
        }
    }
}
