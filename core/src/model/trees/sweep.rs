//! The tables of the exact explanation: every tree's splits, level by level, eight trees a group.
//!
//! Method: path-dependent Shapley values as an integral over the chance `t` that a signal is known
//! (Owen's multilinear extension), by Gauss-Legendre quadrature, which is exact from ⌈k/2⌉ points on
//! where a path reads k different signals. `scoring::explain` sweeps over these tables.

use super::{Shape, ShapeNode};
use crate::model::file::packed::PackedTrees;
use crate::order::ordered;

/// Trees that are swept together.
const TREES: usize = 8;

pub(crate) struct Sweep {
    /// In rising number of points.
    pub groups: Vec<Group>,
    /// What the trees give on average, the base margin apart.
    pub usual: f64,
    /// Slots of the largest group.
    pub slots: usize,
    /// Answers that a row must have.
    pub answers: usize,
}

/// Some trees whose nodes share one array of slots; children stand next to each other.
#[derive(Default)]
pub(crate) struct Group {
    /// Quadrature points, in fours.
    pub fours: usize,
    pub roots: Vec<u32>,
    /// Splits above other splits, level by level.
    pub levels: Vec<Level>,
    /// Splits above two leaves, parted as those of a level are.
    pub first_pairs: Vec<Pair>,
    pub repeat_pairs: Vec<RepeatPair>,
    /// Leaves beside a split: slot and value.
    pub leaves: Vec<(u32, f32)>,
}

/// Splits that read their signal for the first time on their path, and the others.
#[derive(Default)]
pub(crate) struct Level {
    pub firsts: Vec<Entry>,
    pub repeats: Vec<Repeat>,
}

/// A split above at least one other split.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub answer: u32,
    pub slot: u32,
    /// Slot of the left child; the right one follows.
    pub child: u32,
    pub signal: u32,
    /// The share of the side that is not taken, by the answer.
    pub other: [f32; 2],
}

/// A split whose signal was read above.
#[derive(Clone, Copy)]
pub(crate) struct Repeat {
    pub entry: Entry,
    pub above: Above,
}

/// A split above two leaves.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub answer: u32,
    pub slot: u32,
    pub signal: u32,
    /// By the answer: the leaf that is taken, and what it is above the average of both.
    pub leaf: [f32; 2],
    pub gain: [f32; 2],
}

/// A pair whose signal was read above.
#[derive(Clone, Copy)]
pub(crate) struct RepeatPair {
    pub pair: Pair,
    pub above: Above,
}

/// Where a signal was read last on the path.
#[derive(Clone, Copy)]
pub(crate) struct Above {
    pub slot: u32,
    /// The answer there that leads here.
    pub side: u32,
    /// The product of the shares of all edges above that read the signal.
    pub share: f32,
}

impl Sweep {
    #[cfg_attr(target_arch = "wasm32", inline(never))] // apart: pages compile what they run
    pub fn new(packed: &PackedTrees, shape: &Shape, answers: usize) -> Sweep {
        let places = vec![Place::default(); shape.nodes.len()];
        let mut builder = Builder { packed, shape, places };
        let fours: Vec<usize> =
            (0..shape.depths.len()).map(|tree| builder.trace(tree).div_ceil(8)).collect();
        let trees = ordered(fours.len(), &|a, b| fours[a] < fours[b]);
        let mut sweep = Sweep { groups: Vec::new(), usual: 0.0, slots: 0, answers };
        for trees in trees.chunks(TREES) {
            let fours = trees.last().map_or(1, |&tree| fours[tree]);
            let (group, slots, usual) = builder.group(fours, trees);
            sweep.groups.push(group);
            sweep.slots = sweep.slots.max(slots);
            sweep.usual += usual;
        }
        sweep
    }
}

struct Builder<'a> {
    packed: &'a PackedTrees,
    shape: &'a Shape,
    /// Of each node.
    places: Vec<Place>,
}

/// Where a node stands in its tree and in its group.
#[derive(Clone, Copy, Default)]
struct Place {
    /// The split above (the node itself where it is the root), and the side of it that leads here.
    parent: usize,
    side: usize,
    /// How many splits and how many different signals are above.
    level: usize,
    signals: usize,
    slot: u32,
    /// The chance of reaching the node with nothing known.
    reach: f64,
    /// Of a split: the product of the shares of all edges above that read its signal.
    share: f64,
}

