//! Models for other software to check ours with.

use std::fmt::Write;

use super::{Node, Rule, Signal, SignalKind, Tree, TreeModel};

/// Covers are written as counts out of this many, so that their shares stay exact to nine digits.
const WHOLE: f64 = (1u32 << 30) as f64;

/// A tree model in LightGBM's text format: `predict(raw_score=True)` of [`lightgbm_row`] gives the
/// margin less the base margin, `pred_contrib=True` the contributions. Signals that read 0 as
/// missing are written with that missing type.
pub fn lightgbm(model: &TreeModel) -> String {
    let mut out =
        String::from("tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n");
    let names: Vec<String> =
        (0..model.signals.len()).map(|index| format!("signal_{index}")).collect();
    let infos: Vec<String> = model.signals.iter().map(info).collect();
    let last = model.signals.len().saturating_sub(1);
    let _ = writeln!(out, "max_feature_idx={last}\nobjective=binary sigmoid:1");
    let _ = writeln!(out, "feature_names={}\nfeature_infos={}\n", names.join(" "), infos.join(" "));
    for (index, tree) in model.trees.iter().enumerate() {
        let _ = writeln!(out, "Tree={index}");
        Columns::of(tree, &model.signals).write(&mut out);
    }
    out.push_str("end of trees\n\npandas_categorical:[]\n");
    out
}

/// A row for the exported model: as ours, but in a category a level never seen is its own code,
/// and a missing value the one after.
pub fn lightgbm_row(model: &TreeModel, values: &[f64]) -> Vec<f64> {
    let value = |(signal, &value): (&Signal, &f64)| match &signal.kind {
        SignalKind::Category { levels } if value.is_nan() => levels.len() as f64 + 1.0,
        SignalKind::Category { levels } if !(value > -1.0 && value < levels.len() as f64) => {
            levels.len() as f64
        }
        _ => value,
    };
    model.signals.iter().zip(values).map(value).collect()
}

fn info(signal: &Signal) -> String {
    match &signal.kind {
        SignalKind::Category { levels } => {
            let codes: Vec<String> = (0..levels.len() + 2).map(|code| code.to_string()).collect();
            codes.join(":")
        }
        _ => "[-1e300:1e300]".to_owned(),
    }
}

/// A tree in LightGBM's columns: splits and leaves are numbered apart, in our order.
#[derive(Default)]
struct Columns {
    features: Vec<u16>,
    cuts: Vec<String>,
    kinds: Vec<u8>,
    left: Vec<i64>,
    right: Vec<i64>,
    counts: Vec<u64>,
    values: Vec<f64>,
    leaf_counts: Vec<u64>,
    bounds: Vec<usize>,
    bits: Vec<u32>,
}

impl Columns {
    fn of(tree: &Tree, signals: &[Signal]) -> Columns {
        let mut columns = Columns { bounds: vec![0], ..Columns::default() };
        let cover = |node: &Node| match node {
            Node::Leaf { cover, .. } | Node::Split { cover, .. } => *cover,
        };
        let whole = tree.nodes.first().map_or(1.0, cover);
        let count = |node: &Node| (cover(node) / whole * WHOLE).round().max(1.0) as u64;
        let mut numbers = Vec::with_capacity(tree.nodes.len());
        let (mut splits, mut leaves) = (0i64, 0i64);
        for node in &tree.nodes {
            let (number, counter) = match node {
                Node::Leaf { .. } => (!leaves, &mut leaves),
                Node::Split { .. } => (splits, &mut splits),
            };
            numbers.push(number);
            *counter += 1;
        }
        let number = |child: u32| numbers.get(child as usize).copied().unwrap_or(-1);
        for node in &tree.nodes {
            match node {
                Node::Leaf { value, .. } => {
                    columns.values.push(*value);
                    columns.leaf_counts.push(count(node));
                }
                Node::Split { signal, rule, missing_left, left, right, .. } => {
                    columns.features.push(*signal);
                    columns.left.push(number(*left));
                    columns.right.push(number(*right));
                    columns.counts.push(count(node));
                    columns.rule(rule, *missing_left, signals.get(usize::from(*signal)));
                }
            }
        }
        columns
    }

    fn rule(&mut self, rule: &Rule, missing_left: bool, signal: Option<&Signal>) {
        let kind = signal.map(|signal| &signal.kind);
        match (rule, kind) {
            (Rule::OneOf { levels, other_left }, Some(SignalKind::Category { levels: all })) => {
                let count = all.len();
                let left = |code: usize| match code.checked_sub(count) {
                    None => levels.contains(code),
                    Some(0) => *other_left,
                    Some(_) => missing_left,
                };
                let from = self.bits.len();
                self.bits.resize(from + (count + 2).div_ceil(32), 0);
                (0..count + 2)
                    .filter(|&code| left(code))
                    .for_each(|code| self.bits[from + code / 32] |= 1 << (code % 32));
                self.cuts.push((self.bounds.len() - 1).to_string());
                self.bounds.push(self.bits.len());
                self.kinds.push(1);
            }
            (Rule::AtMost(cut), _) => {
                let missing = if kind == Some(&SignalKind::NonZero) { 1 } else { 2 };
                self.cuts.push(format!("{cut:e}"));
                self.kinds.push(missing << 2 | u8::from(missing_left) << 1);
            }
            (Rule::OneOf { .. }, _) => {}
        }
    }

    fn write(&self, out: &mut String) {
        let mut line = |key: &str, words: String| {
            let _ = writeln!(out, "{key}={words}");
        };
        let categories = self.bounds.len() - 1;
        line("num_leaves", self.values.len().to_string());
        line("num_cat", categories.to_string());
        line("split_feature", words(&self.features));
        line("split_gain", words(&vec![1; self.features.len()]));
        line("threshold", self.cuts.join(" "));
        line("decision_type", words(&self.kinds));
        line("left_child", words(&self.left));
        line("right_child", words(&self.right));
        line("leaf_value", words(&self.values));
        line("leaf_weight", words(&self.leaf_counts));
        line("leaf_count", words(&self.leaf_counts));
        line("internal_value", words(&vec![0; self.features.len()]));
        line("internal_weight", words(&self.counts));
        line("internal_count", words(&self.counts));
        if categories > 0 {
            line("cat_boundaries", words(&self.bounds));
            line("cat_threshold", words(&self.bits));
        }
        line("is_linear", "0".to_owned());
        line("shrinkage", "1\n\n".to_owned());
    }
}

fn words<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
}
