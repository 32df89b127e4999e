//! Contributions to what a brought model says, by sampling: nothing is known of such a model but its
//! answers.
//!
//! The contribution of a signal is its Shapley value: what knowing it changes, on average over all
//! orders in which the signals could become known, where what is not known yet is as in a background
//! row. Orders are drawn (Castro and others, "Polynomial calculation of the Shapley value based on
//! sampling", 2009), each with its reverse, whose errors tend to cancel its own (Mitchell and others,
//! "Sampling permutations for Shapley value estimation", 2022), and equally many for each background row.
//! Along an order the differences add up to margin − background margin, so that the contributions always
//! add up to margin − base.

use super::brought::{Scorer, ScorerFault, checked};
use super::explain::Explanation;
use crate::bandit::Draws;
use crate::model::Margin;

/// Rows that stand for nobody in particular, and what the model says of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Background {
    rows: Vec<(Vec<f64>, f64)>,
    base: Margin,
    /// Orders a row, each with its reverse.
    pairs: usize,
}

/// An explanation by sampling.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// `base + Σ contributions = margin`, as always; the base is the background's average.
    pub explanation: Explanation,
    /// The standard error of each contribution, in units of the margin: about two in three exact values
    /// are nearer than this, and 19 in 20 nearer than twice this.
    pub errors: Vec<f64>,
}

/// One explanation asks the model at most about so often.
const MOST_ASKED: usize = 2048;
/// Orders that are drawn where there is room for them, with their reverses.
const PAIRS: usize = 32;
/// With fewer a row nothing can be said of the error.
const LEAST: usize = 2;
/// Of every explanation: the same row is explained alike, always.
const SEED: u64 = 0x5241_5050_4f52_5401;

/// What the model says of a row, as log-odds.
///
/// # Errors
/// The model's own, and [`ScorerFault::Nonsense`] where the answer is no probability.
pub fn margin(scorer: &dyn Scorer, row: &[f64]) -> Result<Margin, ScorerFault> {
    Ok(Margin::of_probability(checked(scorer.probability(row)?)?))
}

impl Background {
    /// Asks the model about the rows: about all, or about the first where so many signals leave no time
    /// for more.
    ///
    /// # Errors
    /// Those of [`margin`].
    pub fn new(scorer: &dyn Scorer, rows: &[Vec<f64>]) -> Result<Self, ScorerFault> {
        let signals = rows.first().map_or(0, Vec::len).max(1);
        let affordable = MOST_ASKED / (2 * signals);
        let used = rows.len().min((affordable / LEAST).max(1));
        let asked = rows.iter().take(used).map(|row| Ok((row.clone(), margin(scorer, row)?.0)));
        let rows = asked.collect::<Result<Vec<_>, ScorerFault>>()?;
        let sum: f64 = rows.iter().map(|(_, margin)| margin).sum();
        let count = rows.len().max(1);
        let base = Margin(sum / count as f64);
        let pairs = PAIRS.div_ceil(count).min(affordable / count).max(LEAST);
        Ok(Self { rows, base, pairs })
    }

    /// The average margin: where explanations start.
    pub const fn base(&self) -> Margin {
        self.base
    }

    /// Explains what the model says of a row, which is `at`.
    ///
    /// # Errors
    /// Those of [`margin`].
    pub fn explain(
        &self,
        scorer: &dyn Scorer,
        row: &[f64],
        at: Margin,
    ) -> Result<Sampled, ScorerFault> {
        let mut contributions = vec![0.0; row.len()];
        let mut variances = vec![0.0; row.len()];
        let mut draws = Draws::new(SEED);
        let rows = self.rows.len().max(1) as f64;
        for (background, below) in &self.rows {
            // What is as in the background changes nothing.
            let different = |signal: &usize| {
                row.get(*signal).map(|value| value.to_bits())
                    != background.get(*signal).map(|value| value.to_bits())
            };
            let mut order: Vec<usize> = (0..row.len()).filter(different).collect();
            let mut spread = vec![Spread::default(); row.len()];
            for _ in 0..self.pairs {
                shuffle(&mut order, &mut draws);
                let mut walk = Walk { scorer, row, background, ends: [*below, at.0] };
                let mut both = walk.gains(&order)?;
                order.reverse();
                let again = walk.gains(&order)?;
                order.reverse();
                both.iter_mut().zip(again.iter().rev()).for_each(|(gain, other)| {
                    *gain = (*gain + other) / 2.0;
                });
                for (signal, gain) in order.iter().zip(both) {
                    if let Some(spread) = spread.get_mut(*signal) {
                        spread.add(gain);
                    }
                }
            }
            for (signal, spread) in spread.iter().enumerate() {
                contributions[signal] += spread.mean / rows;
                variances[signal] += spread.of_mean() / (rows * rows);
            }
        }
        let explanation = Explanation { margin: at, base: self.base, contributions };
        Ok(Sampled { explanation, errors: variances.into_iter().map(f64::sqrt).collect() })
    }
}

/// From a background row to the visitor's, signal by signal.
struct Walk<'a> {
    scorer: &'a dyn Scorer,
    row: &'a [f64],
    background: &'a [f64],
    /// The margins of the background's row and of the visitor's.
    ends: [f64; 2],
}

impl Walk<'_> {
    /// What each signal changes when it becomes known in this order.
    fn gains(&mut self, order: &[usize]) -> Result<Vec<f64>, ScorerFault> {
        let mut known = self.background.to_vec();
        let mut before = self.ends[0];
        let mut gains = Vec::with_capacity(order.len());
        for (place, &signal) in order.iter().enumerate() {
            if let (Some(slot), Some(value)) = (known.get_mut(signal), self.row.get(signal)) {
                *slot = *value;
            }
            let last = place + 1 == order.len();
            let after = if last { self.ends[1] } else { margin(self.scorer, &known)?.0 };
            gains.push(after - before);
            before = after;
        }
        Ok(gains)
    }
}

/// Mean and spread of numbers, one pass (Welford 1962).
#[derive(Clone, Copy, Default)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn add(&mut self, number: f64) {
        self.count += 1.0;
        let off = number - self.mean;
        self.mean += off / self.count;
        self.squares += off * (number - self.mean);
    }

    /// The variance of the mean.
    fn of_mean(self) -> f64 {
        if self.count < 2.0 { 0.0 } else { self.squares / (self.count - 1.0) / self.count }
    }
}

/// Fisher and Yates.
fn shuffle(order: &mut [usize], draws: &mut Draws) {
    for place in (1..order.len()).rev() {
        let other = (u128::from(draws.next_u64()) * (place as u128 + 1)) >> 64;
        order.swap(place, other as usize);
    }
}
