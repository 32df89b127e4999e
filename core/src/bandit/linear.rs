//! Contextual bandits whose arms are linear in the context: LinUCB, LinTS, LinGreedy.

use super::random::Draws;
use super::weights::with_floor;
use crate::matrix::{Matrix, dot};

/// Ridge regression of an arm's reward on the context, kept as sums.
#[derive(Debug, Clone, PartialEq)]
pub struct Ridge {
    precision: Matrix,
    moments: Vec<f64>,
}

impl Ridge {
    /// Knows nothing; `penalty` > 0 keeps coefficients small until there is data.
    #[must_use]
    pub fn new(features: usize, penalty: f64) -> Ridge {
        Ridge { precision: Matrix::diagonal(features, penalty), moments: vec![0.0; features] }
    }

    /// Learns of one reward; `context` has as many figures as there are features.
    pub fn learn(&mut self, context: &[f64], reward: f64) {
        self.precision.add_square(context, 1.0);
        for (moment, x) in self.moments.iter_mut().zip(context) {
            *moment += reward * x;
        }
    }

    /// Ready to score; `None` where figures were not finite.
    #[must_use]
    pub fn fit(&self) -> Option<Fitted> {
        let root = self.precision.root()?;
        let coefficients = root.back(&root.forward(&self.moments));
        coefficients.iter().all(|value| value.is_finite()).then_some(Fitted { root, coefficients })
    }
}

/// An arm that can be scored.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// L with L Lᵀ = the precision.
    root: Matrix,
    coefficients: Vec<f64>,
}

impl Fitted {
    /// Reward that is expected in this context: LinGreedy's score.
    #[must_use]
    pub fn expect(&self, context: &[f64]) -> f64 {
        dot(&self.coefficients, context)
    }

    /// How unsure that is: √(xᵀ A⁻¹ x).
    #[must_use]
    pub fn unsure(&self, context: &[f64]) -> f64 {
        let half = self.root.forward(context);
        dot(&half, &half).sqrt()
    }

    /// What the arm could be worth (Li, Chu, Langford, Schapire 2010): LinUCB's score.
    #[must_use]
    pub fn upper(&self, context: &[f64], alpha: f64) -> f64 {
        self.expect(context) + alpha * self.unsure(context)
    }

    /// Reward in this context, as one who knows `spread` times this little would guess it
    /// (Agrawal & Goyal 2013): LinTS's score.
    pub fn draw(&self, context: &[f64], spread: f64, draws: &mut Draws) -> f64 {
        // x·β of β ~ N(β̂, spread² A⁻¹) is normal itself: one draw an arm.
        self.expect(context) + spread * self.unsure(context) * draws.normal()
    }
}

/// How a context's weights are made of its arms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LinearPolicy {
    /// The arm that is expected to be best.
    Greedy,
    /// The arm that could be best, at `alpha` standard deviations.
    Ucb { alpha: f64 },
    /// Each arm as often as it is best of `draws` draws.
    Thompson { spread: f64, draws: u32, seed: u64 },
}

/// Weights of the arms in this context, at least `floor` each: the propensities to log.
#[must_use]
pub fn linear_weights(
    arms: &[Fitted],
    context: &[f64],
    policy: LinearPolicy,
    floor: f64,
) -> Vec<f64> {
    let mut weights = vec![0.0; arms.len()];
    // Arms of whom as much is expected share: at first nothing is known of any.
    let mut add = |scores: Vec<f64>, weight: f64| {
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let tied = scores.iter().filter(|score| **score == most).count();
        for (total, _) in weights.iter_mut().zip(&scores).filter(|(_, score)| **score == most) {
            *total += weight / tied as f64;
        }
    };
    match policy {
        LinearPolicy::Greedy => add(arms.iter().map(|arm| arm.expect(context)).collect(), 1.0),
        LinearPolicy::Ucb { alpha } => {
            add(arms.iter().map(|arm| arm.upper(context, alpha)).collect(), 1.0);
        }
        LinearPolicy::Thompson { spread, draws: times, seed } => {
            let known: Vec<(f64, f64)> =
                arms.iter().map(|arm| (arm.expect(context), arm.unsure(context))).collect();
            let mut draws = Draws::new(seed);
            for _ in 0..times.max(1) {
                let scores = known
                    .iter()
                    .map(|(mean, unsure)| mean + spread * unsure * draws.normal())
                    .collect();
                add(scores, 1.0 / f64::from(times.max(1)));
            }
        }
    }
    with_floor(&weights, floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(slope: f64, rewards: usize) -> Fitted {
        let mut ridge = Ridge::new(2, 1.0);
        for at in 0..rewards {
            let x = at as f64 / rewards as f64;
            ridge.learn(&[1.0, x], slope * x);
        }
        ridge.fit().unwrap()
    }

    #[test]
    fn the_arm_of_the_context_gets_most_of_its_traffic() {
        let arms = [arm(1.0, 500), arm(-1.0, 500)];
        for policy in [
            LinearPolicy::Greedy,
            LinearPolicy::Ucb { alpha: 1.0 },
            LinearPolicy::Thompson { spread: 0.2, draws: 200, seed: 7 },
        ] {
            for (x, arm) in [(0.9, 0), (-0.9, 1)] {
                let weights = linear_weights(&arms, &[1.0, x], policy, 0.02);
                assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                assert!(weights[arm] > 0.9 && weights[1 - arm] >= 0.02, "{policy:?} {weights:?}");
            }
        }
    }

    #[test]
    fn arms_of_which_nothing_is_known_share() {
        let new = vec![Ridge::new(2, 1.0).fit().unwrap(); 4];
        for policy in [LinearPolicy::Greedy, LinearPolicy::Ucb { alpha: 1.0 }] {
            assert_eq!(linear_weights(&new, &[1.0, 0.5], policy, 0.0), [0.25; 4]);
        }
    }

    #[test]
    fn who_knows_little_tries_more() {
        let policy = LinearPolicy::Thompson { spread: 1.0, draws: 1000, seed: 1 };
        let new = linear_weights(&[arm(1.0, 3), arm(0.5, 3)], &[1.0, 0.5], policy, 0.0);
        let old = linear_weights(&[arm(1.0, 3000), arm(0.5, 3000)], &[1.0, 0.5], policy, 0.0);
        assert!(new[1] > 0.2 && old[1] < 0.01, "{new:?} {old:?}");
    }
}