impl Builder<'_> {
    /// Notes how the nodes of a tree hang together, and says how many different signals the path
    /// reads that reads the most.
    fn trace(&mut self, tree: usize) -> usize {
        let nodes = self.shape.tree(tree);
        self.places[nodes.start].parent = nodes.start;
        let mut most = 1;
        for node in nodes {
            let ShapeNode::Split { right, split, .. } = self.shape.nodes[node] else { continue };
            let known = self.above(node, self.packed.signals[split as usize]).is_some();
            let Place { level, signals, .. } = self.places[node];
            let signals = signals + usize::from(!known);
            most = most.max(signals);
            for (side, child) in [node + 1, right as usize].into_iter().enumerate() {
                self.places[child] =
                    Place { parent: node, side, level: level + 1, signals, ..Place::default() };
            }
        }
        most
    }

    /// The nearest split above a node that reads a signal, with its number, and its side that leads here.
    fn above(&self, mut node: usize, signal: u16) -> Option<(usize, usize, usize)> {
        loop {
            let Place { parent, side, .. } = self.places[node];
            match self.shape.nodes[parent] {
                _ if parent == node => return None,
                ShapeNode::Split { split, .. } if self.packed.signals[split as usize] == signal => {
                    return Some((parent, split as usize, side));
                }
                _ => node = parent,
            }
        }
    }

    fn group(&mut self, fours: usize, trees: &[usize]) -> (Group, usize, f64) {
        let mut group = Group { fours, ..Group::default() };
        let (mut slots, mut usual) = (0u32, 0.0);
        for &tree in trees {
            let mut nodes = self.shape.tree(tree);
            if let ShapeNode::Leaf(value) = self.shape.nodes[nodes.start] {
                usual += value;
                continue;
            }
            group.roots.push(slots);
            let root = &mut self.places[nodes.start];
            (root.slot, root.reach) = (slots, 1.0);
            slots += 1;
            while let Some(node) = nodes.next() {
                let Place { slot, level, reach, .. } = self.places[node];
                let (answer, right, split) = match self.shape.nodes[node] {
                    ShapeNode::Split { answer, right, split } => {
                        (answer, right as usize, split as usize)
                    }
                    ShapeNode::Leaf(value) => {
                        usual += reach * value;
                        group.leaves.push((slot, value as f32));
                        continue;
                    }
                };
                let signal = self.packed.signals[split];
                let shares = self.packed.shares[split].sides();
                let mut so_far = 1.0;
                let above = self.above(node, signal).map(|(above, split, side)| {
                    let place = &self.places[above];
                    so_far = place.share * self.packed.shares[split].sides()[side];
                    Above { slot: place.slot, side: side as u32, share: so_far as f32 }
                });
                self.places[node].share = so_far;
                let signal = u32::from(signal);
                if let (ShapeNode::Leaf(l), ShapeNode::Leaf(r)) =
                    (self.shape.nodes[node + 1], self.shape.nodes[right])
                {
                    usual += reach * (shares[0] * l + shares[1] * r);
                    let gain = [(shares[1] * (l - r)) as f32, (shares[0] * (r - l)) as f32];
                    let pair = Pair { answer, slot, signal, leaf: [l as f32, r as f32], gain };
                    match above {
                        None => group.first_pairs.push(pair),
                        Some(above) => group.repeat_pairs.push(RepeatPair { pair, above }),
                    }
                    // Both leaves went into the pair.
                    nodes.start = right + 1;
                    continue;
                }
                let other = [shares[1] as f32, shares[0] as f32];
                let entry = Entry { answer, slot, child: slots, signal, other };
                if group.levels.len() <= level {
                    // A level holds splits only below those of the one above.
                    group.levels.push(Level::default());
                }
                match above {
                    None => group.levels[level].firsts.push(entry),
                    Some(above) => group.levels[level].repeats.push(Repeat { entry, above }),
                }
                for (child, share) in [node + 1, right].into_iter().zip(shares) {
                    let place = &mut self.places[child];
                    (place.slot, place.reach) = (slots, reach * share);
                    slots += 1;
                }
            }
        }
        (group, slots as usize, usual)
    }
}
