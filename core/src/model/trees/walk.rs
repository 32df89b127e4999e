//! The walk from the roots to the leaves, eight trees at a time.
//!
//! Trees of up to eight levels are laid out complete: node `k` has the children `2k` and `2k + 1`,
//! each node is the number of an answer, and the answer is the step, so that nothing branches and
//! eight walks overlap. Deeper trees walk over linked nodes, eight at a time as well.

use super::{Shape, ShapeNode};
use crate::order::ordered;

const LANES: usize = 8;
/// Levels up to which trees are laid out complete.
const MOST_COMPLETE: usize = 8;
/// Answers that complete trees can name.
pub(crate) const NAMED: usize = 1 << 16;

pub(crate) struct Walk {
    /// In rising depth.
    packs: Vec<Pack>,
    /// Of complete trees: the answer that each node asks for, from index 1 on.
    answers: Vec<u16>,
    leaves: Vec<f64>,
    linked: Vec<Linked>,
    linked_values: Vec<f64>,
}

/// Eight trees; where there were fewer, the others are a leaf of 0.
enum Pack {
    Complete { depth: usize, answers: usize, leaves: usize },
    Linked { roots: [u32; LANES], depth: usize },
}

/// A node of a deep tree: the "no" child, next to which the "yes" child stands. A leaf asks
/// answer 0, which is always "no", and is its own child.
#[derive(Clone, Copy)]
struct Linked {
    answer: u32,
    child: u32,
}

impl Walk {
    pub fn new(shape: &Shape, answers: usize) -> Walk {
        let mut walk = Walk {
            packs: vec![],
            answers: vec![],
            leaves: vec![],
            linked: vec![],
            linked_values: vec![],
        };
        let depths = &shape.depths;
        let order = ordered(depths.len(), &|a, b| depths[a] < depths[b]);
        for trees in order.chunks(LANES) {
            let depth = trees.last().map_or(0, |&tree| shape.depths[tree]).max(1);
            let pack = if depth <= MOST_COMPLETE && answers <= NAMED {
                walk.complete(shape, trees, depth)
            } else {
                walk.link(shape, trees, depth)
            };
            walk.packs.push(pack);
        }
        walk
    }

    /// The sum of the leaves that a row reaches: each lane adds its trees in order, then the lanes
    /// are added in order, so that every host rounds alike.
    #[inline]
    pub fn sum(&self, answers: &[bool]) -> f64 {
        let mut sums = [0.0; LANES];
        for pack in &self.packs {
            match *pack {
                Pack::Complete { depth, answers: from, leaves } => {
                    let (Some(named), Some(nodes), Some(leaves)) = (
                        answers.first_chunk::<NAMED>(),
                        self.answers.get(from..from + (LANES << depth)),
                        self.leaves.get(leaves..leaves + (LANES << depth)),
                    ) else {
                        continue;
                    };
                    match depth {
                        1 => step::<1>(named, nodes, leaves, &mut sums),
                        2 => step::<2>(named, nodes, leaves, &mut sums),
                        3 => step::<3>(named, nodes, leaves, &mut sums),
                        4 => step::<4>(named, nodes, leaves, &mut sums),
                        5 => step::<5>(named, nodes, leaves, &mut sums),
                        6 => step::<6>(named, nodes, leaves, &mut sums),
                        7 => step::<7>(named, nodes, leaves, &mut sums),
                        _ => step::<8>(named, nodes, leaves, &mut sums),
                    }
                }
                Pack::Linked { roots, depth } => self.follow(roots, depth, answers, &mut sums),
            }
        }
        sums.iter().sum()
    }

    fn follow(&self, roots: [u32; LANES], depth: usize, answers: &[bool], sums: &mut [f64; LANES]) {
        let mut at = roots;
        for _ in 0..depth {
            let before = at;
            for at in &mut at {
                if let Some(node) = self.linked.get(*at as usize) {
                    let yes = answers.get(node.answer as usize).copied().unwrap_or_default();
                    *at = node.child + u32::from(yes);
                }
            }
            if at == before {
                break;
            }
        }
        for (sum, at) in sums.iter_mut().zip(at) {
            *sum += self.linked_values.get(at as usize).copied().unwrap_or_default();
        }
    }

    fn complete(&mut self, shape: &Shape, trees: &[usize], depth: usize) -> Pack {
        let (answers, leaves) = (self.answers.len(), self.leaves.len());
        self.answers.resize(answers + (LANES << depth), 0);
        self.leaves.resize(leaves + (LANES << depth), 0.0);
        for (lane, &tree) in trees.iter().enumerate() {
            let (answers, leaves) = (answers + (lane << depth), leaves + (lane << depth));
            // Node of the shape, place in the complete tree, levels still below it.
            let mut open = vec![(shape.starts[tree], 1usize, depth)];
            while let Some((node, place, below)) = open.pop() {
                match shape.nodes[node] {
                    ShapeNode::Leaf(value) => {
                        let leaf = (place << below) - (1 << depth);
                        self.leaves[leaves + leaf] = value;
                    }
                    ShapeNode::Split { answer, right, .. } => {
                        self.answers[answers + place] = answer as u16;
                        open.push((node + 1, 2 * place, below - 1));
                        open.push((right as usize, 2 * place + 1, below - 1));
                    }
                }
            }
        }
        Pack::Complete { depth, answers, leaves }
    }

    fn link(&mut self, shape: &Shape, trees: &[usize], depth: usize) -> Pack {
        let mut roots = [self.leaf(0.0); LANES];
        for (root, &tree) in roots.iter_mut().zip(trees) {
            *root = self.leaf(0.0);
            let mut open = vec![(shape.starts[tree], *root)];
            while let Some((node, at)) = open.pop() {
                match shape.nodes[node] {
                    ShapeNode::Leaf(value) => self.linked_values[at as usize] = value,
                    ShapeNode::Split { answer, right, .. } => {
                        let child = self.leaf(0.0);
                        self.leaf(0.0);
                        self.linked[at as usize] = Linked { answer, child };
                        open.push((right as usize, child + 1));
                        open.push((node + 1, child));
                    }
                }
            }
        }
        Pack::Linked { roots, depth }
    }

    fn leaf(&mut self, value: f64) -> u32 {
        let at = self.linked.len() as u32;
        self.linked.push(Linked { answer: 0, child: at });
        self.linked_values.push(value);
        at
    }
}

#[inline(always)]
fn step<const DEPTH: usize>(
    answers: &[bool; NAMED],
    nodes: &[u16],
    leaves: &[f64],
    sums: &mut [f64; LANES],
) {
    let mut places = [1usize; LANES];
    for _ in 0..DEPTH {
        for (lane, place) in places.iter_mut().enumerate() {
            let answer = nodes[(lane << DEPTH) + *place];
            *place = *place << 1 | usize::from(answers[usize::from(answer)]);
        }
    }
    for (lane, (sum, place)) in sums.iter_mut().zip(places).enumerate() {
        *sum += leaves[(lane << DEPTH) + place - (1 << DEPTH)];
    }
}
