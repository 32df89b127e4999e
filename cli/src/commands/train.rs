use super::Outcome;
use crate::output::{look_ahead, write_whole};
use crate::progress::Ticker;
use crate::table::{LeftOut, Source, TrainingTable, TrainingTableRequest};
use crate::threads::Threads;
use rapport_core::model::{SignalKind, encode};
use rapport_core::training::calibrate::BandSettings;
use rapport_core::training::leak::{Leak, leaks};
use rapport_core::training::{
    Later, Progress, Settings, Trained, Validation, train, train_on_earlier,
};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// Train a model on past leads.
///
/// Reads a CSV file with one row a lead, finds out by itself what is a number, a date or a
/// category, what means "missing" and how many trees help, and writes one model file. Nothing needs
/// tuning. Columns that would not be known when a new lead is scored must be excluded; those that
/// look so are named in a warning.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  rapport train --input leads.csv --target Converted --out leads.rpm
  rapport train --input bank.csv --separator ';' --target y --positive yes \\
      --exclude row_id,duration --out bank.rpm --report bank.json
  rapport train --input leads.csv --target Won --time-column created_at --out leads.rpm
      (the report then also says how a model learnt on the earlier 80 % does on the later 20 %)")]
pub struct Args {
    /// CSV file with a header and one row a lead; UTF-8, UTF-16 or Latin-1
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Column that says how each lead ended; rows where it is empty are left out
    #[arg(long, value_name = "COLUMN")]
    target: String,
    /// Value of the target that counts as success (found out where it is 1, yes, true, won …)
    #[arg(long, value_name = "VALUE")]
    positive: Option<String>,
    /// Columns that the model must not see, parted by commas
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    exclude: Vec<String>,
    /// What parts the cells: ',' ';' '|' or tab (found out where it is not given)
    #[arg(long, value_name = "CHARACTER", value_parser = separator)]
    separator: Option<u8>,
    /// Column that orders the rows in time: not learnt from, but used to judge on the latest rows.
    /// Dates as people write them, or numbers
    #[arg(long, value_name = "COLUMN")]
    time_column: Option<String>,
    /// Share of non-buyers that may be called qualified
    #[arg(long, value_name = "SHARE", default_value_t = 0.016, value_parser = share)]
    fpr: f64,
    /// Build a small model of at most this many trees, for pages that count bytes: 100 make about
    /// 10 KB, and cost about .001 of AUC
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    trees: Option<u32>,
    /// Another seed gives another, equally good model; the same one gives the same bytes
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Where to write the model
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where to write a report (JSON): how columns were read, what was left out, how good the model is
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub fn run(args: Args) -> Outcome {
    look_ahead(&args.out)?;
    args.report.as_deref().map(look_ahead).transpose()?;
    let mut ticker = Ticker::new();
    let source = Source::open(&args.input, args.separator)?;
    let request = TrainingTableRequest {
        target: &args.target,
        positive: args.positive.as_deref(),
        exclude: &args.exclude,
        time_column: args.time_column.as_deref(),
    };
    let mut read = TrainingTable::read(&source, &request, &mut ticker)?;
    read.leave_out_identifiers();
    ticker.step(|| "looking for columns that give the outcome away".into());
    let leaks = leaks(&read.table, &read.labels, &Threads);
    let bands = BandSettings { fpr: args.fpr, undecided: 0.19 };
    let settings =
        Settings { seed: args.seed, bands, max_trees: args.trees.map(|trees| trees as usize) };
    let trained = train(&read.table, &read.labels, settings, &Threads, &mut |progress| {
        ticker.step(|| match progress {
            Progress::Validating { trees } => format!("cross-validating: {trees} trees a fold"),
            Progress::Fitting => "fitting the final model".into(),
        });
    })?;
    let later = match &read.times {
        Some(times) => {
            ticker.step(|| "learning from the earlier rows, to judge on the later".into());
            Some(train_on_earlier(&read.table, &read.labels, times, settings, &Threads)?)
        }
        None => None,
    };
    drop(ticker);
    let report = Report::new(&args, &read, &trained, leaks, later);
    let bytes = encode(&trained.clone().into_model(&args.target, settings))?;
    write_whole(&args.out, |file| file.write_all(&bytes))?;
    if let Some(path) = &args.report {
        write_whole(path, |file| serde_json::to_writer_pretty(file, &report).map_err(Into::into))?;
    }
    report.print(&args, bytes.len());
    Ok(())
}

#[derive(Serialize)]
struct Report<'a> {
    input: String,
    rows: u64,
    target: &'a str,
    positive: &'a str,
    columns: Vec<ColumnReport<'a>>,
    left_out: &'a [LeftOut],
    notes: &'a [String],
    leaks: Vec<Leak>,
    cross_validation: Validation,
    #[serde(skip_serializing_if = "Option::is_none")]
    later_rows: Option<Later>,
    thresholds: Thresholds,
    trees: usize,
}

