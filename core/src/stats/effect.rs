//! The difference between two variations and how well it is known.

use libm::fabs;
use thiserror::Error;

use super::adjustment::with_theta;
use super::statistic::{AdjustedRatio, Statistic};
use super::sums::is_known;

/// How a difference is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Difference {
    /// As a share of the control's mean: 0.05 is five per cent more.
    #[default]
    Relative,
    /// In the metric's own unit.
    Absolute,
}

/// A difference, treatment − control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    pub estimate: f64,
    pub standard_error: f64,
    /// Visitors of both variations.
    pub units: u64,
    /// Degrees of freedom (Welch 1947, Satterthwaite 1946).
    pub freedom: f64,
}

/// Why a difference cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EffectError {
    #[error("a variation has no variance: too few visitors, or all the same; wait for more data")]
    NoVariance,
    #[error("the control's mean is zero, so nothing is relative to it; compare absolutely")]
    NoBaseline,
    #[error("the variations' metrics are of different kinds; compare one metric at a time")]
    Mixed,
    #[error("quantiles of strata cannot be added up; pass a quantile of all visitors")]
    NotSummable,
    #[error("the covariates of a stratum depend on one another; leave one out")]
    Dependent,
    #[error("there is nothing to compare: pass at least one stratum")]
    Empty,
}

/// Compares a treatment with its control.
///
/// The adjustment of [`Statistic::Adjusted`] is computed here where it is not given. A relative
/// difference is by the delta method (Deng, Knoblich, Lu 2018).
///
/// # Errors
/// See [`EffectError`].
pub fn compare(
    control: &Statistic,
    treatment: &Statistic,
    difference: Difference,
) -> Result<Effect, EffectError> {
    let (control, treatment) = with_theta(control, treatment)?;
    moments(&control, &treatment, difference)
}

/// [`compare`] with the adjustments as they are: `None` adjusts nothing.
///
/// # Errors
/// See [`EffectError`].
pub fn moments(
    control: &Statistic,
    treatment: &Statistic,
    difference: Difference,
) -> Result<Effect, EffectError> {
    if core::mem::discriminant(control) != core::mem::discriminant(treatment) {
        return Err(EffectError::Mixed);
    }
    if control.is_degenerate() || treatment.is_degenerate() {
        return Err(EffectError::NoVariance);
    }
    let relative = difference == Difference::Relative;
    let baseline = control.plain_mean();
    let variance = if relative && baseline != 0.0 {
        relative_variance(control, treatment)
    } else {
        mean_variance(control) + mean_variance(treatment)
    };
    if !is_known(variance) {
        return Err(EffectError::NoVariance);
    }
    if control.mean() == 0.0 || baseline == 0.0 {
        return Err(EffectError::NoBaseline);
    }
    let absolute = treatment.mean() - control.mean();
    Ok(Effect {
        estimate: if relative { absolute / fabs(baseline) } else { absolute },
        standard_error: variance.sqrt(),
        units: control.units() + treatment.units(),
        freedom: freedom(control, treatment),
    })
}

/// Variance of a variation's mean.
fn mean_variance(statistic: &Statistic) -> f64 {
    statistic.variance() / statistic.units() as f64
}

/// Variance of (treatment − control) / |control|.
fn relative_variance(control: &Statistic, treatment: &Statistic) -> f64 {
    let baseline = control.plain_mean();
    let square = baseline * baseline;
    let of_treatment = mean_variance(treatment) / square;
    let of_control = match (control, treatment) {
        (Statistic::Adjusted(a), Statistic::Adjusted(b)) => {
            a.variance_along(b.after.mean() / baseline) / a.after.units as f64
        }
        (Statistic::AdjustedRatio(a), Statistic::AdjustedRatio(_)) => {
            along_adjusted(a, treatment.mean() - control.mean())
        }
        _ => {
            let share = treatment.mean() / baseline;
            mean_variance(control) * share * share
        }
    };
    of_treatment + of_control / square
}

/// The control's mean moves an adjusted relative difference twice: as what is subtracted, and as
/// what everything is relative to.
fn along_adjusted(control: &AdjustedRatio, difference: f64) -> f64 {
    let mut gradient = control.gradient_now();
    let grown = 1.0 + difference / control.after.mean();
    gradient[0] *= grown;
    gradient[1] *= grown;
    control.variance_along(gradient) / control.after.top.units as f64
}

pub(super) fn freedom(control: &Statistic, treatment: &Statistic) -> f64 {
    let (a, b) = (mean_variance(control), mean_variance(treatment));
    let less_one = |statistic: &Statistic| statistic.units() as f64 - 1.0;
    (a + b) * (a + b) / (a * a / less_one(control) + b * b / less_one(treatment))
}
