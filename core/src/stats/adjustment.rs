//! How far a covariate is followed: θ, one for both variations (CUPED).

use libm::fabs;

use super::effect::EffectError;
use super::statistic::{Adjusted, AdjustedRatio, Statistic};

/// Below this the adjustment of a ratio is noise.
const LEAST_RATIO_THETA: f64 = 1e-8;

/// Both variations with their θ; without adjustment where the covariate tells nothing.
///
/// # Errors
/// [`EffectError::Mixed`] where the two are of different kinds.
pub(super) fn with_theta(
    control: &Statistic,
    treatment: &Statistic,
) -> Result<(Statistic, Statistic), EffectError> {
    let plain = || Ok((control.unadjusted(), treatment.unadjusted()));
    match (control, treatment) {
        (Statistic::Adjusted(a), Statistic::Adjusted(b))
            if a.theta.is_none() || b.theta.is_none() =>
        {
            let theta = theta(a, b);
            if theta == 0.0 {
                return plain();
            }
            let theta = Some(theta);
            Ok((
                Statistic::Adjusted(Adjusted { theta, ..*a }),
                Statistic::Adjusted(Adjusted { theta, ..*b }),
            ))
        }
        (Statistic::AdjustedRatio(a), Statistic::AdjustedRatio(b))
            if a.theta.is_none() || b.theta.is_none() =>
        {
            let theta = ratio_theta(a, b);
            if theta.is_nan() || fabs(theta) < LEAST_RATIO_THETA {
                return plain();
            }
            let theta = Some(theta);
            Ok((
                Statistic::AdjustedRatio(AdjustedRatio { theta, ..*a }),
                Statistic::AdjustedRatio(AdjustedRatio { theta, ..*b }),
            ))
        }
        (a, b) if core::mem::discriminant(a) == core::mem::discriminant(b) => {
            Ok((a.clone(), b.clone()))
        }
        _ => Err(EffectError::Mixed),
    }
}

/// Covariance of after and before, as a share of the covariate's variance.
fn theta(a: &Adjusted, b: &Adjusted) -> f64 {
    let after = a.after.pooled(&b.after);
    let before = a.before.pooled(&b.before);
    if before.variance() == 0.0 || after.variance() == 0.0 {
        return 0.0;
    }
    after.covariance(&before, a.products + b.products) / before.variance()
}

fn ratio_theta(a: &AdjustedRatio, b: &AdjustedRatio) -> f64 {
    let (cross_a, before_a) = cross_and_before(a);
    let (cross_b, before_b) = cross_and_before(b);
    if before_a + before_b == 0.0 {
        return 0.0;
    }
    -(cross_a + cross_b) / (before_a + before_b)
}

/// By the delta method: covariance of the ratio now with minus the ratio then, variance of that then.
fn cross_and_before(statistic: &AdjustedRatio) -> (f64, f64) {
    let gradient = statistic.gradient(1.0);
    let covariances = statistic.covariances();
    let mut cross = 0.0;
    let mut before = 0.0;
    for row in 2..4 {
        for column in 0..2 {
            cross += gradient[row] * covariances[row][column] * gradient[column];
        }
        for column in 2..4 {
            before += gradient[row] * covariances[row][column] * gradient[column];
        }
    }
    (cross, before)
}
