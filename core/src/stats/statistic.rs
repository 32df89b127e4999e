//! What is compared between variations, as sums that a store can keep.

use super::quantile::Quantile;
use super::sums::{Sums, is_known};

/// One metric of one variation.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "wire",
    derive(serde::Deserialize),
    serde(tag = "kind", rename_all = "snake_case")
)]
pub enum Statistic {
    /// A mean or a rate a visitor.
    Mean(Sums),
    Ratio(Ratio),
    Adjusted(Adjusted),
    AdjustedRatio(AdjustedRatio),
    Quantile(Quantile),
}

/// Σ top / Σ bottom, as revenue an order: its variance by the delta method.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Deserialize))]
pub struct Ratio {
    pub top: Sums,
    pub bottom: Sums,
    /// Σ top · bottom.
    pub products: f64,
}

/// A mean, adjusted by a covariate that the experiment cannot have moved: what the visitor did
/// before, or the lead score then (CUPED; Deng, Xu, Kohavi, Walker 2013).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Deserialize))]
pub struct Adjusted {
    pub after: Sums,
    pub before: Sums,
    /// Σ after · before.
    pub products: f64,
    /// How far the covariate is followed; `None` is computed of both variations.
    pub theta: Option<f64>,
}

/// A ratio, adjusted by the same ratio before.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Deserialize))]
pub struct AdjustedRatio {
    pub after: Ratio,
    pub before: Ratio,
    /// Σ top after · top before.
    pub tops: f64,
    /// Σ bottom after · bottom before.
    pub bottoms: f64,
    /// Σ top after · bottom before.
    pub top_bottom: f64,
    /// Σ bottom after · top before.
    pub bottom_top: f64,
    pub theta: Option<f64>,
}

impl Statistic {
    /// How many visitors (of a quantile: how many events).
    #[must_use]
    pub fn units(&self) -> u64 {
        match self {
            Statistic::Mean(sums) => sums.units,
            Statistic::Ratio(ratio) => ratio.top.units,
            Statistic::Adjusted(adjusted) => adjusted.after.units,
            Statistic::AdjustedRatio(adjusted) => adjusted.after.top.units,
            Statistic::Quantile(quantile) => quantile.events,
        }
    }

    /// What is compared: adjusted, where there is something to adjust by.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match self {
            Statistic::Adjusted(adjusted) => adjusted.mean(),
            Statistic::AdjustedRatio(adjusted) => adjusted.mean(),
            plain => plain.plain_mean(),
        }
    }

    /// Without adjustment: what a relative difference is relative to.
    #[must_use]
    pub fn plain_mean(&self) -> f64 {
        match self {
            Statistic::Mean(sums) => sums.mean(),
            Statistic::Ratio(ratio) => ratio.mean(),
            Statistic::Adjusted(adjusted) => adjusted.after.mean(),
            Statistic::AdjustedRatio(adjusted) => adjusted.after.mean(),
            Statistic::Quantile(quantile) => quantile.value,
        }
    }

    /// Of one visitor: the variance of the mean is this, divided by the units.
    #[must_use]
    pub fn variance(&self) -> f64 {
        match self {
            Statistic::Mean(sums) => sums.variance(),
            Statistic::Ratio(ratio) => ratio.variance(),
            Statistic::Adjusted(adjusted) => adjusted.variance(),
            Statistic::AdjustedRatio(adjusted) => adjusted.variance(),
            Statistic::Quantile(quantile) => quantile.variance(),
        }
    }

    /// Too few visitors, or all the same: nothing can be said.
    pub(super) fn is_degenerate(&self) -> bool {
        match self {
            Statistic::Quantile(quantile) => quantile.is_degenerate(),
            summed => !is_known(summed.variance()),
        }
    }

    /// Both groups of visitors as one; `None` of quantiles, and of different metrics.
    pub(super) fn and(&self, other: &Statistic) -> Option<Statistic> {
        Some(match (self, other) {
            (Statistic::Mean(a), Statistic::Mean(b)) => Statistic::Mean(a.and(b)),
            (Statistic::Ratio(a), Statistic::Ratio(b)) => Statistic::Ratio(a.and(b)),
            (Statistic::Adjusted(a), Statistic::Adjusted(b)) => Statistic::Adjusted(Adjusted {
                after: a.after.and(&b.after),
                before: a.before.and(&b.before),
                products: a.products + b.products,
                theta: None,
            }),
            (Statistic::AdjustedRatio(a), Statistic::AdjustedRatio(b)) => {
                Statistic::AdjustedRatio(AdjustedRatio {
                    after: a.after.and(&b.after),
                    before: a.before.and(&b.before),
                    tops: a.tops + b.tops,
                    bottoms: a.bottoms + b.bottoms,
                    top_bottom: a.top_bottom + b.top_bottom,
                    bottom_top: a.bottom_top + b.bottom_top,
                    theta: None,
                })
            }
            _ => return None,
        })
    }

    /// The metric without its covariate.
    pub(super) fn unadjusted(&self) -> Statistic {
        match self {
            Statistic::Adjusted(adjusted) => Statistic::Mean(adjusted.after),
            Statistic::AdjustedRatio(adjusted) => Statistic::Ratio(adjusted.after),
            plain => plain.clone(),
        }
    }
}

