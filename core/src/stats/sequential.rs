//! Tests that may be looked at any time: asymptotic confidence sequences.
//!
//! Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2021 ("Time-uniform central limit theory and
//! asymptotic confidence sequences", arXiv 2103.06476). They need an effect and its standard error,
//! whatever the metric: a mean, a ratio, a quantile, adjusted or not.

use libm::{exp, fabs, log};

use super::effect::Effect;
use super::frequentist::{Side, Verdict};

/// How a sequence is tuned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequence {
    /// The share of experiments without effect that may ever be called significant, in 0..½.
    pub alpha: f64,
    /// At how many visitors the interval is at its tightest.
    pub tuned_for: f64,
}

impl Default for Sequence {
    fn default() -> Sequence {
        Sequence { alpha: 0.05, tuned_for: 5000.0 }
    }
}

/// One-sided p-values are searched between these.
const LEAST_P: f64 = 1e-5;
const GREATEST_P: f64 = 0.4999;

impl Sequence {
    /// What can be said now and stays valid however often one looks, at any time.
    #[must_use]
    pub fn test(&self, effect: &Effect, side: Side) -> Verdict {
        let scale = Scale::of(effect);
        match side {
            Side::Both => {
                let rho = self.rho(self.alpha);
                let width = scale.both(self.alpha, rho);
                let Effect { estimate, .. } = *effect;
                Verdict {
                    p_value: scale.p_value(estimate, rho),
                    interval: [estimate - width, estimate + width],
                }
            }
            Side::Greater => {
                let (low, p_value) = self.one_sided(effect.estimate, &scale);
                Verdict { p_value, interval: [low, f64::INFINITY] }
            }
            Side::Less => {
                let (low, p_value) = self.one_sided(-effect.estimate, &scale);
                Verdict { p_value, interval: [f64::NEG_INFINITY, -low] }
            }
        }
    }

    /// Equation 161: the mixture's width that is best at `tuned_for` visitors.
    fn rho(&self, alpha: f64) -> f64 {
        let twice = -2.0 * log(alpha);
        ((twice + log(twice + 1.0)) / self.tuned_for).sqrt()
    }

    /// Lower end of "the treatment is greater", and the level at which that end reaches zero.
    fn one_sided(&self, estimate: f64, scale: &Scale) -> (f64, f64) {
        let rho = self.rho(2.0 * self.alpha);
        let low = |alpha: f64| estimate - scale.one(alpha, rho);
        if low(LEAST_P) > 0.0 {
            return (low(self.alpha), LEAST_P);
        }
        if low(GREATEST_P) < 0.0 {
            return (low(self.alpha), GREATEST_P);
        }
        let (mut least, mut greatest) = (LEAST_P, GREATEST_P);
        for _ in 0..100 {
            let middle = 0.5 * (least + greatest);
            let end = low(middle);
            if end < 0.0 {
                least = middle;
            } else {
                greatest = middle;
            }
            // gbstats stops here too, so that p-values agree in every digit.
            if fabs(end) < 1e-6 {
                break;
            }
        }
        (low(self.alpha), 0.5 * (least + greatest))
    }
}

/// Visitors, and the variance of one of them.
struct Scale {
    units: f64,
    variance: f64,
}

impl Scale {
    fn of(effect: &Effect) -> Scale {
        let units = effect.units as f64;
        Scale { units, variance: effect.standard_error * effect.standard_error * units }
    }

    /// Half the width of equation 9.
    fn both(&self, alpha: f64, rho: f64) -> f64 {
        let grown = self.grown(rho);
        self.width(rho, log(grown.sqrt() / alpha))
    }

    /// The width of the one-sided sequence (the paper's appendix on one-sided sequences).
    fn one(&self, alpha: f64, rho: f64) -> f64 {
        let grown = self.grown(rho);
        self.width(rho, log(1.0 + grown.sqrt() / (2.0 * alpha)))
    }

    fn width(&self, rho: f64, evidence: f64) -> f64 {
        let reach = self.units * rho;
        (self.variance * 2.0 * self.grown(rho) * evidence / (reach * reach)).sqrt()
    }

    /// Equation 155: the inverse of the mixture's e-value, at most 1.
    fn p_value(&self, estimate: f64, rho: f64) -> f64 {
        let grown = self.grown(rho);
        let square = estimate * self.units;
        let evidence = rho * rho * (square * square / self.variance) / (2.0 * grown);
        (grown.sqrt() / exp(evidence)).min(1.0)
    }

    fn grown(&self, rho: f64) -> f64 {
        self.units * rho * rho + 1.0
    }
}
