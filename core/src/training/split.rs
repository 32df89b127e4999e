//! The best way to part the rows of a node in two.

use super::bins::{Binned, Feature, FeatureKind};
use super::histogram::{Histogram, Moment, Packed, Scale};
use super::table::Monotone;

/// What keeps trees modest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Penalties {
    /// Squared leaf values cost this much a unit.
    pub l2: f64,
    /// Absolute leaf values cost this much a unit.
    pub l1: f64,
    /// Added to `l2` where a set of levels is chosen: sets have more ways to fit by chance.
    pub category_l2: f64,
    /// Pulls the mean of a level towards its node's, in units of hessian, before levels are ordered.
    pub category_smoothing: f64,
    /// Hessian that either side must hold.
    pub min_hessian: f64,
    /// Hessian that either side of a set of levels must hold.
    pub category_min_hessian: f64,
}

/// A way to part a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    pub feature: usize,
    /// Codes that go left.
    pub left: CodeSet,
    /// How much lower the loss gets, in the second-order sense, doubled.
    pub gain: f64,
    pub left_sum: Moment,
    pub right_sum: Moment,
}

/// A set of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CodeSet([u64; 4]);

/// The range that monotone ancestors leave to the values below them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub low: f64,
    pub high: f64,
}

/// Where splits are looked for.
pub struct Search<'a> {
    pub binned: &'a Binned,
    pub penalties: Penalties,
    pub scale: Scale,
    /// Codes of each category in a fixed order, where levels are not ordered anew in each node.
    pub fixed_orders: Option<&'a [Vec<u8>]>,
}

impl Search<'_> {
    /// The best split of a node on one of `features`.
    #[must_use]
    pub fn best(
        &self,
        histogram: &Histogram,
        node: Packed,
        bounds: Bounds,
        features: &[usize],
    ) -> Option<Split> {
        let mut best: Option<Split> = None;
        for &place in features {
            let Some(feature) = self.binned.features.get(place) else { continue };
            let sums = &histogram.of(place)[..feature.codes];
            let found = match &feature.kind {
                FeatureKind::Ordered { .. } => self.ordered(feature, sums, node, bounds),
                FeatureKind::Levels { .. } => self.levels(place, sums, node, bounds),
            };
            if let Some((gain, left, left_sum)) = found
                && best.as_ref().is_none_or(|best| gain > best.gain)
            {
                let right_sum = self.scale.unpack(node.wrapping_sub(left_sum));
                let left_sum = self.scale.unpack(left_sum);
                best = Some(Split { feature: place, left, gain, left_sum, right_sum });
            }
        }
        best
    }

    /// Every cut, with missing values on either side.
    fn ordered(
        &self,
        feature: &Feature,
        sums: &[Packed],
        node: Packed,
        bounds: Bounds,
    ) -> Option<Found> {
        let missing = sums[0];
        let gain = Gain::new(
            self,
            node,
            bounds,
            feature.monotone,
            self.penalties.l2,
            self.penalties.min_hessian,
        );
        let mut best: Option<(f64, usize, bool, Packed)> = None;
        let mut consider = |at: usize, missing_left: bool, left: Packed| {
            if let Some(found) = gain.of(left)
                && best.is_none_or(|best| found > best.0)
            {
                best = Some((found, at, missing_left, left));
            }
        };
        let mut left: Packed = 0;
        let last = sums.len() - 1;
        for (at, &sum) in sums.iter().enumerate().skip(1) {
            if sum == 0 {
                continue;
            }
            left = left.wrapping_add(sum);
            if at < last {
                consider(at, false, left);
                if missing != 0 {
                    consider(at, true, left.wrapping_add(missing));
                }
            }
        }
        if missing != 0 {
            consider(last, false, left);
        }
        let (found, at, missing_left, left) = best?;
        // Where the node has no missing value, a later one goes with the heavier side.
        let heavier_left = self.scale.unpack(left).hessian * 2.0 >= self.scale.unpack(node).hessian;
        let mut set = CodeSet::up_to(at);
        if missing_left || (missing == 0 && heavier_left) {
            set.insert(0);
        }
        Some((found - gain.node, set, left))
    }

    /// Levels in order of their mean gradient; every prefix is a candidate. Codes that the node has
    /// not seen stand where the node's own mean stands.
    fn levels(&self, place: usize, sums: &[Packed], node: Packed, bounds: Bounds) -> Option<Found> {
        let whole = self.scale.unpack(node);
        let order: Vec<u8> = match self.fixed_orders.and_then(|orders| orders.get(place)) {
            Some(order) => order.clone(),
            None => {
                let smoothing = self.penalties.category_smoothing.max(1e-9);
                let mean = whole.gradient / whole.hessian.max(1e-12);
                let mut keyed: Vec<(f64, u8)> = (0..=255_u8)
                    .zip(sums)
                    .map(|(code, &sum)| {
                        let moment = self.scale.unpack(sum);
                        ((moment.gradient + smoothing * mean) / (moment.hessian + smoothing), code)
                    })
                    .collect();
                keyed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                keyed.into_iter().map(|(_, code)| code).collect()
            }
        };
        let present = sums.iter().filter(|&&sum| sum != 0).count();
        if present < 2 {
            return None;
        }
        let l2 = self.penalties.l2 + if present > 2 { self.penalties.category_l2 } else { 0.0 };
        let min_hessian = if present > 2 {
            self.penalties.category_min_hessian
        } else {
            self.penalties.min_hessian
        };
        let gain = Gain::new(self, node, bounds, Monotone::Free, l2, min_hessian);
        let mut best: Option<(f64, usize, Packed)> = None;
        let mut left: Packed = 0;
        for (at, &code) in order.iter().enumerate() {
            let sum = sums[code as usize];
            if sum == 0 {
                continue;
            }
            left = left.wrapping_add(sum);
            if let Some(found) = gain.of(left)
                && best.is_none_or(|best| found > best.0)
            {
                best = Some((found, at, left));
            }
        }
        let (found, at, left) = best?;
        let set = CodeSet::of(order.iter().take(at + 1).copied());
        Some((found - gain.node, set, left))
    }
}

