//! A comparison as JSON: the same question and the same answer on every host.

use super::bayesian::{Prior, Scale, believe};
use super::effect::{Difference, EffectError};
use super::frequentist::{Side, t_test};
use super::sequential::Sequence;
use super::strata::{Stratum, compare_strata, pooled};
use super::sums::Sums;
use serde::{Deserialize, Serialize};

/// Asks how a treatment differs from its control.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Control and treatment; several pairs where visitors fell into strata before.
    pub strata: Vec<Stratum>,
    #[serde(default)]
    pub difference: Difference,
    /// Compares stratum by stratum; otherwise as if there were none.
    #[serde(default)]
    pub post_stratify: bool,
    #[serde(default)]
    pub method: Method,
    /// One minus how often an interval holds the truth, in 0..1.
    #[serde(default = "five_per_cent")]
    pub alpha: f64,
}

/// What is made of the difference.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Method {
    /// Only the difference and its error: the interval is everything.
    Effect,
    /// Welch's t, once and at the end: [`t_test`].
    TTest {
        #[serde(default)]
        side: Side,
    },
    /// At any time: [`Sequence`].
    Sequential {
        #[serde(default)]
        side: Side,
        /// At how many visitors the interval is at its tightest.
        #[serde(default = "five_thousand")]
        tuned_for: f64,
    },
    /// [`believe`].
    Bayesian {
        #[serde(default)]
        prior: Option<Prior>,
        #[serde(default)]
        less_is_better: bool,
    },
}

/// What can be said. Ends of intervals that are infinite are `null` in JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The difference, or what is believed of it.
    pub estimate: f64,
    /// Of the difference, or of what is believed of it.
    pub standard_error: f64,
    /// Visitors of both variations.
    pub units: u64,
    pub interval: [f64; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chance_to_win: Option<f64>,
    /// What is lost on average by choosing the control, and by choosing the treatment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<[f64; 2]>,
}

impl Default for Method {
    fn default() -> Self {
        Self::TTest { side: Side::Both }
    }
}

impl Comparison {
    /// Compares.
    ///
    /// # Errors
    /// See [`EffectError`].
    pub fn answer(&self) -> Result<Compared, EffectError> {
        let compare = if self.post_stratify { compare_strata } else { pooled };
        let effect = compare(&self.strata, self.difference)?;
        let compared = Compared {
            estimate: effect.estimate,
            standard_error: effect.standard_error,
            units: effect.units,
            interval: [f64::NEG_INFINITY, f64::INFINITY],
            p_value: None,
            chance_to_win: None,
            risk: None,
        };
        let verdict = match self.method {
            Method::Effect => return Ok(compared),
            Method::TTest { side } => t_test(&effect, side, self.alpha),
            Method::Sequential { side, tuned_for } => {
                Sequence { alpha: self.alpha, tuned_for }.test(&effect, side)
            }
            Method::Bayesian { prior, less_is_better } => {
                let baseline = self.strata.first().map_or(0.0, |(control, _)| control.plain_mean());
                let scale = Scale { difference: self.difference, baseline, less_is_better };
                let belief = believe(&effect, scale, prior, self.alpha);
                return Ok(Compared {
                    estimate: belief.mean,
                    standard_error: belief.deviation,
                    interval: belief.interval,
                    chance_to_win: Some(belief.chance_to_win),
                    risk: Some(belief.risk),
                    ..compared
                });
            }
        };
        Ok(Compared { interval: verdict.interval, p_value: Some(verdict.p_value), ..compared })
    }
}

/// Sums over visitors; without squares they are of a proportion.
#[derive(Deserialize)]
pub(super) struct SumsWire {
    units: u64,
    sum: f64,
    squares: Option<f64>,
}

impl From<SumsWire> for Sums {
    fn from(wire: SumsWire) -> Self {
        match wire.squares {
            Some(squares) => Self::amount(wire.units, wire.sum, squares),
            None => Self::proportion(wire.units, wire.sum),
        }
    }
}

fn five_per_cent() -> f64 {
    0.05
}

fn five_thousand() -> f64 {
    5000.0
}
