//! Shares of the visitors, as ranges between 0 and 1.

use super::hash::HashVersion;

/// From a number up to, and without, another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range(pub f64, pub f64);

impl Range {
    /// Whether a place lies in it.
    pub fn holds(self, place: f64) -> bool {
        place >= self.0 && place < self.1
    }
}

/// The first range that holds the place.
pub fn chosen(ranges: &[Range], place: f64) -> Option<usize> {
    ranges.iter().position(|range| range.holds(place))
}

/// Equal shares of so many variations.
pub fn equal_weights(count: usize) -> Vec<f64> {
    vec![1.0 / count as f64; count]
}

/// Each variation's range: as much of its weight as `coverage` says, from where the weights before it
/// end, so that a growing coverage moves nobody from one variation to another. Weights that do not
/// fit, in number or in sum, count as equal.
pub fn ranges(count: usize, coverage: f64, weights: Option<&[f64]>) -> Vec<Range> {
    let coverage = coverage.clamp(0.0, 1.0);
    let fit = |weights: &&[f64]| {
        let sum: f64 = weights.iter().sum();
        weights.len() == count && (0.99..=1.01).contains(&sum)
    };
    let weights = weights.filter(fit).map_or_else(|| equal_weights(count), <[f64]>::to_vec);
    let mut start = 0.0;
    weights
        .iter()
        .map(|weight| {
            let range = Range(start, start + coverage * weight);
            start += weight;
            range
        })
        .collect()
}

/// A share of the visitors for experiments that exclude one another.
#[derive(Debug, Clone, PartialEq)]
pub struct Namespace {
    pub seed: Box<str>,
    pub range: Range,
}

impl Namespace {
    /// Whether the visitor with this value is in the share.
    pub fn holds(&self, value: &str) -> bool {
        self.range.holds(HashVersion::V1.place(&(String::from("__") + &self.seed), value))
    }
}
