//! The walk from the roots to the leaves, eight trees at a time.
//!
//! Trees of up to eight levels are laid out complete: node `k` has the children `2k` and `2k + 1`,
//! each node is the number of an answer, and the answer is the step, so that nothing branches and
//! eight walks overlap. Four trees share a quad, node by node, so that one multiplied index finds
//! all four. Deeper trees walk over linked nodes, eight at a time as well.

use super::{Shape, ShapeNode};
use crate::order::ordered;

const LANES: usize = 8;
/// Trees whose nodes lie side by side.
const QUAD: usize = 4;
/// Levels up to which trees are laid out complete.
const MOST_COMPLETE: usize = 8;
/// Answers that complete trees can name.
pub(crate) const NAMED: usize = 1 << 16;

pub(crate) struct Walk {
    /// In rising depth.
    packs: Vec<Pack>,
    /// Of complete trees: the answer that each node asks for, from node 1 on.
    nodes: Vec<[u16; QUAD]>,
    leaves: Vec<[f32; QUAD]>,
    /// What rounding the leaves to `f32` lost; empty where nothing was.
    lost: Vec<[f32; QUAD]>,
    linked: Vec<Linked>,
    linked_values: Vec<f64>,
}

/// Eight trees; where there were fewer, the others are a leaf of 0.
enum Pack {
    /// Two quads of `1 << depth` nodes and as many leaves from `start` on.
    Complete {
        depth: u32,
        start: usize,
    },
    Linked {
        roots: [u32; LANES],
        depth: usize,
    },
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
            nodes: vec![],
            leaves: vec![],
            lost: vec![],
            linked: vec![],
            linked_values: vec![],
        };
        let depths = &shape.depths;
        // Where each node of the shape came to lie.
        let mut places = vec![0; shape.nodes.len()];
        let order = ordered(depths.len(), &|a, b| depths[a] < depths[b]);
        for trees in order.chunks(LANES) {
            let depth = trees.last().map_or(0, |&tree| shape.depths[tree]);
            let pack = if depth <= MOST_COMPLETE && answers <= NAMED {
                walk.complete(shape, trees, depth, &mut places)
            } else {
                walk.link(shape, trees, depth, &mut places)
            };
            walk.packs.push(pack);
        }
        if walk.lost.iter().flatten().all(|&lost| lost == 0.0) {
            walk.lost = Vec::new();
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
                Pack::Complete { depth, start } => {
                    let range = start..start + (2 << depth);
                    let (Some(named), Some(nodes), Some(leaves)) = (
                        answers.first_chunk(),
                        self.nodes.get(range.clone()),
                        self.leaves.get(range.clone()),
                    ) else {
                        continue;
                    };
                    let places = walk(named, nodes, depth);
                    // SAFETY: `walk` adds one bit a level; the ranges hold two quads each.
                    unsafe {
                        add(leaves, depth, places, &mut sums);
                        if let Some(lost) = self.lost.get(range) {
                            add(lost, depth, places, &mut sums);
                        }
                    }
                }
                Pack::Linked { roots, depth } => self.follow(roots, depth, answers, &mut sums),
            }
        }
        sums.iter().sum()
    }

    #[cfg_attr(target_arch = "wasm32", inline(never))] // apart: pages compile what they run
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

    fn complete(
        &mut self,
        shape: &Shape,
        trees: &[usize],
        depth: usize,
        places: &mut [u32],
    ) -> Pack {
        let start = self.nodes.len();
        let end = start + (2 << depth);
        self.nodes.resize(end, [0; QUAD]);
        self.leaves.resize(end, [0.0; QUAD]);
        self.lost.resize(end, [0.0; QUAD]);
        for (lane, &tree) in trees.iter().enumerate() {
            let (start, lane) = (start + ((lane / QUAD) << depth), lane % QUAD);
            places[shape.starts[tree]] = 1;
            for node in shape.tree(tree) {
                let place = places[node];
                match shape.nodes[node] {
                    ShapeNode::Leaf(value) => {
                        // "No" all the way down: a place has one bit more than levels above it.
                        let leaf = place << (depth as u32 - place.ilog2());
                        let leaf = start + leaf as usize - (1 << depth);
                        let near = value as f32;
                        self.leaves[leaf][lane] = near;
                        self.lost[leaf][lane] = (value - f64::from(near)) as f32;
                    }
                    ShapeNode::Split { answer, right, .. } => {
                        self.nodes[start + place as usize][lane] = answer as u16;
                        places[node + 1] = 2 * place;
                        places[right as usize] = 2 * place + 1;
                    }
                }
            }
        }
        Pack::Complete { depth: depth as u32, start }
    }

    #[cfg_attr(target_arch = "wasm32", inline(never))] // apart: pages compile what they run
    fn link(&mut self, shape: &Shape, trees: &[usize], depth: usize, places: &mut [u32]) -> Pack {
        let mut roots = [self.leaf(0.0); LANES];
        for (root, &tree) in roots.iter_mut().zip(trees) {
            *root = self.leaf(0.0);
            places[shape.starts[tree]] = *root;
            for node in shape.tree(tree) {
                let place = places[node] as usize;
                match shape.nodes[node] {
                    ShapeNode::Leaf(value) => self.linked_values[place] = value,
                    ShapeNode::Split { answer, right, .. } => {
                        let child = self.leaf(0.0);
                        self.leaf(0.0);
                        self.linked[place] = Linked { answer, child };
                        places[node + 1] = child;
                        places[right as usize] = child + 1;
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

/// Does the same for every lane, written out eight times: the build for pages unrolls no loop.
macro_rules! each_lane {
    (|$lane:ident| $work:expr) => {
        each_lane!(@ $lane $work; 0 1 2 3 4 5 6 7)
    };
    (@ $lane:ident $work:expr; $($number:literal)*) => {
        $({
            const $lane: usize = $number;
            $work
        })*
    };
}

/// Where eight complete trees lead, as node numbers of the level below the last. `nodes` are two
/// quads of `1 << depth`.
#[inline(always)]
fn walk(answers: &[bool; NAMED], nodes: &[[u16; QUAD]], depth: u32) -> [usize; LANES] {
    let mut places = [1usize; LANES];
    let quads = nodes.split_at(1 << depth);
    for _ in 0..depth {
        each_lane!(|LANE| {
            let quad = if LANE < QUAD { quads.0 } else { quads.1 };
            // SAFETY: a place has one bit more than levels were walked, at most `depth` bits here,
            // and a quad holds `1 << depth` nodes.
            let answer = unsafe { quad.get_unchecked(places[LANE]) }[LANE % QUAD];
            places[LANE] = places[LANE] << 1 | usize::from(answers[usize::from(answer)]);
        });
    }
    places
}

/// Adds the leaves at the places that [`walk`] gives.
///
/// # Safety
/// Every place has exactly the bit `1 << depth` and lower ones; `leaves` are two quads of
/// `1 << depth`.
#[inline(always)]
unsafe fn add(leaves: &[[f32; QUAD]], depth: u32, places: [usize; LANES], sums: &mut [f64; LANES]) {
    let quads = leaves.split_at(1 << depth);
    each_lane!(|LANE| {
        let quad = if LANE < QUAD { quads.0 } else { quads.1 };
        let leaf = unsafe { quad.get_unchecked(places[LANE] - (1 << depth)) };
        sums[LANE] += f64::from(leaf[LANE % QUAD]);
    });
}
