//! Cross-validation: which way of boosting suits a table, how many trees help, and what the model
//! says about rows that it has not seen.

use super::bins::Binned;
use super::boost::{BoostSettings, Boosting};
use super::folds;
use super::metrics::{margin_losses, recall_near};
use super::presets::{level_order, presets};
use super::train::Progress;
use super::work::{Job, Workers};

/// What is to be learnt, and how.
pub struct Plan<'a> {
    pub binned: &'a Binned,
    pub labels: &'a [bool],
    pub seed: u64,
    pub max_trees: Option<usize>,
    /// Share of negatives that may be called qualified.
    pub fpr: f64,
    pub workers: &'a dyn Workers,
}

/// One of the boostings whose mean is the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    pub way: BoostSettings,
    pub rounds: usize,
}

/// What cross-validation found.
pub struct Validated {
    pub parts: Vec<Part>,
    /// Margins of rows that were held out.
    pub margins: Vec<f64>,
    /// Folds of the cross-validation that gave them.
    pub folds: usize,
}

/// Trees between two looks at the held-out rows.
const STRIDE: usize = 5;
/// Trees without a better look after which boosting ends.
const PATIENCE: usize = 30;
/// How much log loss the recall of the qualified is worth: the log loss speaks for all rows, and
/// hardly hears when the few at the top, whom sales would call first, are learnt by heart.
const RECALL_WORTH: f64 = 0.15;

/// How much work the rows are worth: the fewer there are, the more chance has to be averaged out.
#[derive(Clone, Copy)]
struct Effort {
    folds: usize,
    /// Cross-validations of each way.
    repeats: usize,
    /// Folds of the cross-validations that thresholds are found on, one for each part.
    further_folds: Option<usize>,
    most_rounds: usize,
    /// Boostings with seeds of their own whose mean is the model.
    parts: usize,
}

impl Effort {
    fn of(rows: usize, max_trees: Option<usize>) -> Effort {
        let few =
            Effort { folds: 5, repeats: 2, further_folds: Some(10), most_rounds: 500, parts: 4 };
        let many = Effort { folds: 3, repeats: 1, further_folds: None, most_rounds: 300, parts: 2 };
        let effort = if rows <= 60_000 { few } else { many };
        let Some(trees) = max_trees else { return effort };
        let parts = effort.parts.min(trees / LEAST_ROUNDS).max(1);
        Effort { most_rounds: (trees / parts).min(effort.most_rounds), parts, ..effort }
    }
}

/// Trees that each part has, before there are further parts.
const LEAST_ROUNDS: usize = 20;

/// One way, tried: its rounds, and held-out margins of every repeat.
struct Trial {
    way: BoostSettings,
    rounds: usize,
    margins: Vec<Vec<f64>>,
}

