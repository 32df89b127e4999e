//! Tests with a fixed end: Welch's t, and Wald's intervals for proportions.

use libm::fabs;

use super::effect::Effect;
use super::special::{normal_quantile, t_above, t_quantile};
use super::sums::Sums;

/// Which differences a test looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Side {
    /// Any.
    #[default]
    Both,
    /// The treatment is greater: the interval has no upper end.
    Greater,
    /// The treatment is less: the interval has no lower end.
    Less,
}

/// What a test says of an effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The chance of such a difference or a stronger one where there is none.
    pub p_value: f64,
    /// Contains the true difference in 1 − α of all experiments.
    pub interval: [f64; 2],
}

/// Welch's t test: valid once, when the planned number of visitors is there. Who looks earlier
/// takes [`super::sequential`].
///
/// `alpha`: the share of experiments without effect that may be called significant, in 0..1.
#[must_use]
pub fn t_test(effect: &Effect, side: Side, alpha: f64) -> Verdict {
    let Effect { estimate, standard_error, freedom, .. } = *effect;
    let t = estimate / standard_error;
    let width = |tail: f64| t_quantile(1.0 - tail, freedom) * standard_error;
    match side {
        Side::Both => {
            let width = width(alpha / 2.0);
            Verdict {
                p_value: 2.0 * t_above(fabs(t), freedom),
                interval: [estimate - width, estimate + width],
            }
        }
        Side::Greater => Verdict {
            p_value: t_above(t, freedom),
            interval: [estimate - width(alpha), f64::INFINITY],
        },
        Side::Less => Verdict {
            p_value: t_above(-t, freedom),
            interval: [f64::NEG_INFINITY, estimate + width(alpha)],
        },
    }
}

/// The difference of two rates, treatment − control, with Wald's interval at 1 − `alpha`; the
/// p-value pools the rates, as the hypothesis says (the z test of two proportions).
///
/// Both need visitors; `None` otherwise.
#[must_use]
pub fn two_proportions(control: &Sums, treatment: &Sums, alpha: f64) -> Option<(f64, Verdict)> {
    if control.units == 0 || treatment.units == 0 {
        return None;
    }
    let (a, b) = (control.units as f64, treatment.units as f64);
    let difference = treatment.mean() - control.mean();
    let rate = |sums: &Sums| sums.mean() * (1.0 - sums.mean()) / sums.units as f64;
    let width = normal_quantile(1.0 - alpha / 2.0) * (rate(control) + rate(treatment)).sqrt();
    let pooled = (control.sum + treatment.sum) / (a + b);
    let error = (pooled * (1.0 - pooled) * (1.0 / a + 1.0 / b)).sqrt();
    let p_value = if error > 0.0 {
        2.0 * super::special::normal_above(fabs(difference) / error)
    } else {
        1.0
    };
    Some((difference, Verdict { p_value, interval: [difference - width, difference + width] }))
}
