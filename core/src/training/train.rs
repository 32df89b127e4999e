//! From a table and its outcomes to a model, without a choice left to the user: cross-validation
//! picks the way of boosting and the number of trees, and its held-out margins give the calibration
//! and the bands.

use super::apply::probabilities;
use super::authored::mean_model;
use super::bins::{BinSettings, Binned};
use super::boost::Boosting;
use super::calibrate::{BandSettings, bands, curve};
use super::grow::CodeTree;
use super::metrics::{AtThresholds, Metrics};
use super::table::Table;
use super::validate::{Part, Plan};
use super::work::{Job, Workers};
use crate::model::{
    Bands, Calibration, EncodeError, LeadModel, Margin, Model, ModelError, TreeModel, encode,
};

/// What a user may choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub seed: u64,
    pub bands: BandSettings,
    /// The most trees that the model may have; as many as help where there is none.
    pub max_trees: Option<usize>,
}

/// A trained model and how it did on rows that it had not seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    pub model: TreeModel,
    pub calibration: Calibration,
    pub bands: Bands,
    pub validation: Validation,
}

/// Figures of the cross-validation.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct Validation {
    pub folds: usize,
    pub metrics: Metrics,
    pub at_thresholds: AtThresholds,
    pub rounds: usize,
    pub boostings: usize,
}

/// How a model that was learnt on the earlier rows does on the later ones.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct Later {
    pub earlier_rows: usize,
    pub later_rows: usize,
    pub metrics: Metrics,
    pub at_thresholds: AtThresholds,
}

/// Why nothing can be learnt.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error(
        "the target has {positives} positive and {negatives} negative rows, and a model needs at least {LEAST} of each: add rows, or check the target and its positive value"
    )]
    TooFew { positives: usize, negatives: usize },
    #[error("no column is left to learn from: exclude fewer, or check the separator")]
    NoColumns,
    #[error("the trained model cannot be packed: {0}")]
    Encode(#[from] EncodeError),
    #[error("the trained model cannot be read back: {0}")]
    Open(#[from] ModelError),
}

/// How far the work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Trees a fold, in cross-validation.
    Validating {
        trees: usize,
    },
    Fitting,
}

/// Rows that each class needs.
pub const LEAST: usize = 5;

/// Trains on a table; `labels` are one a row.
pub fn train(
    table: &Table,
    labels: &[bool],
    settings: Settings,
    workers: &dyn Workers,
    progress: &mut dyn FnMut(Progress),
) -> Result<Trained, TrainError> {
    let positives = labels.iter().filter(|label| **label).count();
    let negatives = labels.len() - positives;
    if positives < LEAST || negatives < LEAST {
        return Err(TrainError::TooFew { positives, negatives });
    }
    if table.columns.is_empty() {
        return Err(TrainError::NoColumns);
    }
    let binned = Binned::new(table, BinSettings { max_cuts: 254, rare_below: 3 });
    let plan = Plan {
        binned: &binned,
        labels,
        seed: settings.seed,
        max_trees: settings.max_trees,
        fpr: settings.bands.fpr,
        workers,
    };
    let validated = plan.validate(progress);
    progress(Progress::Fitting);
    let boosted = fit(&plan, &validated.parts);
    let model = mean_model(
        table,
        &binned,
        &boosted.iter().map(|(base, trees)| (*base, trees.as_slice())).collect::<Vec<_>>(),
    );
    let calibration = curve(labels, &validated.margins);
    let probability = |margin: &f64| calibration.probability(Margin(*margin)).0;
    let probabilities: Vec<f64> = validated.margins.iter().map(probability).collect();
    let bands = bands(labels, &probabilities, settings.bands);
    let validation = Validation {
        folds: validated.folds,
        metrics: Metrics::of(labels, &probabilities),
        at_thresholds: AtThresholds::of(
            labels,
            &probabilities,
            bands.not_below,
            bands.qualified_from,
        ),
        rounds: validated.parts.iter().map(|part| part.rounds).max().unwrap_or(0),
        boostings: boosted.len(),
    };
    Ok(Trained { model, calibration, bands, validation })
}

/// Learns from the earliest four fifths of the rows, and judges on the rest: what to expect where
/// the world moves on. Rows whose time is NaN count as earliest.
pub fn train_on_earlier(
    table: &Table,
    labels: &[bool],
    times: &[f64],
    settings: Settings,
    workers: &dyn Workers,
) -> Result<Later, TrainError> {
    let mut order: Vec<u32> = (0..labels.len() as u32).collect();
    let time = |row: u32| {
        times.get(row as usize).copied().filter(|time| !time.is_nan()).unwrap_or(f64::NEG_INFINITY)
    };
    order.sort_by(|&a, &b| time(a).total_cmp(&time(b)));
    let (earlier, later) = order.split_at(order.len() * 4 / 5);
    let of = |rows: &[u32]| rows.iter().map(|&row| labels[row as usize]).collect::<Vec<bool>>();
    let trained = train(&table.select(earlier), &of(earlier), settings, workers, &mut |_| {})?;
    let bands = trained.bands;
    let probabilities = probabilities(
        &Model::open(&encode(&trained.into_model("", settings))?)?,
        &table.select(later),
    );
    let labels = of(later);
    Ok(Later {
        earlier_rows: earlier.len(),
        later_rows: later.len(),
        metrics: Metrics::of(&labels, &probabilities),
        at_thresholds: AtThresholds::of(
            &labels,
            &probabilities,
            bands.not_below,
            bands.qualified_from,
        ),
    })
}

impl Trained {
    /// The whole model, as files hold it.
    #[must_use]
    pub fn into_model(self, name: &str, settings: Settings) -> LeadModel {
        LeadModel {
            calibration: self.calibration,
            wanted_fpr: Some(settings.bands.fpr),
            ..LeadModel::of_trees(name, self.model, self.bands)
        }
    }
}

/// Boosts on all rows; base margin and trees of each part.
fn fit(plan: &Plan, parts: &[Part]) -> Vec<(f64, Vec<CodeTree>)> {
    let rows: Vec<u32> = (0..plan.labels.len() as u32).collect();
    let mut boosted: Vec<(f64, Vec<CodeTree>)> = vec![(0.0, Vec::new()); parts.len()];
    let rows = &rows;
    let jobs = boosted.iter_mut().zip(parts).zip(1_u64..).map(|((slot, part), at)| -> Job {
        Box::new(move || {
            let seed = plan.seed ^ (at << 40);
            let mut boosting = Boosting::new(plan.binned, plan.labels, rows, part.way, seed);
            (0..part.rounds).for_each(|_| boosting.round());
            *slot = (boosting.base, boosting.trees);
        })
    });
    plan.workers.run(jobs.collect());
    boosted
}
