//! From the authored form to the image of a file.

use std::collections::BTreeMap;

use super::packed::{
    Cuts, Packed, PackedKind, PackedLeaves, PackedTrees, Questions, set_bytes, step_scale,
};
use super::share::Share;
use super::{EncodeError, MOST_DEPTH};
use crate::model::{
    AdditiveModel, Effect, Group, Kind, LeadModel, Leaves, LevelHash, Node, Packing, Rule, Signal,
    SignalKind, Tree, TreeModel, bounded,
};

const MOST_SIGNALS: usize = 1 << 16;
const MOST_LEVELS: usize = 1 << 24;
const MOST_QUESTIONS: usize = u16::MAX as usize;
const MOST_NODES: usize = 1 << 26;

pub fn pack(model: &LeadModel) -> Result<Packed, EncodeError> {
    model.calibration.check()?;
    let bands = model.bands;
    if !(0.0 <= bands.not_below
        && bands.not_below <= bands.qualified_from
        && bands.qualified_from.is_finite())
    {
        return Err(EncodeError::Bands {
            not_below: bands.not_below.to_string(),
            qualified_from: bands.qualified_from.to_string(),
        });
    }
    check_text(&model.name)?;
    check_signals(model.signals())?;
    let mut packing = model.packing;
    let kind = match &model.kind {
        Kind::Trees(trees) => {
            packing.covers &= trees.trees.iter().any(has_covers);
            PackedKind::Trees(pack_trees(trees, packing)?)
        }
        Kind::Points(additive) => PackedKind::Points(check_additive(additive)?),
        Kind::Logistic(additive) => PackedKind::Logistic(check_additive(additive)?),
    };
    Ok(Packed {
        name: model.name.clone(),
        calibration: model.calibration.clone(),
        scale: model.scale.clone(),
        bands,
        wanted_fpr: model.wanted_fpr,
        packing,
        signals: model.signals().to_vec(),
        kind,
    })
}

fn check_text(text: &str) -> Result<(), EncodeError> {
    if text.len() < 1 << 16 {
        return Ok(());
    }
    Err(EncodeError::LongText { start: text.chars().take(40).collect() })
}

fn at_most(what: &'static str, found: usize, most: usize) -> Result<(), EncodeError> {
    if found <= most { Ok(()) } else { Err(EncodeError::TooMany { what, found, most }) }
}

fn check_signals(signals: &[Signal]) -> Result<(), EncodeError> {
    at_most("signals", signals.len(), MOST_SIGNALS)?;
    for signal in signals {
        check_text(&signal.name)?;
        let SignalKind::Category { levels } = &signal.kind else { continue };
        at_most("levels of one category", levels.len(), MOST_LEVELS)?;
        let mut seen = BTreeMap::new();
        for level in levels {
            check_text(level)?;
            if let Some(other) = seen.insert(LevelHash::of(level), level) {
                return Err(EncodeError::LevelsCollide {
                    signal: signal.name.clone(),
                    a: other.clone(),
                    b: level.clone(),
                });
            }
        }
    }
    Ok(())
}

fn check_additive(model: &AdditiveModel) -> Result<AdditiveModel, EncodeError> {
    at_most("groups", model.groups.len(), 1 << 16)?;
    if !bounded(model.bias) {
        return Err(EncodeError::NotFinite { place: "the bias".to_owned() });
    }
    for (index, group) in model.groups.iter().enumerate() {
        check_group(model, index, group)?;
    }
    Ok(AdditiveModel { signals: Vec::new(), ..model.clone() })
}

fn check_group(model: &AdditiveModel, index: usize, group: &Group) -> Result<(), EncodeError> {
    at_most("terms of one group", group.terms.len(), 1 << 16)?;
    let wrong = |term, what| Err(EncodeError::Term { group: index, term, what });
    if group.at_least.partial_cmp(&group.at_most).is_none_or(|order| order.is_gt()) {
        return wrong(0, "the group's lower cap is above its upper one");
    }
    let players = group.players().len();
    if group.is_capped() && players > Group::MOST_CAPPED_SIGNALS {
        return Err(EncodeError::TooMany {
            what: "signals under one cap",
            found: players,
            most: Group::MOST_CAPPED_SIGNALS,
        });
    }
    for (at, term) in group.terms.iter().enumerate() {
        let Some(signal) = model.signals.get(usize::from(term.signal)) else {
            return wrong(at, "the term reads a signal that the model does not declare");
        };
        if !(bounded(term.missing) && bounded(term.usual)) {
            return wrong(at, "the points are not numbers up to 1e15");
        }
        let (fits, finite) = match (&term.effect, &signal.kind) {
            (Effect::Levels { points, other }, SignalKind::Category { levels }) => (
                points.len() == levels.len(),
                points.iter().chain([other]).all(|points| bounded(*points)),
            ),
            (Effect::Levels { .. }, _) | (_, SignalKind::Category { .. }) => (false, true),
            (Effect::PerUnit { points, from, to }, _) => (from <= to, bounded(*points)),
            (Effect::Steps(steps), _) => (
                steps.len() < 1 << 16 && steps.windows(2).all(|pair| pair[0].from < pair[1].from),
                steps.iter().all(|step| bounded(step.points) && !step.from.is_nan()),
            ),
        };
        if !fits {
            return wrong(
                at,
                "the effect does not fit the signal: levels of categories, rising steps and ranges of numbers",
            );
        }
        if !finite {
            return wrong(at, "the points are not numbers up to 1e15");
        }
    }
    Ok(())
}

