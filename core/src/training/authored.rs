//! Trees over codes become trees over values.

use super::bins::{Binned, FeatureKind};
use super::grow::{CodeTree, Parting};
use super::table::Table;
use crate::model::{LevelSet, Node, Rule, Signal, SignalKind, Tree, TreeModel};

/// The mean of several boostings as one model, over the signals that some tree reads. The levels of
/// its categories are those with a code of their own: rare ones count as unseen.
#[must_use]
pub fn mean_model(table: &Table, binned: &Binned, boosted: &[(f64, &[CodeTree])]) -> TreeModel {
    let share = 1.0 / boosted.len().max(1) as f64;
    let all = || boosted.iter().flat_map(|(_, trees)| trees.iter());
    let mut used = vec![false; binned.features.len()];
    for parting in all().flat_map(|tree| &tree.nodes).filter_map(|node| node.parting.as_ref()) {
        used[parting.feature] = true;
    }
    let mut place = vec![0_u16; used.len()];
    let mut signals = Vec::new();
    for (feature, _) in used.iter().enumerate().filter(|(_, used)| **used) {
        place[feature] = signals.len() as u16;
        signals.push(signal(&table.columns[feature].signal, &binned.features[feature].kind));
    }
    let base_margin = boosted.iter().map(|(base, _)| base * share).sum();
    let trees = all().map(|code_tree| tree(code_tree, binned, &place, share)).collect();
    TreeModel { signals, trees, base_margin }
}

fn signal(whole: &Signal, kind: &FeatureKind) -> Signal {
    let kind = match (&whole.kind, kind) {
        (SignalKind::Category { levels: names }, FeatureKind::Levels { levels }) => {
            SignalKind::Category {
                levels: levels
                    .iter()
                    .filter_map(|&level| names.get(level as usize).cloned())
                    .collect(),
            }
        }
        (kind, _) => kind.clone(),
    };
    Signal { kind, ..whole.clone() }
}

fn tree(tree: &CodeTree, binned: &Binned, place: &[u16], share: f64) -> Tree {
    let node = |node: &super::grow::CodeNode| match &node.parting {
        None => Node::Leaf { value: node.value * share, cover: node.cover },
        Some(parting) => Node::Split {
            signal: place[parting.feature],
            rule: rule(parting, &binned.features[parting.feature].kind),
            missing_left: parting.left.contains(0),
            left: parting.children[0],
            right: parting.children[1],
            cover: node.cover,
        },
    };
    Tree { nodes: tree.nodes.iter().map(node).collect() }
}

fn rule(parting: &Parting, kind: &FeatureKind) -> Rule {
    match kind {
        FeatureKind::Ordered { cuts } => {
            let last = (1..=255_u8).take_while(|&code| parting.left.contains(code)).count();
            let cut = match last.checked_sub(1) {
                Some(at) => cuts.get(at).copied().unwrap_or(f32::MAX),
                None => f32::MIN,
            };
            Rule::AtMost(f64::from(cut))
        }
        FeatureKind::Levels { levels } => {
            let mut set = LevelSet::default();
            (0..levels.len())
                .filter(|&level| parting.left.contains((level + 1) as u8))
                .for_each(|level| set.insert(level));
            Rule::OneOf { levels: set, other_left: parting.left.contains((levels.len() + 1) as u8) }
        }
    }
}
