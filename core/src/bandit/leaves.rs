//! Contextual bandits for hosts that only match conditions: a tree over what is known of visitors, whose
//! leaves have weights of their own.
//!
//! A leaf is split where the arms' order differs most surely on both sides: by the χ² test of the
//! interaction between arm and side, at a level that counts every split that was tried (recursive
//! partitioning by tests; Zeileis, Hothorn, Hornik 2008). Means are weighted by inverse propensities,
//! since earlier leaves showed arms unevenly.

use super::thompson::{Posterior, Thompson};
use crate::stats::chi_squared_above;
use crate::targeting::Value;
use libm::fmin;
use std::borrow::Cow;
use thiserror::Error;

/// What is known of visitors, one column an attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The attribute.
    pub name: String,
    /// Names of the levels that values count from 0; empty where values are numbers.
    pub levels: Vec<String>,
    /// One value a visitor; NaN where it is not known.
    pub values: Vec<f64>,
}

/// What an arm earned of a visitor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Earned {
    pub arm: usize,
    pub reward: f64,
    /// The chance that the arm was shown with, above 0.
    pub propensity: f64,
}

/// How leaves are grown and weighed.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    pub arms: usize,
    pub most_leaves: usize,
    /// Of each arm, on each side of a split: as many visitors as weights leave of them.
    pub least_visitors: f64,
    /// The chance to split at all where there is nothing to find, in 0..1.
    pub alpha: f64,
    pub weigh: Thompson,
}

/// Visitors who are shown the arms alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    /// All of them hold. Of several leaves the first one whose tests hold counts, so that the last
    /// one, without tests, is for the rest: also for whom nothing is known.
    pub tests: Vec<Test>,
    pub visitors: usize,
    /// What is believed of the arms here.
    pub beliefs: Vec<Posterior>,
    /// By which they are shown: the propensities to log.
    pub weights: Vec<f64>,
    /// Chance that an arm is the best one here.
    pub best: Vec<f64>,
}

/// What is known of whom a leaf is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Test {
    /// The column's number is below this.
    Below { column: usize, cut: f64 },
    /// The column has this level.
    Is { column: usize, level: usize },
}

/// Why nothing can be learnt of a log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GrowthError {
    #[error(
        "column `{0}` has another number of visitors than what was earned; pass one value each"
    )]
    Column(String),
    #[error("visitor {0}: there is no such arm; count the arms from 0")]
    Arm(usize),
    #[error("visitor {0}: the propensity is not above 0 and at most 1; log the arm's chance")]
    Propensity(usize),
    #[error("visitor {0}: the reward is no finite number")]
    Reward(usize),
}

/// So many cuts of a column, and so many of its levels, are tried.
const CANDIDATES: usize = 16;

impl Growth {
    /// With what suits most experiments: eight leaves, 50 visitors of an arm on each side.
    #[must_use]
    pub fn of(arms: usize) -> Growth {
        let weigh = Thompson { top_two: false, ..Thompson::default() };
        Growth { arms, most_leaves: 8, least_visitors: 50.0, alpha: 0.05, weigh }
    }

    /// Grows leaves on what was earned; rows of columns and of `earned` are the same visitors.
    /// One leaf for all where nothing tells whom which arm is for.
    ///
    /// # Errors
    /// See [`GrowthError`].
    pub fn leaves(&self, columns: &[Column], earned: &[Earned]) -> Result<Vec<Leaf>, GrowthError> {
        check(self.arms, columns, earned)?;
        // In the order in which they are asked.
        let mut leaves = vec![Growing { tests: Vec::new(), rows: (0..earned.len()).collect() }];
        let mut splits: Vec<_> =
            leaves.iter().map(|leaf| self.split(columns, earned, leaf)).collect();
        while leaves.len() < self.most_leaves {
            let surest = (0..leaves.len())
                .filter_map(|at| Some((at, splits.get(at)?.as_ref()?.chance)))
                .min_by(|a, b| a.1.total_cmp(&b.1));
            let Some((at, _)) = surest else { break };
            let Some(Split { test, .. }) = splits[at].take() else { break };
            let Growing { tests, rows } = core::mem::take(&mut leaves[at]);
            let (inside, outside) = rows.into_iter().partition(|row| test.holds(columns, *row));
            let inside = Growing { tests: [tests.clone(), vec![test]].concat(), rows: inside };
            let outside = Growing { tests, rows: outside };
            splits
                .splice(at..=at, [&inside, &outside].map(|leaf| self.split(columns, earned, leaf)));
            leaves.splice(at..=at, [inside, outside]);
        }
        let weigh = |(leaf, seed): (Growing, u64)| {
            let beliefs = self.beliefs(earned, &leaf.rows);
            let seed = self.weigh.seed.wrapping_add(seed);
            let sampled = Thompson { seed, ..self.weigh }.weights(&beliefs);
            let visitors = leaf.rows.len();
            Leaf {
                tests: leaf.tests,
                visitors,
                beliefs,
                weights: sampled.weights,
                best: sampled.best,
            }
        };
        Ok(leaves.into_iter().zip(0..).map(weigh).collect())
    }

