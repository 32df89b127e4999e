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
    /// Splits above other splits: level by level, of each level those that read their signal for
    /// the first time on their path, then the others.
    pub firsts: Vec<Entry>,
    pub repeats: Vec<Repeat>,
    /// Where each level ends in `firsts` and `repeats`.
    pub levels: Vec<(u32, u32)>,
    /// Splits above two leaves, likewise.
    pub first_pairs: Vec<Pair>,
    pub repeat_pairs: Vec<RepeatPair>,
    /// Leaves beside a split: slot and value.
    pub leaves: Vec<(u32, f32)>,
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
    pub fn new(packed: &PackedTrees, shape: &Shape, answers: usize) -> Sweep {
        let mut builder = Builder { packed, shape, path: Vec::new() };
        let fours: Vec<usize> =
            (0..shape.depths.len()).map(|tree| builder.most_signals(tree).div_ceil(8)).collect();
        let trees = ordered(fours.len(), &|a, b| fours[a] < fours[b]);
        let mut sweep = Sweep { groups: Vec::new(), usual: 0.0, slots: 0, answers };
        for trees in trees.chunks(TREES) {
            let fours = trees.last().map_or(1, |&tree| fours[tree]);
            let (group, slots, usual) = builder.group(fours, trees.iter().copied());
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
    /// The splits from the root to the node at hand.
    path: Vec<Edge>,
}

/// A split on the path, and which side was taken.
#[derive(Clone, Copy)]
struct Edge {
    signal: u16,
    slot: u32,
    side: u32,
    /// The product of the shares of the edges so far that read this signal.
    share: f64,
}

/// A node that is still to be laid out.
struct Open {
    node: usize,
    slot: u32,
    level: usize,
    /// The edge that leads here.
    edge: Option<Edge>,
    /// The chance of reaching the node with nothing known.
    reach: f64,
}

impl Builder<'_> {
    /// The most different signals on any path of a tree.
    fn most_signals(&mut self, tree: usize) -> usize {
        let mut path: Vec<u16> = Vec::new();
        // Nodes with the length of the path to them and how many different signals it reads.
        let mut open = vec![(self.shape.starts[tree], 0usize, 0usize)];
        let mut most = 1;
        while let Some((node, depth, different)) = open.pop() {
            path.truncate(depth);
            most = most.max(different);
            if let ShapeNode::Split { right, split, .. } = self.shape.nodes[node] {
                let signal = self.packed.signals[split as usize];
                let different = different + usize::from(!path.contains(&signal));
                path.push(signal);
                open.push((right as usize, depth + 1, different));
                open.push((node + 1, depth + 1, different));
            }
        }
        most
    }

    fn group(&mut self, fours: usize, trees: impl Iterator<Item = usize>) -> (Group, usize, f64) {
        let mut group = Group { fours, ..Group::default() };
        let mut levels: Vec<(Vec<Entry>, Vec<Repeat>)> = Vec::new();
        let (mut slots, mut usual) = (0u32, 0.0);
        for tree in trees {
            let root = self.shape.starts[tree];
            if let ShapeNode::Leaf(value) = self.shape.nodes[root] {
                usual += value;
                continue;
            }
            group.roots.push(slots);
            let mut open = vec![Open { node: root, slot: slots, level: 0, edge: None, reach: 1.0 }];
            slots += 1;
            while let Some(Open { node, slot, level, edge, reach }) = open.pop() {
                self.path.truncate(level.saturating_sub(1));
                self.path.extend(edge);
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
                let before = self.path.iter().rev().find(|edge| edge.signal == signal);
                let so_far = before.map_or(1.0, |edge| edge.share);
                let above = before.map(|edge| Above {
                    slot: edge.slot,
                    side: edge.side,
                    share: edge.share as f32,
                });
                if let (ShapeNode::Leaf(l), ShapeNode::Leaf(r)) =
                    (self.shape.nodes[node + 1], self.shape.nodes[right])
                {
                    usual += reach * (shares[0] * l + shares[1] * r);
                    let gain = [(shares[1] * (l - r)) as f32, (shares[0] * (r - l)) as f32];
                    let pair = Pair {
                        answer,
                        slot,
                        signal: u32::from(signal),
                        leaf: [l as f32, r as f32],
                        gain,
                    };
                    match above {
                        None => group.first_pairs.push(pair),
                        Some(above) => group.repeat_pairs.push(RepeatPair { pair, above }),
                    }
                    continue;
                }
                let other = [shares[1] as f32, shares[0] as f32];
                let entry = Entry { answer, slot, child: slots, signal: u32::from(signal), other };
                if levels.len() <= level {
                    levels.resize_with(level + 1, Default::default);
                }
                match above {
                    None => levels[level].0.push(entry),
                    Some(above) => levels[level].1.push(Repeat { entry, above }),
                }
                for (side, node) in [(1usize, right), (0, node + 1)] {
                    let edge =
                        Edge { signal, slot, side: side as u32, share: so_far * shares[side] };
                    open.push(Open {
                        node,
                        slot: slots + side as u32,
                        level: level + 1,
                        edge: Some(edge),
                        reach: reach * shares[side],
                    });
                }
                slots += 2;
            }
            self.path.clear();
        }
        for (firsts, repeats) in levels {
            group.firsts.extend(firsts);
            group.repeats.extend(repeats);
            group.levels.push((group.firsts.len() as u32, group.repeats.len() as u32));
        }
        (group, slots as usize, usual)
    }
}
