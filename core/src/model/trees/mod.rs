//! Tree models as they are computed: the answers of a row, the walk to the leaves, and the tables
//! of the sweep that explains.

mod door;
mod sweep;
mod walk;

pub(crate) use door::{Door, STAGED};
pub(crate) use sweep::{Entry, Group, Repeat, RepeatPair, Sweep};
pub(crate) use walk::{NAMED, Walk};

use core::ops::Range;

use super::file::packed::PackedTrees;
use super::{Signal, Tables};

/// A tree model, ready to compute.
pub(crate) struct Forest {
    pub door: Door,
    pub walk: Walk,
    /// Absent where the file has no covers, and where only scores are wanted.
    pub sweep: Option<Sweep>,
    pub base_margin: f64,
}

impl Forest {
    pub fn new(packed: &PackedTrees, signals: &[Signal], tables: Tables) -> Forest {
        let door = Door::new(&packed.questions, signals);
        let shape = Shape::new(packed, &door);
        let covered = !packed.shares.is_empty() || packed.indices.is_empty();
        Forest {
            walk: Walk::new(&shape, door.answers()),
            sweep: (covered && tables == Tables::All)
                .then(|| Sweep::new(packed, &shape, door.answers())),
            door,
            base_margin: packed.base_margin,
        }
    }
}

/// The nodes of all trees in preorder: a left child stands right behind its parent.
pub(crate) struct Shape {
    pub nodes: Vec<ShapeNode>,
    /// Where each tree starts, and the end.
    pub starts: Vec<usize>,
    /// Splits from each tree's root to its deepest leaf.
    pub depths: Vec<usize>,
}

#[derive(Clone, Copy)]
pub(crate) enum ShapeNode {
    Leaf(f64),
    Split {
        /// Number of the answer that decides: "no" goes left.
        answer: u32,
        right: u32,
        /// Number of the split in the file's columns.
        split: u32,
    },
}

impl Shape {
    fn new(packed: &PackedTrees, door: &Door) -> Shape {
        let mut nodes: Vec<ShapeNode> = Vec::with_capacity(packed.splits.len());
        let (mut starts, mut depths) = (vec![0], vec![]);
        // Splits whose right side is still to come, and how deep it starts.
        let mut open: Vec<(usize, usize)> = Vec::new();
        let (mut depth, mut deepest, mut split) = (0, 0, 0);
        for &splits in &packed.splits {
            if splits {
                let answer = door.answer(packed.signals[split], packed.indices[split]);
                depth += 1;
                deepest = deepest.max(depth);
                open.push((nodes.len(), depth));
                nodes.push(ShapeNode::Split { answer, right: 0, split: split as u32 });
                split += 1;
                continue;
            }
            nodes.push(ShapeNode::Leaf(packed.leaf(depths.len(), nodes.len() - split)));
            let next = nodes.len();
            match open.pop() {
                Some((parent, parent_depth)) => {
                    if let Some(ShapeNode::Split { right, .. }) = nodes.get_mut(parent) {
                        *right = next as u32;
                    }
                    depth = parent_depth;
                }
                None => {
                    starts.push(next);
                    depths.push(deepest);
                    (depth, deepest) = (0, 0);
                }
            }
        }
        Shape { nodes, starts, depths }
    }

    /// The numbers of a tree's nodes.
    pub fn tree(&self, tree: usize) -> Range<usize> {
        self.starts[tree]..self.starts[tree + 1]
    }
}