    /// The surest split of a leaf, where any is sure enough.
    fn split(&self, columns: &[Column], earned: &[Earned], leaf: &Growing) -> Option<Split> {
        let tests: Vec<Test> = columns
            .iter()
            .enumerate()
            .flat_map(|(at, column)| candidates(at, column, &leaf.rows))
            .collect();
        let allowed = self.alpha / tests.len().max(1) as f64;
        let mut surest: Option<Split> = None;
        for test in tests {
            let mut sides = [self.nothing(), self.nothing()];
            for row in &leaf.rows {
                let side = usize::from(test.holds(columns, *row));
                sides[side][earned[*row].arm].add(&earned[*row]);
            }
            let Some(chance) = self.interaction(&sides) else { continue };
            if chance < surest.as_ref().map_or(allowed, |split| split.chance) {
                surest = Some(Split { test, chance });
            }
        }
        surest
    }

    /// The chance of so different arms on both sides where they differ by chance alone; `None` where too little is known.
    fn interaction(&self, [outside, inside]: &[Vec<Arm>; 2]) -> Option<f64> {
        let mut differences = Vec::with_capacity(self.arms);
        for (outside, inside) in outside.iter().zip(inside) {
            if fmin(outside.effective(), inside.effective()) < self.least_visitors {
                return None;
            }
            let precision = 1.0 / (outside.error_squared() + inside.error_squared());
            differences.push((inside.mean() - outside.mean(), precision));
        }
        let total: f64 = differences.iter().map(|(_, precision)| precision).sum();
        let mean =
            differences.iter().map(|(value, precision)| value * precision).sum::<f64>() / total;
        let square = |(value, precision): &(f64, f64)| (value - mean) * (value - mean) * precision;
        let distance: f64 = differences.iter().map(square).sum();
        distance.is_finite().then(|| chi_squared_above(distance, (self.arms - 1) as f64))
    }

    fn beliefs(&self, earned: &[Earned], rows: &[usize]) -> Vec<Posterior> {
        let mut arms = self.nothing();
        for row in rows {
            arms[earned[*row].arm].add(&earned[*row]);
        }
        let rates = rows.iter().all(|row| earned[*row].reward == 0.0 || earned[*row].reward == 1.0);
        let all = arms.iter().fold(Arm::default(), |all, arm| all.with(arm));
        arms.iter().map(|arm| if rates { arm.rate() } else { arm.amount(&all) }).collect()
    }

    fn nothing(&self) -> Vec<Arm> {
        vec![Arm::default(); self.arms]
    }
}

/// Says whether a log can be learnt of.
pub(super) fn check(arms: usize, columns: &[Column], earned: &[Earned]) -> Result<(), GrowthError> {
    if let Some(other) = columns.iter().find(|column| column.values.len() != earned.len()) {
        return Err(GrowthError::Column(other.name.clone()));
    }
    for (row, Earned { arm, reward, propensity }) in earned.iter().enumerate() {
        if *arm >= arms {
            return Err(GrowthError::Arm(row));
        }
        if !(*propensity > 0.0 && *propensity <= 1.0) {
            return Err(GrowthError::Propensity(row));
        }
        if !reward.is_finite() {
            return Err(GrowthError::Reward(row));
        }
    }
    Ok(())
}

/// Leaves as `contexts` of a payload's contextual bandit: `leafId` from 0, `condition`, `weights`.
#[must_use]
pub fn contexts<'c>(leaves: &'c [Leaf], columns: &'c [Column]) -> Value<'c> {
    let context = |(leaf, id): (&'c Leaf, u32)| {
        let everybody = Value::Map(Vec::new());
        let tests = leaf.tests.iter().map(|test| test.condition(columns)).collect();
        let weights = leaf.weights.iter().map(|weight| Value::Number(*weight)).collect();
        Value::Map(vec![
            (Cow::Borrowed("leafId"), Value::Number(f64::from(id))),
            (Cow::Borrowed("condition"), Value::joined("$and", tests).unwrap_or(everybody)),
            (Cow::Borrowed("weights"), Value::List(weights)),
        ])
    };
    Value::List(leaves.iter().zip(0..).map(context).collect())
}