#[derive(Serialize)]
struct ColumnReport<'a> {
    name: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    levels: Option<usize>,
    used: bool,
}

#[derive(Serialize)]
struct Thresholds {
    wanted_fpr: f64,
    not_below: f64,
    qualified_from: f64,
}

impl<'a> Report<'a> {
    fn new(
        args: &'a Args,
        read: &'a TrainingTable,
        trained: &Trained,
        leaks: Vec<Leak>,
        later_rows: Option<Later>,
    ) -> Report<'a> {
        let column = |column: &'a rapport_core::training::Column| {
            let (kind, levels) = match &column.signal.kind {
                SignalKind::Number | SignalKind::NonZero => ("number", None),
                SignalKind::Date => ("date", None),
                SignalKind::Category { levels } => ("category", Some(levels.len())),
            };
            let name = column.signal.name.as_str();
            let used = trained.model.signals.iter().any(|signal| signal.name == name);
            ColumnReport { name, kind, levels, used }
        };
        Report {
            input: args.input.display().to_string(),
            rows: read.rows_in_file,
            target: &args.target,
            positive: &read.positive,
            columns: read.table.columns.iter().map(column).collect(),
            left_out: &read.left_out,
            notes: &read.notes,
            leaks,
            cross_validation: trained.validation,
            later_rows,
            thresholds: Thresholds {
                wanted_fpr: args.fpr,
                not_below: trained.bands.not_below,
                qualified_from: trained.bands.qualified_from,
            },
            trees: trained.model.trees.len(),
        }
    }

    fn print(&self, args: &Args, bytes: usize) {
        for note in self.notes {
            eprintln!("note: {note}");
        }
        for left in self.left_out {
            eprintln!("note: column “{}” was left out: {}", left.column, left.why);
        }
        for leak in &self.leaks {
            eprintln!(
                "warning: {leak}. If it is known only after the outcome, train again with --exclude \"{}\"",
                leak.column
            );
        }
        let Validation { metrics, at_thresholds, .. } = &self.cross_validation;
        eprintln!(
            "{} of {} rows are “{}” ({:.1} %). On rows not learnt from: AUC {:.3}, accuracy {:.1} % (majority {:.1} %), calibration error {:.3}.",
            (metrics.prevalence * metrics.n as f64).round(),
            metrics.n,
            self.positive,
            metrics.prevalence * 100.0,
            metrics.auc,
            metrics.accuracy * 100.0,
            metrics.majority_accuracy * 100.0,
            metrics.ece,
        );
        eprintln!(
            "Qualified from {:.3}: {:.1} % of successes at {:.2} % of the others. Decided: {:.0} %, of them {:.1} % right.",
            self.thresholds.qualified_from,
            at_thresholds.recall * 100.0,
            at_thresholds.fpr * 100.0,
            at_thresholds.coverage * 100.0,
            at_thresholds.decided_accuracy * 100.0,
        );
        if let Some(later) = &self.later_rows {
            eprintln!(
                "Learnt on the earlier {} rows and judged on the later {}: AUC {:.3}, {:.1} % of successes at {:.2} % of the others.",
                later.earlier_rows,
                later.later_rows,
                later.metrics.auc,
                later.at_thresholds.recall * 100.0,
                later.at_thresholds.fpr * 100.0,
            );
        }
        eprintln!("{}: {} trees, {} bytes", args.out.display(), self.trees, bytes);
    }
}

/// A separator as people type it.
pub fn separator(text: &str) -> Result<u8, String> {
    match text {
        "tab" | "\\t" | "\t" => Ok(b'\t'),
        _ => match text.as_bytes() {
            [byte] if byte.is_ascii_punctuation() || *byte == b' ' => Ok(*byte),
            _ => Err("give one character: ',' ';' '|' or tab".into()),
        },
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "give a share, such as 0.016".to_owned())?;
    if (0.0..=0.5).contains(&share) {
        Ok(share)
    } else {
        Err("give a share between 0 and 0.5".into())
    }
}
