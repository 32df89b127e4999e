//! From the image of a file back to the authored form.

use super::packed::{Packed, PackedKind, PackedTrees, Questions, set_bytes};
use crate::model::{
    AdditiveModel, Kind, LeadModel, LevelSet, Node, Rule, Signal, SignalKind, Tree, TreeModel,
};

pub fn unpack(packed: Packed) -> LeadModel {
    let signals = packed.signals;
    let kind = match packed.kind {
        PackedKind::Trees(trees) => Kind::Trees(unpack_trees(trees, signals)),
        PackedKind::Points(model) => Kind::Points(AdditiveModel { signals, ..model }),
        PackedKind::Logistic(model) => Kind::Logistic(AdditiveModel { signals, ..model }),
    };
    LeadModel {
        name: packed.name,
        kind,
        calibration: packed.calibration,
        scale: packed.scale,
        bands: packed.bands,
        wanted_fpr: packed.wanted_fpr,
        packing: packed.packing,
    }
}

fn unpack_trees(packed: PackedTrees, signals: Vec<Signal>) -> TreeModel {
    let (mut next_leaf, mut next_split) = (0, 0);
    let mut trees = Vec::with_capacity(packed.trees);
    let mut nodes = Vec::new();
    // Parents whose right child is still to come, and the weight that goes there.
    let mut open: Vec<(usize, f64)> = Vec::new();
    let mut cover = if packed.shares.is_empty() { 0.0 } else { 1.0 };
    let whole = cover;
    for &splits in &packed.splits {
        let at = nodes.len();
        if splits {
            let signal = packed.signals[next_split];
            let (rule, missing_left) =
                rule(&packed, &signals, signal, usize::from(packed.indices[next_split]));
            nodes.push(Node::Split {
                signal,
                rule,
                missing_left,
                left: at as u32 + 1,
                right: 0,
                cover,
            });
            let [left, right] =
                packed.shares.get(next_split).map_or([0.0, 0.0], |share| share.sides());
            open.push((at, cover * right));
            cover *= left;
            next_split += 1;
            continue;
        }
        nodes.push(Node::Leaf { value: packed.leaf(trees.len(), next_leaf), cover });
        next_leaf += 1;
        match open.pop() {
            Some((parent, weight)) => {
                if let Some(Node::Split { right, .. }) = nodes.get_mut(parent) {
                    *right = at as u32 + 1;
                }
                cover = weight;
            }
            None => {
                trees.push(Tree { nodes: std::mem::take(&mut nodes) });
                cover = whole;
            }
        }
    }
    TreeModel { signals, trees, base_margin: packed.base_margin }
}

fn rule(packed: &PackedTrees, signals: &[Signal], signal: u16, index: usize) -> (Rule, bool) {
    match &packed.questions[usize::from(signal)] {
        Questions::Above(cuts) => (Rule::AtMost(cuts.values[index]), index < cuts.missing_no),
        Questions::Outside { bits, .. } => {
            let levels = match &signals[usize::from(signal)].kind {
                SignalKind::Category { levels } => levels.len(),
                _ => 0,
            };
            let size = set_bytes(levels);
            let bits = &bits[index * size..][..size];
            let left = |at: usize| bits[at / 8] >> (at % 8) & 1 == 0;
            let mut set = LevelSet::default();
            (0..levels).filter(|&level| left(level)).for_each(|level| set.insert(level));
            (Rule::OneOf { levels: set, other_left: left(levels) }, left(levels + 1))
        }
    }
}