type Found = (f64, CodeSet, Packed);

/// Judges left sums of one node and feature.
struct Gain {
    node: f64,
    total: Packed,
    scale: Scale,
    l1: f64,
    l2: f64,
    min_hessian: f64,
    monotone: Monotone,
    bounds: Option<Bounds>,
}

impl Gain {
    fn new(
        search: &Search,
        node: Packed,
        bounds: Bounds,
        monotone: Monotone,
        l2: f64,
        min_hessian: f64,
    ) -> Gain {
        let bounded = monotone != Monotone::Free || bounds != Bounds::NONE;
        let mut gain = Gain {
            node: 0.0,
            total: node,
            scale: search.scale,
            l1: search.penalties.l1,
            l2,
            min_hessian: min_hessian.max(1e-9),
            monotone,
            bounds: bounded.then_some(bounds),
        };
        // The node keeps its own penalty, so that a set of levels has to earn its higher one.
        let own = Gain { l2: search.penalties.l2, ..gain };
        gain.node = own.side(search.scale.unpack(node)).0;
        gain
    }

    /// The gain of a left sum, where both sides are heavy enough and no constraint is broken.
    fn of(&self, left: Packed) -> Option<f64> {
        let right = self.scale.unpack(self.total.wrapping_sub(left));
        let left = self.scale.unpack(left);
        if left.hessian < self.min_hessian || right.hessian < self.min_hessian {
            return None;
        }
        let (left_gain, left_value) = self.side(left);
        let (right_gain, right_value) = self.side(right);
        let kept = match self.monotone {
            Monotone::Free => true,
            Monotone::Rising => left_value <= right_value,
            Monotone::Falling => left_value >= right_value,
        };
        let gain = left_gain + right_gain;
        (kept && gain > self.node + 1e-9).then_some(gain)
    }

    fn side(&self, sum: Moment) -> (f64, f64) {
        let gradient = soften(sum.gradient, self.l1);
        let weight = sum.hessian + self.l2;
        match self.bounds {
            None => (gradient * gradient / weight, -gradient / weight),
            Some(bounds) => {
                let value = (-gradient / weight).clamp(bounds.low, bounds.high);
                (-(2.0 * gradient * value + weight * value * value), value)
            }
        }
    }
}

/// The best value of a leaf under the penalties, within the bounds.
#[must_use]
pub fn leaf_value(sum: Moment, penalties: &Penalties, bounds: Bounds) -> f64 {
    let weight = sum.hessian + penalties.l2;
    if weight <= 0.0 {
        0.0
    } else {
        (-soften(sum.gradient, penalties.l1) / weight).clamp(bounds.low, bounds.high)
    }
}

fn soften(gradient: f64, l1: f64) -> f64 {
    if l1 == 0.0 { gradient } else { gradient.signum() * (gradient.abs() - l1).max(0.0) }
}

impl CodeSet {
    /// Codes 1 to `last`.
    #[must_use]
    pub fn up_to(last: usize) -> CodeSet {
        let mut set = CodeSet::default();
        (1..=last).for_each(|code| set.insert(code));
        set
    }

    #[must_use]
    pub fn of(codes: impl Iterator<Item = u8>) -> CodeSet {
        let mut set = CodeSet::default();
        codes.for_each(|code| set.insert(code as usize));
        set
    }

    pub fn insert(&mut self, code: usize) {
        self.0[(code / 64) & 3] |= 1 << (code % 64);
    }

    #[must_use]
    pub fn contains(&self, code: u8) -> bool {
        self.0[code as usize / 64] >> (code % 64) & 1 == 1
    }

    /// Membership as a table, for loops over rows.
    #[must_use]
    pub fn table(&self) -> [bool; 256] {
        core::array::from_fn(|code| self.0[code / 64] >> (code % 64) & 1 == 1)
    }
}

impl Bounds {
    pub const NONE: Bounds = Bounds { low: f64::NEG_INFINITY, high: f64::INFINITY };
}
