//! Quantiles: the page load that nine in ten visitors stay under.

use super::special::normal_quantile;
use super::sums::is_known;

/// A quantile of one variation's events, with the interval that order statistics give it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Deserialize))]
pub struct Quantile {
    /// How many events.
    pub events: u64,
    /// How many events the interval was taken of.
    pub sampled: u64,
    /// Which quantile, in 0..1.
    pub level: f64,
    pub value: f64,
    /// Ends of the 95 % interval of `value`.
    pub lower: f64,
    pub upper: f64,
    /// Where several events come from one visitor.
    pub clusters: Option<Clusters>,
}

/// Visitors as clusters of events: for each, how many of its events lie below the quantile
/// (`below`) and how many there are (`events`). Deng, Knoblich, Lu 2018, on quantiles in clusters.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Deserialize))]
pub struct Clusters {
    pub count: u64,
    pub below: f64,
    pub below_squares: f64,
    pub events: f64,
    pub event_squares: f64,
    pub products: f64,
}

/// No quantile of many events is known better than this.
const LEAST_VARIANCE: f64 = 1e-5;

impl Quantile {
    pub(super) fn variance(&self) -> f64 {
        let raw = self.raw_variance();
        if self.events < 100 { raw } else { raw.max(LEAST_VARIANCE) }
    }

    pub(super) fn is_degenerate(&self) -> bool {
        let z = critical();
        let odds = self.level / (1.0 - self.level);
        let events = self.events as f64;
        events <= z * z * odds || events <= z * z / odds || !is_known(self.raw_variance())
    }

    fn raw_variance(&self) -> f64 {
        if self.events <= 1 {
            return 0.0;
        }
        let events = self.events as f64;
        let deviation = (self.upper - self.lower) / (2.0 * critical());
        let alone = self.sampled as f64 / events * (events - 1.0) * deviation * deviation;
        match &self.clusters {
            None => alone,
            Some(clusters)
                if self.level == 0.0 || clusters.count <= 1 || clusters.events <= 0.0 =>
            {
                0.0
            }
            Some(clusters) => {
                alone * clusters.variance() / (self.level * (1.0 - self.level) / events)
            }
        }
    }
}

impl Clusters {
    /// Of the share of events below, by the delta method.
    fn variance(&self) -> f64 {
        let count = self.count as f64;
        let (below, events) = (self.below / count, self.events / count);
        let unbiased = count / (count - 1.0);
        let below_variance = (self.below_squares / count - below * below) * unbiased;
        let event_variance = (self.event_squares / count - events * events) * unbiased;
        let covariance = (self.products / count - below * events) * unbiased;
        let share = below / events;
        (below_variance - 2.0 * share * covariance + share * share * event_variance)
            / (count * events * events)
    }
}

fn critical() -> f64 {
    normal_quantile(0.975)
}