fn has_covers(tree: &Tree) -> bool {
    tree.nodes.iter().any(|node| match node {
        Node::Leaf { cover, .. } | Node::Split { cover, .. } => *cover > 0.0,
    })
}

/// One question as it is collected: bits or cut, by what the signal is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    /// Whether a missing value answers "yes", and the cut in an order-keeping form.
    Above {
        missing_yes: bool,
        cut: OrderedCut,
    },
    Outside(Vec<u8>),
}

#[derive(Clone, Copy, PartialEq)]
struct OrderedCut(f64);
impl Eq for OrderedCut {}
impl PartialOrd for OrderedCut {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for OrderedCut {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

fn pack_trees(model: &TreeModel, packing: Packing) -> Result<PackedTrees, EncodeError> {
    if !bounded(model.base_margin) {
        return Err(EncodeError::NotFinite { place: "the base margin".to_owned() });
    }
    at_most("nodes", model.trees.iter().map(|tree| tree.nodes.len()).sum(), MOST_NODES)?;
    let mut walk = Walk {
        signals: &model.signals,
        packing,
        asked: vec![BTreeMap::new(); model.signals.len()],
        splits: Vec::new(),
        questions: Vec::new(),
        shares: Vec::new(),
        leaves: Vec::new(),
    };
    for (index, tree) in model.trees.iter().enumerate() {
        walk.tree(index, tree)?;
    }
    for asked in &mut walk.asked {
        at_most("different splits on one signal", asked.len(), MOST_QUESTIONS)?;
        asked.values_mut().enumerate().for_each(|(rank, index)| *index = rank as u16);
    }
    let indices = walk
        .questions
        .iter()
        .map(|(signal, question)| walk.asked[usize::from(*signal)][question])
        .collect();
    Ok(PackedTrees {
        base_margin: model.base_margin,
        questions: walk
            .asked
            .iter()
            .zip(&model.signals)
            .map(|(asked, signal)| column(asked, signal))
            .collect(),
        splits: walk.splits,
        trees: model.trees.len(),
        signals: walk.questions.iter().map(|(signal, _)| *signal).collect(),
        indices,
        shares: walk.shares,
        leaves: pack_leaves(&walk.leaves, packing.leaves),
    })
}

struct Walk<'a> {
    signals: &'a [Signal],
    packing: Packing,
    asked: Vec<BTreeMap<Question, u16>>,
    splits: Vec<bool>,
    questions: Vec<(u16, Question)>,
    shares: Vec<Share>,
    leaves: Vec<Vec<f64>>,
}

impl Walk<'_> {
    fn tree(&mut self, index: usize, tree: &Tree) -> Result<(), EncodeError> {
        let wrong = |node, what| EncodeError::Tree { tree: index, node, what };
        let mut leaves = Vec::new();
        let mut visited = 0;
        let mut open = vec![(0usize, 0usize)];
        while let Some((at, depth)) = open.pop() {
            visited += 1;
            if visited > tree.nodes.len() {
                return Err(wrong(at, "a node has two parents"));
            }
            if depth > MOST_DEPTH {
                return Err(wrong(at, "the tree is deeper than 200 splits: limit the depth"));
            }
            match tree.nodes.get(at) {
                None => return Err(wrong(at, "there is no such node")),
                Some(Node::Leaf { value, .. }) => {
                    if !bounded(*value) {
                        return Err(wrong(at, "the leaf is not a number up to 1e15"));
                    }
                    self.splits.push(false);
                    leaves.push(*value);
                }
                Some(Node::Split { signal, rule, missing_left, left, right, .. }) => {
                    let (left, right) = (*left as usize, *right as usize);
                    if left <= at || right <= at {
                        return Err(wrong(at, "a child stands before its parent"));
                    }
                    let question = self
                        .question(*signal, rule, *missing_left)
                        .map_err(|what| wrong(at, what))?;
                    if let Some(asked) = self.asked.get_mut(usize::from(*signal)) {
                        asked.insert(question.clone(), 0);
                    }
                    self.splits.push(true);
                    self.questions.push((*signal, question));
                    if self.packing.covers {
                        let cover = |child: usize| match tree.nodes.get(child) {
                            Some(Node::Leaf { cover, .. } | Node::Split { cover, .. }) => *cover,
                            None => f64::NAN,
                        };
                        let (l, r) = (cover(left), cover(right));
                        if !(l > 0.0 && r > 0.0 && (l + r).is_finite()) {
                            return Err(wrong(
                                at,
                                "a child's cover is not a positive number: leave the covers out, or retrain",
                            ));
                        }
                        self.shares.push(Share::of(l, r));
                    }
                    open.push((right, depth + 1));
                    open.push((left, depth + 1));
                }
            }
        }
        self.leaves.push(leaves);
        Ok(())
    }

