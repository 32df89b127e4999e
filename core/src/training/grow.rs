//! One tree, grown best split first.

use super::bins::Binned;
use super::histogram::{Histogram, Moment, Packed};
use super::random::Random;
use super::split::{Bounds, CodeSet, Search, Split, leaf_value};
use super::table::Monotone;
use core::ops::Range;

/// How far a tree may grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    pub max_depth: usize,
    pub max_leaves: usize,
    /// Share of the features that each node looks at.
    pub feature_share: f64,
}

/// A tree over codes; children stand behind their parents.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeTree {
    pub nodes: Vec<CodeNode>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CodeNode {
    /// Margin added where the node is a leaf.
    pub value: f64,
    /// Rows of the sample that passed through.
    pub cover: f64,
    pub parting: Option<Parting>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Parting {
    pub feature: usize,
    pub left: CodeSet,
    pub children: [u32; 2],
}

impl CodeTree {
    /// The leaf of a row.
    #[must_use]
    pub fn value(&self, codes: &[u8]) -> f64 {
        let mut node = &self.nodes[0];
        while let Some(parting) = &node.parting {
            let side = usize::from(!parting.left.contains(codes[parting.feature]));
            node = &self.nodes[parting.children[side] as usize];
        }
        node.value
    }
}

/// What a tree is grown on.
pub struct Soil<'a> {
    pub binned: &'a Binned,
    pub search: &'a Search<'a>,
    /// Whole-step moments, for splits.
    pub packed: &'a [Packed],
    /// Exact moments, for leaf values.
    pub moments: &'a [Moment],
    /// Features this tree may use.
    pub features: &'a [usize],
}

/// Histograms that are not in use, kept so that they are not allocated anew.
#[derive(Debug, Default)]
pub struct Spare(Vec<Histogram>);

impl Spare {
    fn take(&mut self, features: usize) -> Histogram {
        self.0.pop().unwrap_or_else(|| Histogram::new(features))
    }
}

/// A tree, and which rows each of its leaves holds.
pub struct Grown {
    pub tree: CodeTree,
    /// Node and range of the ordered rows.
    pub leaves: Vec<(u32, Range<usize>)>,
}

/// Grows a tree on `rows`, which end up ordered leaf by leaf; leaf values are not yet shrunk.
pub fn grow(
    soil: &Soil,
    shape: Shape,
    rows: &mut [u32],
    random: &mut Random,
    spare: &mut Spare,
) -> Grown {
    Grower { soil, shape, random, spare, nodes: Vec::new(), ranges: Vec::new(), open: Vec::new() }
        .grow(rows)
}

struct Grower<'a, 'b> {
    soil: &'a Soil<'a>,
    shape: Shape,
    random: &'b mut Random,
    spare: &'b mut Spare,
    nodes: Vec<CodeNode>,
    ranges: Vec<Range<usize>>,
    open: Vec<Open>,
}

/// A leaf that has a split worth making.
struct Open {
    node: u32,
    depth: usize,
    start: usize,
    end: usize,
    histogram: Histogram,
    split: Split,
    bounds: Bounds,
}

/// A leaf before it is known whether it can be parted.
struct Fresh {
    depth: usize,
    start: usize,
    end: usize,
    sum: Packed,
    bounds: Bounds,
}

impl Grower<'_, '_> {
    fn grow(mut self, rows: &mut [u32]) -> Grown {
        let sum = rows
            .iter()
            .fold(0, |sum: Packed, &row| sum.wrapping_add(self.soil.packed[row as usize]));
        let root = Fresh { depth: 0, start: 0, end: rows.len(), sum, bounds: Bounds::NONE };
        if self.shape.max_depth == 0 || rows.is_empty() {
            self.leaf(&root, rows);
        } else {
            let mut histogram = self.spare.take(self.soil.binned.features.len());
            histogram.count(self.soil.binned, rows, self.soil.packed);
            self.settle(root, histogram, rows);
        }
        let mut leaves = 1;
        let mut scratch = Vec::new();
        while leaves < self.shape.max_leaves {
            // The first of the best, so that ties do not depend on how the list was built.
            let Some(best) = (0..self.open.len()).reduce(|best, at| {
                let (a, b) = (&self.open[best], &self.open[at]);
                if (b.split.gain, core::cmp::Reverse(b.node))
                    > (a.split.gain, core::cmp::Reverse(a.node))
                {
                    at
                } else {
                    best
                }
            }) else {
                break;
            };
            let open = self.open.swap_remove(best);
            self.part(open, rows, &mut scratch, leaves + 1 < self.shape.max_leaves);
            leaves += 1;
        }
        let Grower { nodes, ranges, open, spare, .. } = self;
        spare.0.extend(open.into_iter().map(|open| open.histogram));
        let leaves = (0..).zip(ranges).zip(&nodes);
        let leaves =
            leaves.filter(|(_, node)| node.parting.is_none()).map(|(leaf, _)| leaf).collect();
        Grown { tree: CodeTree { nodes }, leaves }
    }