impl Test {
    fn condition(self, columns: &[Column]) -> Value<'_> {
        let (column, test) = match self {
            // What is absent would be compared as 0.
            Self::Below { column, cut } => {
                let known = (Cow::Borrowed("$exists"), Value::Bool(true));
                let below = (Cow::Borrowed("$lt"), Value::Number(cut));
                (column, Value::Map(vec![known, below]))
            }
            Self::Is { column, level } => {
                let names = &columns[column].levels;
                (column, Value::Text(Cow::Borrowed(names.get(level).map_or("", String::as_str))))
            }
        };
        Value::Map(vec![(Cow::Borrowed(columns[column].name.as_str()), test)])
    }

    fn holds(self, columns: &[Column], row: usize) -> bool {
        let (Self::Below { column, .. } | Self::Is { column, .. }) = self;
        self.holds_for(columns[column].values[row])
    }

    /// Whether it holds of a value of its column.
    pub(super) fn holds_for(self, value: f64) -> bool {
        match self {
            Self::Below { cut, .. } => value < cut,
            Self::Is { level, .. } => value == level as f64,
        }
    }
}

#[derive(Default)]
struct Growing {
    tests: Vec<Test>,
    rows: Vec<usize>,
}

struct Split {
    test: Test,
    chance: f64,
}

/// Sums of an arm's rewards, each as often as its propensity was small.
#[derive(Debug, Clone, Copy, Default)]
struct Arm {
    weights: f64,
    weight_squares: f64,
    rewards: f64,
    reward_squares: f64,
}

impl Arm {
    fn add(&mut self, earned: &Earned) {
        let weight = 1.0 / earned.propensity;
        self.weights += weight;
        self.weight_squares += weight * weight;
        self.rewards += weight * earned.reward;
        self.reward_squares += weight * earned.reward * earned.reward;
    }

    fn with(mut self, other: &Arm) -> Arm {
        self.weights += other.weights;
        self.weight_squares += other.weight_squares;
        self.rewards += other.rewards;
        self.reward_squares += other.reward_squares;
        self
    }

    /// Of how many visitors that all were as likely the sums tell as much (Kish 1965).
    fn effective(&self) -> f64 {
        if self.weights == 0.0 { 0.0 } else { self.weights * self.weights / self.weight_squares }
    }

    fn mean(&self) -> f64 {
        if self.weights == 0.0 { 0.0 } else { self.rewards / self.weights }
    }

    fn variance(&self) -> f64 {
        let mean = self.mean();
        (self.reward_squares / self.weights - mean * mean).max(0.0)
    }

    /// Of the mean. An arm that always earned the same may still earn otherwise once.
    fn error_squared(&self) -> f64 {
        let visitors = self.effective();
        let least = self.mean().abs().max(1.0 / visitors) / (visitors * visitors);
        (self.variance() / visitors).max(least)
    }

    fn rate(&self) -> Posterior {
        let visitors = self.effective();
        Posterior::of_rate(self.mean() * visitors, visitors)
    }

    /// An arm of which little is known may be like the others, as far as they vary.
    fn amount(&self, all: &Arm) -> Posterior {
        let (visitors, spread) = (self.effective(), all.variance().max(f64::MIN_POSITIVE));
        let mean = (self.mean() * visitors + all.mean()) / (visitors + 1.0);
        let variance = if visitors < 2.0 { spread } else { self.variance().max(spread * 1e-6) };
        Posterior::Normal { mean, deviation: (variance / (visitors + 1.0)).sqrt() }
    }
}

/// What a leaf could be split by.
fn candidates(at: usize, column: &Column, rows: &[usize]) -> Vec<Test> {
    let known = || rows.iter().map(|row| column.values[*row]).filter(|value| !value.is_nan());
    if !column.levels.is_empty() {
        let mut counts = vec![0usize; column.levels.len()];
        for value in known() {
            if let Some(count) = counts.get_mut(value as usize) {
                *count += 1;
            }
        }
        let mut levels: Vec<usize> = (0..counts.len()).filter(|level| counts[*level] > 0).collect();
        levels.sort_by_key(|level| core::cmp::Reverse(counts[*level]));
        let most = levels.into_iter().take(CANDIDATES);
        return most.map(|level| Test::Is { column: at, level }).collect();
    }
    let mut values: Vec<f64> = known().collect();
    values.sort_by(f64::total_cmp);
    let mut cuts: Vec<f64> = (1..=CANDIDATES)
        .filter_map(|part| values.get(values.len() * part / (CANDIDATES + 1)).copied())
        .collect();
    cuts.dedup();
    // Also who is known at all may be told from who is not.
    let above = values.last().map(|last| last + last.abs().max(1.0));
    let above = above.filter(|_| values.len() < rows.len());
    cuts.into_iter().chain(above).map(|cut| Test::Below { column: at, cut }).collect()
}