    fn question(
        &self,
        signal: u16,
        rule: &Rule,
        missing_left: bool,
    ) -> Result<Question, &'static str> {
        let Some(signal) = self.signals.get(usize::from(signal)) else {
            return Err("the split reads a signal that the model does not declare");
        };
        match (rule, &signal.kind) {
            (Rule::AtMost(cut), SignalKind::Number | SignalKind::NonZero | SignalKind::Date) => {
                if cut.is_nan() {
                    return Err("the cut is not a number");
                }
                let cut = if self.packing.exact_cuts { *cut } else { f64::from(f32_at_most(*cut)) };
                Ok(Question::Above { missing_yes: !missing_left, cut: OrderedCut(cut + 0.0) })
            }
            (Rule::OneOf { levels: set, other_left }, SignalKind::Category { levels }) => {
                let mut bits = vec![0u8; set_bytes(levels.len())];
                let left = (0..levels.len())
                    .map(|level| set.contains(level))
                    .chain([*other_left, missing_left]);
                for (at, left) in left.enumerate() {
                    bits[at / 8] |= u8::from(!left) << (at % 8);
                }
                Ok(Question::Outside(bits))
            }
            _ => Err(
                "the split's rule does not fit its signal: cuts for numbers and dates, sets for categories",
            ),
        }
    }
}

/// The questions about one signal, in the order of their ranks.
fn column(asked: &BTreeMap<Question, u16>, signal: &Signal) -> Questions {
    if let SignalKind::Category { .. } = signal.kind {
        let bits = asked.keys().filter_map(|question| match question {
            Question::Outside(bits) => Some(bits.as_slice()),
            Question::Above { .. } => None,
        });
        return Questions::Outside { count: asked.len(), bits: bits.flatten().copied().collect() };
    }
    let cuts: Vec<(bool, f64)> = asked
        .keys()
        .filter_map(|question| match question {
            Question::Above { missing_yes, cut } => Some((*missing_yes, cut.0)),
            Question::Outside(_) => None,
        })
        .collect();
    Questions::Above(Cuts {
        missing_no: cuts.iter().filter(|(yes, _)| !yes).count(),
        values: cuts.iter().map(|&(_, cut)| cut).collect(),
        wide: cuts.iter().any(|&(_, cut)| f64::from(cut as f32) != cut),
    })
}

/// The greatest `f32` that is at most `cut`: values that are themselves `f32` part as before.
fn f32_at_most(cut: f64) -> f32 {
    let near = cut as f32;
    if f64::from(near) > cut { near.next_down() } else { near }
}

fn pack_leaves(trees: &[Vec<f64>], format: Leaves) -> PackedLeaves {
    let (mut scales, mut numbers) = (Vec::new(), Vec::new());
    for tree in trees {
        if format != Leaves::Steps16 {
            numbers.extend(tree);
            continue;
        }
        let scale = scale_for(tree.iter().fold(0.0, |most: f64, value| most.max(value.abs())));
        scales.push(scale);
        let scale = f64::from(step_scale(scale));
        let step = |value: &f64| if scale > 0.0 { (value / scale).round() } else { 0.0 };
        numbers.extend(tree.iter().map(step));
    }
    PackedLeaves { format, scales, numbers }
}

/// The smallest scale of eight significant bits whose 32,767 steps reach `largest`.
fn scale_for(largest: f64) -> u16 {
    let exact = (largest / 32_767.0) as f32;
    let below = (exact.to_bits() >> 16) as u16;
    if f64::from(step_scale(below)) * 32_767.0 >= largest { below } else { below + 1 }
}
