use super::Outcome;
use super::train::separator;
use crate::output::print;
use crate::progress::Ticker;
use crate::scoring::Reader;
use crate::table::{Source, TableError, TrainingTableRequest, positive_label, same};
use rapport_core::scoring::score;
use rapport_core::training::metrics::{AtThresholds, Metrics};
use rapport_core::training::reading::{Sketch, is_missing};
use serde::Serialize;
use std::path::PathBuf;

/// Measure a model on rows whose outcome is known.
///
/// Prints one JSON object: how many rows (n) and which share of them succeeded (prevalence); how well
/// probabilities order (auc, pr_auc), hit (accuracy beside majority_accuracy, precision_top_decile)
/// and are meant (log_loss, brier, ece: less is better); and, at the model's two thresholds, the
/// share of non-buyers called qualified (fpr), of buyers found (recall) and of rows decided (coverage).
/// Use rows that the model was not trained on.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  rapport evaluate --model leads.rpm --input later.csv --target Converted
  rapport evaluate --model bank.rpm --input bank.csv --separator ';' --target y --positive yes")]
pub struct Args {
    /// Model file that `rapport train` wrote
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// CSV file with the model's columns and the outcome
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Column that says how each lead ended; rows where it is empty are left out
    #[arg(long, value_name = "COLUMN")]
    target: String,
    /// Value of the target that counts as success (found out where it is 1, yes, true, won …)
    #[arg(long, value_name = "VALUE")]
    positive: Option<String>,
    /// What parts the cells: ',' ';' '|' or tab (found out where it is not given)
    #[arg(long, value_name = "CHARACTER", value_parser = separator)]
    separator: Option<u8>,
}

pub fn run(args: Args) -> Outcome {
    let model = crate::scoring::open(&args.model)?;
    let mut ticker = Ticker::new();
    let source = Source::open(&args.input, args.separator)?;
    let target = source.column(&args.target)?;
    let mut reader = Reader::new(&model, &source, &mut ticker)?;
    let (mut sketch, mut outcomes, mut probabilities) = (Sketch::default(), Vec::new(), Vec::new());
    let mut row = model.row();
    let mut rows = source.rows()?;
    while let Some(record) = rows.next()? {
        let outcome = record.get(target).unwrap_or("").trim();
        sketch.see(outcome);
        if !is_missing(outcome) {
            reader.fill(sketch.rows, record, &mut row);
            outcomes.push(outcome.to_owned());
            probabilities.push(score(&model, &row).probability.0);
        }
        ticker.tick(|| format!("scoring {}: row {}", source.path.display(), probabilities.len()));
    }
    drop(ticker);
    if sketch.rows == 0 {
        return Err(TableError::NoRows { path: source.path }.into());
    }
    reader.report();
    let request = TrainingTableRequest {
        target: &args.target,
        positive: args.positive.as_deref(),
        exclude: &[],
        time_column: None,
    };
    let positive = positive_label(&sketch, &request)?;
    let labels: Vec<bool> = outcomes.iter().map(|outcome| same(outcome, &positive)).collect();
    let bands = model.bands();
    let evaluation = Evaluation {
        positive,
        metrics: Metrics::of(&labels, &probabilities),
        thresholds: Thresholds {
            wanted_fpr: model.wanted_fpr(),
            not_below: bands.not_below,
            qualified_from: bands.qualified_from,
            at: AtThresholds::of(&labels, &probabilities, bands.not_below, bands.qualified_from),
        },
    };
    print(&serde_json::to_string_pretty(&evaluation)?)?;
    Ok(())
}

#[derive(Serialize)]
struct Evaluation {
    positive: String,
    #[serde(flatten)]
    metrics: Metrics,
    thresholds: Thresholds,
}

#[derive(Serialize)]
struct Thresholds {
    wanted_fpr: Option<f64>,
    not_below: f64,
    qualified_from: f64,
    #[serde(flatten)]
    at: AtThresholds,
}
