//! Thompson sampling (Thompson 1933): an arm is shown as often as it is believed to be the best.

use super::random::Draws;
use super::weights::{equal, with_floor};
use crate::stats::{Statistic, normal_quantile};

/// What is believed of an arm's mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Posterior {
    Normal { mean: f64, deviation: f64 },
    Beta { successes: f64, failures: f64 },
}

impl Posterior {
    /// Of a metric, with no opinion before; `None` without variance.
    #[must_use]
    pub fn of(statistic: &Statistic) -> Option<Posterior> {
        let variance = statistic.variance() / statistic.units() as f64;
        (variance > 0.0)
            .then(|| Posterior::Normal { mean: statistic.mean(), deviation: variance.sqrt() })
    }

    /// Of a rate, with Laplace's prior: every rate is as likely.
    #[must_use]
    pub fn of_rate(conversions: f64, visitors: f64) -> Posterior {
        let successes = 1.0 + conversions.max(0.0);
        Posterior::Beta { successes, failures: 1.0 + (visitors - conversions).max(0.0) }
    }

    /// Holds a normal mean with probability 1 − `alpha`.
    #[must_use]
    pub fn interval(&self, alpha: f64) -> Option<[f64; 2]> {
        match *self {
            Posterior::Normal { mean, deviation } => {
                let reach = normal_quantile(1.0 - alpha / 2.0) * deviation;
                Some([mean - reach, mean + reach])
            }
            Posterior::Beta { .. } => None,
        }
    }

    fn draw(&self, draws: &mut Draws) -> f64 {
        match *self {
            Posterior::Normal { mean, deviation } => mean + deviation * draws.normal(),
            Posterior::Beta { successes, failures } => draws.beta(successes, failures),
        }
    }

    fn deviation(&self) -> f64 {
        match *self {
            Posterior::Normal { deviation, .. } => deviation,
            Posterior::Beta { successes: a, failures: b } => {
                (a * b / ((a + b) * (a + b) * (a + b + 1.0))).sqrt()
            }
        }
    }
}

/// How weights are made of beliefs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thompson {
    /// The same seed gives the same weights.
    pub seed: u64,
    /// How many times all arms are drawn.
    pub draws: u32,
    /// Half of the traffic goes to whoever is second (Russo 2016): the arms stay comparable.
    pub top_two: bool,
    pub less_is_better: bool,
    /// Least weight of an arm, so that it can recover and be evaluated off-policy.
    pub floor: f64,
}

impl Default for Thompson {
    fn default() -> Thompson {
        Thompson { seed: 1, draws: 10_000, top_two: true, less_is_better: false, floor: 0.01 }
    }
}

/// What sampling said.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// Weights to show the arms with: they sum to 1 and are the propensities to log.
    pub weights: Vec<f64>,
    /// Chance that an arm is the best one.
    pub best: Vec<f64>,
}

impl Thompson {
    /// Weights of these arms.
    #[must_use]
    pub fn weights(&self, arms: &[Posterior]) -> Sampled {
        if arms.len() < 2 || self.draws == 0 {
            let weights = equal(arms.len());
            return Sampled { best: weights.clone(), weights };
        }
        let mut best = vec![0_u32; arms.len()];
        let mut second = vec![0_u32; arms.len()];
        let mut draws = Draws::new(self.seed);
        // The widest belief is drawn first, as NumPy's multivariate normal does.
        let mut order: Vec<usize> = (0..arms.len()).collect();
        order.sort_by(|&a, &b| arms[b].deviation().total_cmp(&arms[a].deviation()));
        let mut drawn = vec![0.0; arms.len()];
        let sign = if self.less_is_better { -1.0 } else { 1.0 };
        for _ in 0..self.draws {
            for &arm in &order {
                drawn[arm] = sign * arms[arm].draw(&mut draws);
            }
            let (first, next) = two_greatest(&drawn);
            best[first] += 1;
            second[next] += 1;
        }
        let share = |count: &u32| f64::from(*count) / f64::from(self.draws);
        let best: Vec<f64> = best.iter().map(share).collect();
        let raw: Vec<f64> = if self.top_two {
            best.iter().zip(&second).map(|(best, second)| 0.5 * (best + share(second))).collect()
        } else {
            best.clone()
        };
        Sampled { weights: with_floor(&raw, self.floor), best }
    }
}

/// Of at least two.
fn two_greatest(values: &[f64]) -> (usize, usize) {
    let (mut first, mut second) = if values[1] > values[0] { (1, 0) } else { (0, 1) };
    for (at, value) in values.iter().enumerate().skip(2) {
        if *value > values[first] {
            second = first;
            first = at;
        } else if *value > values[second] {
            second = at;
        }
    }
    (first, second)
}
