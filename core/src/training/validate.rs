//! Cross-validation: which way of boosting suits a table, how many trees help, and what the model
//! says about rows that it has not seen.

use super::bins::Binned;
use super::boost::{BoostSettings, Boosting};
use super::folds;
use super::metrics::margin_loss;
use super::presets::presets;
use super::train::Progress;
use super::work::{Job, Workers};

/// What is to be learnt, and how.
pub struct Plan<'a> {
    pub binned: &'a Binned,
    pub labels: &'a [bool],
    pub seed: u64,
    pub max_trees: Option<usize>,
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

/// Trees between two looks at the loss.
const STRIDE: usize = 10;
/// Trees without a lower loss after which boosting ends.
const PATIENCE: usize = 60;

/// How much work the rows are worth: the fewer there are, the more chance has to be averaged out.
#[derive(Clone, Copy)]
struct Effort {
    folds: usize,
    /// Cross-validations of each way.
    repeats: usize,
    /// Folds of the further cross-validations that thresholds are found on.
    further_folds: Option<usize>,
    most_rounds: usize,
    /// Boostings with seeds of their own whose mean is the model.
    parts: usize,
}

impl Effort {
    fn of(rows: usize, max_trees: Option<usize>) -> Effort {
        let few =
            Effort { folds: 5, repeats: 2, further_folds: Some(10), most_rounds: 1500, parts: 4 };
        let many = Effort { folds: 3, repeats: 1, further_folds: None, most_rounds: 500, parts: 2 };
        let effort = if rows <= 60_000 { few } else { many };
        match max_trees {
            Some(trees) => Effort { most_rounds: trees, parts: 1, further_folds: None, ..effort },
            None => effort,
        }
    }
}

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
        let team = self.best_team(&trials);
        let effort = self.effort();
        let part = |at: usize| {
            let trial = trials.get(team[at % team.len()])?;
            Some(Part { way: trial.way, rounds: trial.rounds })
        };
        let parts: Vec<Part> = (0..effort.parts).filter_map(part).collect();
        let Some(folds) = effort.further_folds else {
            let turns = self.turns(&trials, &team);
            let margins = mean(&turns[..turns.len().min(effort.parts)]);
            return Validated { parts, margins, folds: effort.folds };
        };
        // Models that have seen nearly all rows, so that thresholds hold for the final one.
        let further: Vec<Vec<f64>> = (effort.repeats..parts.len())
            .map(|repeat| self.cross_fit(parts[repeat], repeat, folds, progress))
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
        if let Some(most) = self.max_trees {
            // Few trees have to learn faster, and say more each.
            for way in &mut ways {
                way.learning_rate = (8.0 / most.max(1) as f64).clamp(0.03, 0.3);
                way.shape.max_depth = 6;
                way.shape.max_leaves = 64;
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
        let mut boostings: Vec<Boosting> =
            boostings.flat_map(|(repeat, folds)| self.boostings(folds, way, repeat)).collect();
        let mut trial = Trial { way, rounds: 0, margins: vec![vec![0.0; rows]; repeats] };
        let (mut lowest, mut rounds) = (f64::INFINITY, 0);
        while rounds < most && rounds < trial.rounds + PATIENCE.max(rounds / 4) {
            let stride = STRIDE.min(most - rounds);
            self.workers
                .run(boostings.iter_mut().map(|boosting| rounds_of(boosting, stride)).collect());
            rounds += stride;
            progress(Progress::Validating { trees: rounds });
            let judged = || boostings.iter().zip(&places);
            let loss: f64 = judged()
                .map(|(boosting, (_, held))| margin_loss(self.labels, &boosting.margins, held))
                .sum();
            if loss < lowest {
                lowest = loss;
                trial.rounds = rounds;
                for (boosting, (repeat, held)) in judged() {
                    held.iter().for_each(|&row| {
                        trial.margins[*repeat][row as usize] = boosting.margins[row as usize]
                    });
                }
            }
        }
        trial
    }

    /// The ways, by their places, whose mean margin has the lowest loss.
    fn best_team(&self, trials: &[Trial]) -> Vec<usize> {
        let rows: Vec<u32> = (0..self.labels.len() as u32).collect();
        let teams: Vec<Vec<usize>> = match (self.max_trees, trials.len()) {
            (None, 3) => vec![vec![0], vec![1], vec![2], vec![0, 1], vec![0, 2], vec![1, 2]],
            _ => (0..trials.len()).map(|trial| vec![trial]).collect(),
        };
        let loss = |team: &Vec<usize>| {
            // Members meet in different repeats only, so that a pair has no more seeds than a single way.
            margin_loss(self.labels, &mean(&self.turns(trials, team)), &rows)
        };
        let best =
            teams.into_iter().map(|team| (loss(&team), team)).min_by(|a, b| a.0.total_cmp(&b.0));
        best.map_or_else(|| vec![0], |best| best.1)
    }

    /// One set of held-out margins a repeat, the members of the team taking turns.
    fn turns<'t>(&self, trials: &'t [Trial], team: &[usize]) -> Vec<&'t [f64]> {
        let repeats = trials.first().map_or(0, |trial| trial.margins.len()).max(team.len());
        let of = |repeat: usize| {
            let margins = &trials.get(*team.get(repeat % team.len())?)?.margins;
            margins.get(repeat % margins.len()).map(Vec::as_slice)
        };
        (0..repeats).filter_map(of).collect()
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