    /// Makes the two children of an open leaf.
    fn part(&mut self, open: Open, rows: &mut [u32], scratch: &mut Vec<u32>, more: bool) {
        let Open { node, depth, start, end, histogram: mut parent, split, bounds } = open;
        let binned = self.soil.binned;
        let middle =
            start + part_rows(&mut rows[start..end], binned, split.feature, split.left, scratch);
        let [left_bounds, right_bounds] = self.bounds_below(&split, bounds);
        let sums = |range: &[u32]| {
            range
                .iter()
                .fold(0, |sum: Packed, &row| sum.wrapping_add(self.soil.packed[row as usize]))
        };
        let left = Fresh {
            depth: depth + 1,
            start,
            end: middle,
            sum: sums(&rows[start..middle]),
            bounds: left_bounds,
        };
        let right = Fresh {
            depth: depth + 1,
            start: middle,
            end,
            sum: sums(&rows[middle..end]),
            bounds: right_bounds,
        };
        let first = self.nodes.len() as u32;
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.parting = Some(Parting {
                feature: split.feature,
                left: split.left,
                children: [first, first + 1],
            });
        }
        if !more || depth + 1 >= self.shape.max_depth {
            self.leaf(&left, rows);
            self.leaf(&right, rows);
            self.spare.0.push(parent);
            return;
        }
        let mut smaller = self.spare.take(binned.features.len());
        let left_smaller = middle - start <= end - middle;
        let counted = if left_smaller { &rows[start..middle] } else { &rows[middle..end] };
        smaller.count(binned, counted, self.soil.packed);
        parent.subtract(&smaller, binned);
        let (of_left, of_right) = if left_smaller { (smaller, parent) } else { (parent, smaller) };
        self.settle(left, of_left, rows);
        self.settle(right, of_right, rows);
    }

    /// Adds a leaf, and keeps it open where a split is worth making.
    fn settle(&mut self, fresh: Fresh, histogram: Histogram, rows: &[u32]) {
        let node = self.leaf(&fresh, rows);
        let features = self.features();
        match self.soil.search.best(&histogram, fresh.sum, fresh.bounds, &features) {
            Some(split) => {
                let Fresh { depth, start, end, bounds, .. } = fresh;
                self.open.push(Open { node, depth, start, end, histogram, split, bounds });
            }
            None => self.spare.0.push(histogram),
        }
    }

    fn leaf(&mut self, fresh: &Fresh, rows: &[u32]) -> u32 {
        let mut sum = Moment::default();
        for &row in &rows[fresh.start..fresh.end] {
            let moment = self.soil.moments[row as usize];
            sum.gradient += moment.gradient;
            sum.hessian += moment.hessian;
        }
        let value = leaf_value(sum, &self.soil.search.penalties, fresh.bounds);
        self.nodes.push(CodeNode { value, cover: (fresh.end - fresh.start) as f64, parting: None });
        self.ranges.push(fresh.start..fresh.end);
        (self.nodes.len() - 1) as u32
    }

    fn features(&mut self) -> Vec<usize> {
        let all = self.soil.features;
        let count = ((all.len() as f64 * self.shape.feature_share).round() as usize)
            .clamp(1, all.len().max(1));
        if count >= all.len() {
            return all.to_vec();
        }
        let mut picked = all.to_vec();
        for place in 0..count {
            let other = place + self.random.below(picked.len() - place);
            picked.swap(place, other);
        }
        picked.truncate(count);
        picked.sort_unstable();
        picked
    }

    /// Values below a monotone split stay on their side of the middle.
    fn bounds_below(&self, split: &Split, bounds: Bounds) -> [Bounds; 2] {
        let penalties = &self.soil.search.penalties;
        let middle = (leaf_value(split.left_sum, penalties, bounds)
            + leaf_value(split.right_sum, penalties, bounds))
            / 2.0;
        match self.soil.binned.features.get(split.feature).map(|feature| feature.monotone) {
            Some(Monotone::Rising) => {
                [Bounds { high: middle, ..bounds }, Bounds { low: middle, ..bounds }]
            }
            Some(Monotone::Falling) => {
                [Bounds { low: middle, ..bounds }, Bounds { high: middle, ..bounds }]
            }
            _ => [bounds, bounds],
        }
    }
}

/// Puts the rows that go left first, each side in its former order; returns how many go left.
fn part_rows(
    rows: &mut [u32],
    binned: &Binned,
    feature: usize,
    left: CodeSet,
    scratch: &mut Vec<u32>,
) -> usize {
    let goes_left = left.table();
    scratch.clear();
    let mut kept = 0;
    for at in 0..rows.len() {
        let row = rows[at];
        if goes_left[binned.code(row, feature) as usize] {
            rows[kept] = row;
            kept += 1;
        } else {
            scratch.push(row);
        }
    }
    rows[kept..].copy_from_slice(scratch);
    kept
}
