//! From a table and its outcomes to a model, without a choice left to the user: cross-validation
//! picks the way of boosting and the number of trees, and its held-out margins give the calibration
//! and the bands.

use super::authored::mean_model;
use super::bins::{BinSettings, Binned};
use super::boost::{BoostSettings, Boosting};
use super::calibrate::{BandSettings, bands, curve};
use super::folds;
use super::grow::CodeTree;
use super::metrics::{AtThresholds, Metrics, margin_loss};
use super::presets::presets;
use super::table::Table;
use super::work::Workers;
use crate::model::{Bands, Calibration, Margin, TreeModel};

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

/// Why nothing can be learnt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrainError {
    #[error(
        "the target has {positives} positive and {negatives} negative rows, and a model needs at least {LEAST} of each: add rows, or check the target and its positive value"
    )]
    TooFew { positives: usize, negatives: usize },
    #[error("no column is left to learn from: exclude fewer, or check the separator")]
    NoColumns,
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
    let plan = Plan { binned: &binned, labels, seed: settings.seed, workers };
    let ways = ways(labels.len(), settings.max_trees);
    let validated = plan.validate(&ways, settings.max_trees, progress);
    progress(Progress::Fitting);
    let boosted = plan.fit(&validated.parts);
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
        folds: FOLDS,
        metrics: Metrics::of(labels, &probabilities),
        at_thresholds: AtThresholds::of(
            labels,
            &probabilities,
            bands.not_below,
            bands.qualified_from,
        ),
        rounds: validated.parts.iter().map(|part| part.1).max().unwrap_or(0),
        boostings: boosted.len(),
    };
    Ok(Trained { model, calibration, bands, validation })
}

const FOLDS: usize = 5;
/// Trees a fold between looks at the loss.
const STRIDE: usize = 10;
/// Strides without a lower loss after which a fold's boosting ends.
const PATIENCE: usize = 6;
const MOST_ROUNDS: usize = 1500;
/// Boostings with seeds of their own whose mean is the model.
const BOOSTINGS: usize = 4;

struct Plan<'a> {
    binned: &'a Binned,
    labels: &'a [bool],
    seed: u64,
    workers: &'a dyn Workers,
}

struct Validated {
    /// Settings and rounds of each boosting of the final model.
    parts: Vec<(BoostSettings, usize)>,
    /// Held-out margins.
    margins: Vec<f64>,
}

fn ways(rows: usize, max_trees: Option<usize>) -> Vec<BoostSettings> {
    let mut ways = presets(rows);
    if let Some(most) = max_trees {
        // Few trees have to learn faster.
        let faster = (12.0 / most.max(1) as f64).clamp(0.03, 0.3);
        ways.iter_mut().for_each(|way| {
            way.learning_rate = faster;
            way.shape.max_depth = 6;
            way.shape.max_leaves = 64;
        });
    }
    ways
}

impl Plan<'_> {
    /// Cross-validates every way, all folds in step, until the loss has stopped to fall.
    fn validate(
        &self,
        ways: &[BoostSettings],
        max_trees: Option<usize>,
        progress: &mut dyn FnMut(Progress),
    ) -> Validated {
        let fold = folds::stratified(self.labels, FOLDS, self.seed);
        let most = max_trees.unwrap_or(MOST_ROUNDS);
        let mut tried: Vec<(f64, usize, Vec<f64>)> = Vec::new();
        for way in ways {
            let splits: Vec<_> = (0..FOLDS).map(|judge| folds::split(&fold, judge)).collect();
            let mut folds: Vec<Boosting> = splits
                .iter()
                .zip(0_u64..)
                .map(|((rows, _), at)| {
                    Boosting::new(self.binned, self.labels, rows, *way, self.seed ^ (at << 32))
                })
                .collect();
            let mut best = (f64::INFINITY, 0, Vec::new());
            let mut rounds = 0;
            while rounds < most
                && rounds < best.1 + STRIDE * PATIENCE.max(rounds / STRIDE / 4) + STRIDE
            {
                let stride = STRIDE.min(most - rounds);
                self.workers.run(
                    folds
                        .iter_mut()
                        .map(|boosting| -> Box<dyn FnOnce() + Send> {
                            Box::new(move || (0..stride).for_each(|_| boosting.round()))
                        })
                        .collect(),
                );
                rounds += stride;
                let mut loss = 0.0;
                for (boosting, (_, judged)) in folds.iter().zip(&splits) {
                    loss += margin_loss(self.labels, &boosting.margins, judged) / FOLDS as f64;
                }
                if loss < best.0 {
                    let mut margins = vec![0.0; self.labels.len()];
                    for (boosting, (_, judged)) in folds.iter().zip(&splits) {
                        judged.iter().for_each(|&row| {
                            margins[row as usize] = boosting.margins[row as usize]
                        });
                    }
                    best = (loss, rounds, margins);
                }
                progress(Progress::Validating { trees: rounds });
            }
            tried.push(best);
        }
        let boostings = if max_trees.is_some() { 1 } else { BOOSTINGS };
        self.choose(ways, tried, boostings)
    }

    /// The way with the lowest loss, or the mean of all where that is lower still.
    fn choose(
        &self,
        ways: &[BoostSettings],
        tried: Vec<(f64, usize, Vec<f64>)>,
        boostings: usize,
    ) -> Validated {
        let rows: Vec<u32> = (0..self.labels.len() as u32).collect();
        let mean: Vec<f64> = (0..self.labels.len())
            .map(|row| tried.iter().map(|way| way.2[row]).sum::<f64>() / tried.len() as f64)
            .collect();
        let mean_loss = margin_loss(self.labels, &mean, &rows);
        let rounds: Vec<usize> = tried.iter().map(|way| way.1).collect();
        let lowest =
            (0..tried.len()).min_by(|&a, &b| tried[a].0.total_cmp(&tried[b].0)).unwrap_or(0);
        let together =
            boostings >= ways.len() && tried.get(lowest).is_none_or(|best| mean_loss < best.0);
        let part = |at: usize| {
            let way = if together { at % ways.len() } else { lowest };
            (ways[way], rounds[way])
        };
        let parts = (0..boostings).map(part).collect();
        let margins = match tried.into_iter().nth(lowest) {
            Some(best) if !together => best.2,
            _ => mean,
        };
        Validated { parts, margins }
    }

    /// Boosts on all rows; base margin and trees of each part.
    fn fit(&self, parts: &[(BoostSettings, usize)]) -> Vec<(f64, Vec<CodeTree>)> {
        let rows: Vec<u32> = (0..self.labels.len() as u32).collect();
        let mut boosted: Vec<(f64, Vec<CodeTree>)> = vec![(0.0, Vec::new()); parts.len()];
        let rows = &rows;
        let jobs = boosted.iter_mut().zip(parts).zip(1_u64..).map(
            |((slot, &(way, rounds)), at)| -> Box<dyn FnOnce() + Send> {
                Box::new(move || {
                    let mut boosting =
                        Boosting::new(self.binned, self.labels, rows, way, self.seed ^ (at << 40));
                    (0..rounds).for_each(|_| boosting.round());
                    *slot = (boosting.base, boosting.trees);
                })
            },
        );
        self.workers.run(jobs.collect());
        boosted
    }
}
