use super::Outcome;
use super::train::separator;
use crate::output::{look_ahead, write_whole};
use crate::progress::Ticker;
use crate::scoring::Reader;
use crate::table::Source;
use rapport_core::model::Model;
use rapport_core::scoring::{Explainer, points, score};
use std::path::PathBuf;

/// Score the rows of a table with a model.
///
/// Writes a CSV file with the columns row (counted from 1), probability, score (0 to 100) and band
/// (qualified, undecided, not), in the order of the input. Columns are found by name; cells are read
/// as in training, and those that cannot be are named on standard error and count as missing.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  rapport score --model leads.rpm --input new.csv --out scores.csv
  rapport score --model leads.rpm --input new.csv --out scores.csv --explain
      (one column a signal more: the points that it adds to or takes from the score)")]
pub struct Args {
    /// Model file that `rapport train` wrote
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// CSV file that has the columns that the model reads
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// What parts the cells: ',' ';' '|' or tab (found out where it is not given)
    #[arg(long, value_name = "CHARACTER", value_parser = separator)]
    separator: Option<u8>,
    /// Where to write the scores
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Add one column a signal: the points that it adds to or takes from the score. The score less
    /// all of a row's points is the base, what a lead of whom nothing is known would score
    #[arg(long)]
    explain: bool,
}

pub fn run(args: Args) -> Outcome {
    look_ahead(&args.out)?;
    let model = crate::scoring::open(&args.model)?;
    let mut ticker = Ticker::new();
    let source = Source::open(&args.input, args.separator)?;
    let mut reader = Reader::new(&model, &source, &mut ticker)?;
    let mut failed: Outcome = Ok(());
    write_whole(&args.out, |file| {
        failed = write(&args, &model, &source, &mut reader, file, &mut ticker);
        match &failed {
            Ok(()) => Ok(()),
            Err(error) => Err(std::io::Error::other(error.to_string())),
        }
    })
    .map_err(|error| match failed {
        // What is wrong with the input says so itself.
        Err(failed) if !failed.is::<csv::Error>() && !failed.is::<std::io::Error>() => failed,
        _ => error.into(),
    })?;
    drop(ticker);
    reader.report();
    Ok(())
}

fn write(
    args: &Args,
    model: &Model,
    source: &Source,
    reader: &mut Reader,
    out: impl std::io::Write,
    ticker: &mut Ticker,
) -> Outcome {
    let mut out = csv::Writer::from_writer(out);
    let mut header = vec!["row", "probability", "score", "band"];
    if args.explain {
        header.extend(model.signals().iter().map(|signal| signal.name.as_str()));
    }
    out.write_record(&header)?;
    let mut explainer = args.explain.then(|| Explainer::new(model));
    let mut row = model.row();
    let mut rows = source.rows()?;
    let mut number = 0_u64;
    while let Some(record) = rows.next()? {
        number += 1;
        reader.fill(number, record, &mut row);
        let scored = score(model, &row);
        out.write_field(number.to_string())?;
        out.write_field(scored.probability.0.to_string())?;
        out.write_field(scored.score.0.to_string())?;
        out.write_field(scored.band.name())?;
        if let Some(explainer) = &mut explainer {
            let explanation = explainer.explain(model, &row)?;
            let shown = points(model, explanation);
            for points in &shown.points {
                out.write_field(points.to_string())?;
            }
        }
        out.write_record(None::<&[u8]>)?;
        ticker.tick(|| format!("scoring {}: row {number}", source.path.display()));
    }
    out.flush()?;
    if number == 0 {
        eprintln!("note: {} has a header but no rows", source.path.display());
    }
    Ok(())
}