impl Plan<'_> {
    /// Tries every way, and takes the one, or the mean of those, that does best.
    pub fn validate(&self, progress: &mut dyn FnMut(Progress)) -> Validated {
        let trials: Vec<Trial> =
            self.ways().into_iter().map(|way| self.try_way(way, progress)).collect();
        let place = self.first_of_the_best(&trials);
        let chosen = &trials[place];
        let effort = self.effort();
        let part = |at: usize| {
            let way = BoostSettings { level_order: level_order(at), ..chosen.way };
            Part { way, rounds: chosen.rounds }
        };
        let parts: Vec<Part> = (0..effort.parts).map(part).collect();
        let Some(folds) = effort.further_folds else {
            return Validated { parts, margins: chosen.mean(), folds: effort.folds };
        };
        // As many boostings as the model has, each on nearly all rows: a threshold that is found on
        // the mean of fewer would be one of margins that spread wider than the model's.
        let further: Vec<Vec<f64>> = (0..parts.len())
            .map(|at| self.cross_fit(parts[at], effort.repeats + at, folds, progress))
            .collect();
        let margins = mean(&further.iter().map(Vec::as_slice).collect::<Vec<_>>());
        Validated { parts, margins, folds }
    }

    fn effort(&self) -> Effort {
        Effort::of(self.labels.len(), self.max_trees)
    }

    /// Held-out margins of one more cross-validation, with folds and seeds of its own.
    fn cross_fit(
        &self,
        part: Part,
        repeat: usize,
        folds: usize,
        progress: &mut dyn FnMut(Progress),
    ) -> Vec<f64> {
        progress(Progress::Validating { trees: part.rounds });
        let splits = self.splits(repeat, folds);
        let mut boostings = self.boostings(&splits, part.way, repeat);
        self.workers.run(boostings.iter_mut().map(|one| rounds_of(one, part.rounds)).collect());
        let mut margins = vec![0.0; self.labels.len()];
        for (boosting, (_, held)) in boostings.iter().zip(&splits) {
            held.iter().for_each(|&row| margins[row as usize] = boosting.margins[row as usize]);
        }
        margins
    }

    /// Rows to learn from and rows to judge on, a fold each.
    fn splits(&self, repeat: usize, folds: usize) -> Vec<(Vec<u32>, Vec<u32>)> {
        let seed = self.seed.wrapping_add(repeat as u64);
        let fold = folds::stratified(self.labels, folds, seed);
        (0..folds).map(|judge| folds::split(&fold, judge)).collect()
    }

    fn boostings(
        &self,
        splits: &[(Vec<u32>, Vec<u32>)],
        way: BoostSettings,
        repeat: usize,
    ) -> Vec<Boosting<'_>> {
        let seeds = (0_u64..).map(|at| self.seed ^ (at << 32) ^ ((repeat as u64) << 48));
        let start = |((learns, _), seed): (&(Vec<u32>, Vec<u32>), u64)| {
            Boosting::new(self.binned, self.labels, learns, way, seed)
        };
        splits.iter().zip(seeds).map(start).collect()
    }

    fn ways(&self) -> Vec<BoostSettings> {
        let mut ways = presets(self.labels.len());
        if self.max_trees.is_some() {
            // Few trees have to learn faster.
            let rounds = self.effort().most_rounds.max(1) as f64;
            for way in &mut ways {
                way.learning_rate = (10.0 / rounds).clamp(way.learning_rate, 0.4);
            }
        }
        ways
    }

    /// Boosts all folds in step, until their mean loss has stopped to fall.
    fn try_way(&self, way: BoostSettings, progress: &mut dyn FnMut(Progress)) -> Trial {
        let rows = self.labels.len();
        let Effort { folds, repeats, most_rounds: most, .. } = self.effort();
        let splits: Vec<_> = (0..repeats).map(|repeat| self.splits(repeat, folds)).collect();
        let places = splits.iter().enumerate();
        let places: Vec<(usize, &[u32])> = places
            .flat_map(|(repeat, folds)| {
                folds.iter().map(move |(_, held)| (repeat, held.as_slice()))
            })
            .collect();
        let boostings = splits.iter().enumerate();
        let mut boostings: Vec<Boosting> = boostings
            .flat_map(|(repeat, folds)| {
                let way = BoostSettings { level_order: level_order(repeat), ..way };
                self.boostings(folds, way, repeat)
            })
            .collect();
        let mut trial = Trial { way, rounds: 0, margins: vec![vec![0.0; rows]; repeats] };
        let mut looked = trial.margins.clone();
        let (mut lowest, mut rounds) = (f64::INFINITY, 0);
        while rounds < most && rounds < trial.rounds + PATIENCE.max(rounds / 4) {
            let stride = STRIDE.min(most - rounds);
            self.workers
                .run(boostings.iter_mut().map(|boosting| rounds_of(boosting, stride)).collect());
            rounds += stride;
            progress(Progress::Validating { trees: rounds });
            for (boosting, (repeat, held)) in boostings.iter().zip(&places) {
                held.iter().for_each(|&row| {
                    looked[*repeat][row as usize] = boosting.margins[row as usize];
                });
            }
            let cost = self.cost(&mean(&looked.iter().map(Vec::as_slice).collect::<Vec<_>>()));
            if cost < lowest {
                lowest = cost;
                trial.rounds = rounds;
                trial.margins.clone_from(&looked);
            }
        }
        trial
    }

    /// What held-out margins lack: lower is better.
    fn cost(&self, margins: &[f64]) -> f64 {
        let losses = margin_losses(self.labels, margins);
        losses.iter().sum::<f64>() / losses.len().max(1) as f64
            - RECALL_WORTH * recall_near(self.labels, margins, self.fpr)
    }

    /// The place of the first way that is not worse than the best one by more than the standard error of their
    /// difference (Breiman et al. 1984): what chance prefers changes from fold to fold.
    fn first_of_the_best(&self, trials: &[Trial]) -> usize {
        let losses: Vec<Vec<f64>> =
            trials.iter().map(|trial| margin_losses(self.labels, &trial.mean())).collect();
        let rows = self.labels.len() as f64;
        let summed = |losses: &Vec<f64>| losses.iter().sum::<f64>();
        let best = losses.iter().min_by(|a, b| summed(a).total_cmp(&summed(b)));
        let close = |losses: &Vec<f64>| {
            let Some(best) = best else { return true };
            let differences = || losses.iter().zip(best).map(|(loss, best)| loss - best);
            let mean = differences().sum::<f64>() / rows;
            let variance = differences().map(|one| (one - mean) * (one - mean)).sum::<f64>() / rows;
            mean <= libm::sqrt(variance / rows)
        };
        losses.iter().position(close).unwrap_or(0)
    }
}

impl Trial {
    /// Held-out margins, the mean of all repeats.
    fn mean(&self) -> Vec<f64> {
        mean(&self.margins.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}

fn rounds_of<'j>(boosting: &'j mut Boosting, count: usize) -> Job<'j> {
    Box::new(move || {
        for _ in 0..count {
            boosting.round();
        }
    })
}

fn mean(margins: &[&[f64]]) -> Vec<f64> {
    let rows = margins.first().map_or(0, |first| first.len());
    (0..rows)
        .map(|row| margins.iter().map(|margins| margins[row]).sum::<f64>() / margins.len() as f64)
        .collect()
}