impl Ratio {
    pub(super) fn mean(&self) -> f64 {
        if self.bottom.sum == 0.0 { 0.0 } else { self.top.sum / self.bottom.sum }
    }

    pub(super) fn covariance(&self) -> f64 {
        self.top.covariance(&self.bottom, self.products)
    }

    fn variance(&self) -> f64 {
        if self.bottom.mean() == 0.0 || self.top.units <= 1 {
            return 0.0;
        }
        let gradient = self.gradient();
        gradient[0] * gradient[0] * self.top.variance()
            + gradient[1] * gradient[1] * self.bottom.variance()
            + 2.0 * gradient[0] * gradient[1] * self.covariance()
    }

    /// Of the ratio, by the means of top and bottom; nothing where the bottom is empty.
    fn gradient(&self) -> [f64; 2] {
        let bottom = self.bottom.mean();
        if bottom == 0.0 {
            return [0.0; 2];
        }
        [1.0 / bottom, -self.top.mean() / (bottom * bottom)]
    }

    fn and(&self, other: &Ratio) -> Ratio {
        Ratio {
            top: self.top.and(&other.top),
            bottom: self.bottom.and(&other.bottom),
            products: self.products + other.products,
        }
    }
}

impl Adjusted {
    fn theta(&self) -> f64 {
        self.theta.unwrap_or(0.0)
    }

    fn mean(&self) -> f64 {
        self.after.mean() - self.theta() * self.before.mean()
    }

    pub(super) fn covariance(&self) -> f64 {
        self.after.covariance(&self.before, self.products)
    }

    fn variance(&self) -> f64 {
        if self.after.units <= 1 {
            return 0.0;
        }
        self.variance_along(1.0)
    }

    /// Variance of weight · after − θ · before.
    pub(super) fn variance_along(&self, weight: f64) -> f64 {
        let theta = self.theta();
        weight * weight * self.after.variance() + theta * theta * self.before.variance()
            - 2.0 * weight * theta * self.covariance()
    }
}

impl AdjustedRatio {
    fn theta(&self) -> f64 {
        self.theta.unwrap_or(0.0)
    }

    fn mean(&self) -> f64 {
        if self.after.bottom.sum == 0.0 || self.before.bottom.sum == 0.0 {
            return 0.0;
        }
        self.after.mean() - self.theta() * self.before.mean()
    }

    fn variance(&self) -> f64 {
        self.variance_along(self.gradient(self.theta()))
    }

    /// By the means of top after, bottom after, top before, bottom before.
    pub(super) fn gradient(&self, theta: f64) -> [f64; 4] {
        if self.after.bottom.mean() == 0.0 || self.before.bottom.mean() == 0.0 {
            return [0.0; 4];
        }
        let (after, before) = (self.after.gradient(), self.before.gradient());
        [after[0], after[1], -theta * before[0], -theta * before[1]]
    }

    pub(super) fn gradient_now(&self) -> [f64; 4] {
        self.gradient(self.theta())
    }

    pub(super) fn variance_along(&self, gradient: [f64; 4]) -> f64 {
        let covariance = self.covariances();
        let mut total = 0.0;
        for (row, covariances) in covariance.iter().enumerate() {
            for (column, covariance) in covariances.iter().enumerate() {
                total += gradient[row] * covariance * gradient[column];
            }
        }
        total
    }

    /// Of top after, bottom after, top before, bottom before.
    pub(super) fn covariances(&self) -> [[f64; 4]; 4] {
        let (after, before) = (&self.after, &self.before);
        let (now, then) = (after.covariance(), before.covariance());
        let tops = after.top.covariance(&before.top, self.tops);
        let bottoms = after.bottom.covariance(&before.bottom, self.bottoms);
        let top_bottom = after.top.covariance(&before.bottom, self.top_bottom);
        let bottom_top = after.bottom.covariance(&before.top, self.bottom_top);
        [
            [after.top.variance(), now, tops, top_bottom],
            [now, after.bottom.variance(), bottom_top, bottoms],
            [tops, bottom_top, before.top.variance(), then],
            [top_bottom, bottoms, then, before.bottom.variance()],
        ]
    }
}
