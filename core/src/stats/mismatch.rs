//! Sample-ratio mismatch: visitors are not split as the weights say, so something loses or doubles
//! them in one variation, and its figures cannot be trusted.

use thiserror::Error;

use super::special::chi_squared_above;

/// Below this p-value a split is no accident (Fabijan et al. 2019 use 0.0005; 0.001 is GrowthBook's).
pub const MISMATCH: f64 = 0.001;

/// Visitors of one variation, and what is odd about some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrivals {
    /// Visitors with an exposure.
    pub visitors: u64,
    /// Of these, how many behave like robots.
    pub bots: u64,
    /// Of these, how many are the same people again: an id that came in several variations, or
    /// that was merged into another one.
    pub duplicates: u64,
    /// Assigned, but no exposure came: they were redirected or left before it was sent.
    pub lost: u64,
}

/// What may have split visitors unevenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Robots take one variation more often, or are recognised in one only.
    Bots,
    /// One variation loses its exposures on the way, as redirects do.
    RedirectLoss,
    /// One variation counts people twice.
    DuplicateIds,
}

/// How a split agrees with its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Pearson's χ² with one degree of freedom less than there are variations.
    pub chi_squared: f64,
    /// The chance of a split this uneven.
    pub p_value: f64,
    /// What explains a mismatch, with the p-value that remains without it, the best one first.
    /// Empty where there is no mismatch, or none of what is known explains it.
    pub causes: Vec<(Cause, f64)>,
}

/// Why a split cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SplitError {
    #[error("there are {arms} variations and {weights} weights; pass one weight a variation")]
    Lengths { arms: usize, weights: usize },
    #[error("weights are finite, not negative, and at least one is above 0")]
    Weights,
}

/// Tests how visitors are split and looks for the cause of a mismatch. Nobody is a fair split.
///
/// `weights` need not sum to 1; variations of weight 0 do not take part.
///
/// # Errors
/// See [`SplitError`].
pub fn check_split(arms: &[Arrivals], weights: &[f64]) -> Result<Split, SplitError> {
    if arms.len() != weights.len() {
        return Err(SplitError::Lengths { arms: arms.len(), weights: weights.len() });
    }
    let sound = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
    if !sound || weights.iter().sum::<f64>() <= 0.0 {
        return Err(SplitError::Weights);
    }
    let (chi_squared, p_value) = test(arms.iter().map(|arm| arm.visitors), weights);
    let mut causes = Vec::new();
    if p_value < MISMATCH {
        for cause in [Cause::Bots, Cause::RedirectLoss, Cause::DuplicateIds] {
            let (_, without) = test(arms.iter().map(|arm| cause.without(arm)), weights);
            if without >= MISMATCH {
                causes.push((cause, without));
            }
        }
        causes.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    }
    Ok(Split { chi_squared, p_value, causes })
}

impl Cause {
    /// How many visitors there would be without it.
    fn without(self, arm: &Arrivals) -> u64 {
        match self {
            Cause::Bots => arm.visitors.saturating_sub(arm.bots),
            Cause::RedirectLoss => arm.visitors.saturating_add(arm.lost),
            Cause::DuplicateIds => arm.visitors.saturating_sub(arm.duplicates),
        }
    }
}

fn test(visitors: impl Iterator<Item = u64> + Clone, weights: &[f64]) -> (f64, f64) {
    let pairs = || visitors.clone().zip(weights).filter(|(_, weight)| **weight > 0.0);
    let total: f64 = pairs().map(|(visitors, _)| visitors as f64).sum();
    let weight: f64 = weights.iter().sum();
    let variations = pairs().count();
    if total == 0.0 || variations < 2 {
        return (0.0, 1.0);
    }
    let chi_squared = pairs()
        .map(|(visitors, share)| {
            let expected = share / weight * total;
            let miss = visitors as f64 - expected;
            miss * miss / expected
        })
        .sum();
    (chi_squared, chi_squared_above(chi_squared, (variations - 1) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(visitors: u64) -> Arrivals {
        Arrivals { visitors, ..Arrivals::default() }
    }

    #[test]
    fn a_fair_split_raises_no_alarm() {
        let split = check_split(&[arm(5010), arm(4990)], &[0.5, 0.5]).unwrap();
        assert!((split.chi_squared - 0.04).abs() < 1e-12);
        assert!(split.p_value > 0.8 && split.causes.is_empty());
        assert!(check_split(&[arm(0), arm(0)], &[1.0, 1.0]).unwrap().p_value == 1.0);
        assert!(check_split(&[arm(70), arm(30), arm(9)], &[0.7, 0.3, 0.0]).unwrap().p_value > 0.99);
    }

    #[test]
    fn the_cause_that_makes_the_split_fair_is_named_first() {
        let arms = [
            Arrivals { visitors: 5000, bots: 20, duplicates: 10, lost: 5 },
            Arrivals { visitors: 4600, bots: 25, duplicates: 12, lost: 390 },
        ];
        let split = check_split(&arms, &[1.0, 1.0]).unwrap();
        assert!(split.p_value < 1e-4);
        assert_eq!(split.causes.len(), 1);
        assert_eq!(split.causes[0].0, Cause::RedirectLoss);
        let bots = [Arrivals { visitors: 5400, bots: 400, ..arms[0] }, arm(5001)];
        assert_eq!(check_split(&bots, &[1.0, 1.0]).unwrap().causes[0].0, Cause::Bots);
        let unknown = check_split(&[arm(5400), arm(5000)], &[1.0, 1.0]).unwrap();
        assert!(unknown.p_value < MISMATCH && unknown.causes.is_empty());
    }

    #[test]
    fn weights_that_say_nothing_are_refused() {
        for weights in [&[1.0][..], &[0.0, 0.0], &[-1.0, 2.0], &[f64::NAN, 1.0]] {
            assert!(check_split(&[arm(1), arm(1)], weights).is_err());
        }
    }
}
