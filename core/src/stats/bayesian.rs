//! What to believe of an effect: normal priors, the chance to win, what a wrong choice costs.

use libm::fabs;

use super::effect::{Difference, Effect};
use super::special::{normal_above, normal_below, normal_density, normal_quantile};

/// What is believed of the effect before the experiment: normal.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Deserialize))]
pub struct Prior {
    pub mean: f64,
    /// Above 0.
    pub variance: f64,
    /// In which unit the two are told.
    pub difference: Difference,
}

/// What is believed after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Belief {
    /// Mean of the posterior, in the effect's unit.
    pub mean: f64,
    /// Its standard deviation.
    pub deviation: f64,
    /// Chance that the treatment is better.
    pub chance_to_win: f64,
    /// What is lost on average by choosing the control, and by choosing the treatment.
    pub risk: [f64; 2],
    /// Holds the effect with probability 1 − α.
    pub interval: [f64; 2],
}

/// What an effect makes of a prior; `None` believes nothing before.
///
/// `difference` is what the effect was computed as, `baseline` the control's mean without
/// adjustment: the prior is brought to the effect's unit by it. `less_is_better` turns chance and
/// risk around.
#[must_use]
pub fn believe(effect: &Effect, scale: Scale, prior: Option<Prior>, alpha: f64) -> Belief {
    let data = 1.0 / (effect.standard_error * effect.standard_error);
    let (mean, precision) = match prior.map(|prior| prior.scaled(&scale)) {
        None => (effect.estimate, data),
        Some(prior) => {
            let precision = data + 1.0 / prior.variance;
            ((effect.estimate * data + prior.mean / prior.variance) / precision, precision)
        }
    };
    let deviation = (1.0 / precision).sqrt();
    let z = mean / deviation;
    let reach = normal_quantile(1.0 - alpha / 2.0) * deviation;
    // E[max(X, 0)] and E[max(−X, 0)] of the posterior, each computed without cancellation.
    let missed = deviation * loss(-z);
    let regret = deviation * loss(z);
    Belief {
        mean,
        deviation,
        chance_to_win: if scale.less_is_better { normal_below(-z) } else { normal_above(-z) },
        risk: if scale.less_is_better { [regret, missed] } else { [missed, regret] },
        interval: [mean - reach, mean + reach],
    }
}

/// What an effect is measured in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    pub difference: Difference,
    /// The control's mean without adjustment.
    pub baseline: f64,
    pub less_is_better: bool,
}

impl Prior {
    fn scaled(self, scale: &Scale) -> Prior {
        let baseline = fabs(scale.baseline);
        let factor = match (self.difference, scale.difference) {
            (Difference::Relative, Difference::Absolute) => baseline,
            (Difference::Absolute, Difference::Relative) => 1.0 / baseline,
            _ => return self,
        };
        Prior {
            mean: self.mean * factor,
            variance: self.variance * factor * factor,
            difference: scale.difference,
        }
    }
}

/// E[max(Z − z, 0)] of a standard normal Z: φ(z) − z P(Z > z).
fn loss(z: f64) -> f64 {
    (normal_density(z) - z * normal_above(z)).max(0.0)
}
