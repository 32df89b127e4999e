//! Gradient boosting of the log loss (Friedman 2001; second order as Chen and Guestrin 2016).

use super::bins::{Binned, FeatureKind};
use super::grow::{CodeTree, Shape, Soil, Spare, grow};
use super::histogram::{Moment, Packed, Scale};
use super::random::Random;
use super::split::{Penalties, Search};

/// How trees are boosted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoostSettings {
    pub learning_rate: f64,
    pub shape: Shape,
    pub penalties: Penalties,
    /// Share of the rows that each tree sees.
    pub row_share: f64,
    /// Share of the features that each tree sees.
    pub feature_share: f64,
    pub level_order: LevelOrder,
}

/// In which order the levels of a category are searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LevelOrder {
    /// By mean gradient, anew in each node.
    PerNode,
    /// By the share of positives, once; this many rows' worth of the overall share are mixed in.
    Fixed { prior_rows: f64 },
}

/// A boosting under way: margins of every row of the table, trained on some of them.
pub struct Boosting<'a> {
    binned: &'a Binned,
    labels: &'a [bool],
    rows: Vec<u32>,
    others: Vec<u32>,
    settings: BoostSettings,
    orders: Option<Vec<Vec<u8>>>,
    random: Random,
    spare: Spare,
    moments: Vec<Moment>,
    packed: Vec<Packed>,
    pub margins: Vec<f64>,
    pub base: f64,
    pub trees: Vec<CodeTree>,
}

impl<'a> Boosting<'a> {
    /// Starts from the log-odds of `rows`.
    #[must_use]
    pub fn new(
        binned: &'a Binned,
        labels: &'a [bool],
        rows: &[u32],
        settings: BoostSettings,
        seed: u64,
    ) -> Self {
        let positives = rows.iter().filter(|&&row| labels[row as usize]).count() as f64;
        let share = (positives + 0.5) / (rows.len() as f64 + 1.0);
        let base = libm::log(share / (1.0 - share));
        let mut trains = vec![false; binned.rows];
        rows.iter().for_each(|&row| trains[row as usize] = true);
        let orders = match settings.level_order {
            LevelOrder::PerNode => None,
            LevelOrder::Fixed { prior_rows } => {
                Some(fixed_orders(binned, labels, rows, share, prior_rows))
            }
        };
        Boosting {
            binned,
            labels,
            rows: rows.to_vec(),
            others: (0..binned.rows as u32).filter(|&row| !trains[row as usize]).collect(),
            settings,
            orders,
            random: Random::new(seed),
            spare: Spare::default(),
            moments: vec![Moment::default(); binned.rows],
            packed: vec![0; binned.rows],
            margins: vec![base; binned.rows],
            base,
            trees: Vec::new(),
        }
    }

    /// Adds one tree.
    pub fn round(&mut self) {
        let settings = self.settings;
        let mut sample = if settings.row_share < 1.0 {
            let count = (self.rows.len() as f64 * settings.row_share).round().max(1.0) as usize;
            self.random.sample(&self.rows, count)
        } else {
            self.rows.clone()
        };
        let scale = self.derive(&sample);
        let search = Search {
            binned: self.binned,
            penalties: settings.penalties,
            scale,
            fixed_orders: self.orders.as_deref(),
        };
        let all: Vec<u32> = (0..self.binned.features.len() as u32).collect();
        let count = (all.len() as f64 * settings.feature_share).round().max(1.0) as usize;
        let features: Vec<usize> =
            self.random.sample(&all, count).into_iter().map(|feature| feature as usize).collect();
        let soil = Soil {
            binned: self.binned,
            search: &search,
            packed: &self.packed,
            moments: &self.moments,
            features: &features,
        };
        let mut grown = grow(&soil, settings.shape, &mut sample, &mut self.random, &mut self.spare);
        for node in &mut grown.tree.nodes {
            node.value *= settings.learning_rate;
        }
        for (leaf, range) in &grown.leaves {
            let value = grown.tree.nodes[*leaf as usize].value;
            for &row in &sample[range.clone()] {
                self.margins[row as usize] += value;
            }
        }
        if sample.len() < self.rows.len() {
            let mut sampled = vec![false; self.binned.rows];
            sample.iter().for_each(|&row| sampled[row as usize] = true);
            for &row in self.rows.iter().filter(|&&row| !sampled[row as usize]) {
                self.margins[row as usize] += grown.tree.value(self.binned.row(row));
            }
        }
        for &row in &self.others {
            self.margins[row as usize] += grown.tree.value(self.binned.row(row));
        }
        self.trees.push(grown.tree);
    }

    /// Gradients and hessians of the sample, exact and in whole steps.
    fn derive(&mut self, sample: &[u32]) -> Scale {
        let mut most = Moment::default();
        for &row in sample {
            let p = logistic(self.margins[row as usize]);
            let gradient = p - f64::from(u8::from(self.labels[row as usize]));
            let hessian = (p * (1.0 - p)).max(1e-9);
            self.moments[row as usize] = Moment { gradient, hessian };
            most.gradient = most.gradient.max(gradient.abs());
            most.hessian = most.hessian.max(hessian);
        }
        let scale = Scale::fitting(sample.len(), most);
        for &row in sample {
            let bits = self.random.next_u64();
            let dither = |bits: u64| f64::from(bits as u32) / 4_294_967_296.0;
            self.packed[row as usize] =
                scale.pack(self.moments[row as usize], (dither(bits), dither(bits >> 32)));
        }
        scale
    }
}

/// The probability of a margin.
#[must_use]
pub fn logistic(margin: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-margin))
}

/// Codes of each category by rising share of positives among `rows`.
fn fixed_orders(
    binned: &Binned,
    labels: &[bool],
    rows: &[u32],
    share: f64,
    prior_rows: f64,
) -> Vec<Vec<u8>> {
    let order = |(place, feature): (usize, &super::bins::Feature)| {
        if !matches!(feature.kind, FeatureKind::Levels { .. }) {
            return Vec::new();
        }
        let mut counts = vec![(0.0, 0.0); feature.codes];
        for &row in rows {
            let slot = &mut counts[binned.code(row, place) as usize];
            slot.0 += f64::from(u8::from(labels[row as usize]));
            slot.1 += 1.0;
        }
        let mut keyed: Vec<(f64, u8)> = (0..=255_u8)
            .zip(&counts)
            .map(|(code, (positives, rows))| {
                ((positives + prior_rows * share) / (rows + prior_rows), code)
            })
            .collect();
        // Falling, as margins rise where gradients fall.
        keyed.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        keyed.into_iter().map(|(_, code)| code).collect()
    };
    binned.features.iter().enumerate().map(order).collect()
}
