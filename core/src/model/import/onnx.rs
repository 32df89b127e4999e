//! ONNX files that hold one `TreeEnsembleClassifier` or `TreeEnsembleRegressor` (ai.onnx.ml 1 to 3).

use std::collections::BTreeMap;

use super::protobuf::{Message, Value};
use super::{ImportError, MOST_LEVELS, cut_of_f32};
use crate::model::{LevelSet, Node, Rule, Signal, SignalKind, Tree, TreeModel};

/// Brings in an ensemble of one output. Margins are the sums of its weights before the
/// `post_transform`; a row holds the columns of the ensemble's input. ONNX carries no covers, so
/// the model scores but does not explain.
pub fn onnx(bytes: &[u8]) -> Result<TreeModel, ImportError> {
    let ensemble = Ensemble::find(bytes)?;
    ensemble.check()?;
    let (sums, base_margin) = ensemble.weights()?;
    let ids = Ids::new(&ensemble)?;
    let signals = ids.signals(&ensemble)?;
    let reader = Reader { ensemble: &ensemble, ids: &ids, sums, signals: &signals };
    let trees = ids
        .roots
        .iter()
        .enumerate()
        .map(|(index, &root)| reader.tree(index, root))
        .collect::<Result<_, _>>()?;
    Ok(TreeModel { signals, trees, base_margin })
}

/// As [`onnx`], of a file that is nothing but a classifier of log-odds: whose one probability is the
/// logistic of the margin.
pub fn onnx_classifier(bytes: &[u8]) -> Result<TreeModel, ImportError> {
    let ensemble = Ensemble::find(bytes)?;
    let is_logistic = ensemble.texts("post_transform").iter().any(|text| text == "LOGISTIC");
    if !ensemble.classifies || !is_logistic || !ensemble.alone {
        return unsupported(
            "a graph that is more than trees".to_owned(),
            "export a classifier of two classes whose post_transform is LOGISTIC",
        );
    }
    onnx(bytes)
}

fn wrong(what: &str) -> ImportError {
    ImportError::Format { format: "ONNX tree ensemble", what: what.to_owned() }
}

fn unsupported<T>(what: String, instead: &'static str) -> Result<T, ImportError> {
    Err(ImportError::Unsupported { what, instead })
}

/// The weight of each leaf, by tree and node.
type Weights = BTreeMap<(i64, i64), f64>;

/// The operator's attributes.
struct Ensemble {
    attributes: BTreeMap<String, Attribute>,
    classifies: bool,
    /// Whether what stands beside it changes no probability.
    alone: bool,
    /// Cuts are `f64` and values are not rounded first.
    double: bool,
}

#[derive(Default)]
struct Attribute {
    integers: Vec<i64>,
    numbers: Vec<f64>,
    texts: Vec<String>,
    double: bool,
}

impl Ensemble {
    fn find(bytes: &[u8]) -> Result<Ensemble, ImportError> {
        const GRAPH: u64 = 7;
        const NODE: u64 = 1;
        const INPUT: u64 = 11;
        let children = |bytes, number| {
            let fields =
                Message::new(bytes).fields().ok_or_else(|| wrong("it is no protobuf message"))?;
            let of = fields.into_iter().filter(|field| field.number == number);
            Ok::<_, ImportError>(of.map(|field| field.value.bytes()).collect::<Vec<_>>())
        };
        let graph = children(bytes, GRAPH)?;
        let graph = graph.first().ok_or_else(|| wrong("it has no graph"))?;
        let inputs: Vec<&[u8]> = children(graph, INPUT)?;
        let inputs =
            inputs.into_iter().map(|input| children(input, 1)).collect::<Result<Vec<_>, _>>()?;
        let (mut found, mut alone) = (None, true);
        for node in children(graph, NODE)? {
            let fields = Message::new(node).fields().ok_or_else(|| wrong("a node is broken"))?;
            let operator =
                fields.iter().find(|field| field.number == 4).map(|field| field.value.text());
            let operator = operator.unwrap_or_default();
            if !operator.starts_with("TreeEnsemble") {
                alone &= matches!(operator.as_str(), "ZipMap" | "Cast" | "Identity");
                continue;
            }
            if found.is_some() {
                return unsupported(
                    "a graph of several tree ensembles".to_owned(),
                    "export one model a file",
                );
            }
            if operator == "TreeEnsemble" {
                return unsupported(
                    "the operator TreeEnsemble".to_owned(),
                    "export with an ai.onnx.ml opset up to 3",
                );
            }
            let reads =
                fields.iter().find(|field| field.number == 1).map(|field| field.value.bytes());
            if !inputs.iter().flatten().any(|&input| Some(input) == reads) {
                return unsupported(
                    "a tree ensemble behind other operators".to_owned(),
                    "export the trees alone, on the columns that they read",
                );
            }
            let mut attributes = BTreeMap::new();
            for field in fields.iter().filter(|field| field.number == 5) {
                let (name, attribute) =
                    attribute(field.value).ok_or_else(|| wrong("an attribute is broken"))?;
                attributes.insert(name.trim_end_matches("_as_tensor").to_owned(), attribute);
            }
            let double =
                attributes.get("nodes_values").is_some_and(|values: &Attribute| values.double);
            found = Some(Ensemble {
                attributes,
                classifies: operator == "TreeEnsembleClassifier",
                alone: true,
                double,
            });
        }
        let found = found.map(|found| Ensemble { alone, ..found });
        found.ok_or_else(|| {
            wrong("its graph has no TreeEnsembleClassifier or TreeEnsembleRegressor")
        })
    }

    fn integers(&self, name: &str) -> &[i64] {
        self.attributes.get(name).map_or(&[], |attribute| &attribute.integers)
    }

    fn numbers(&self, name: &str) -> &[f64] {
        self.attributes.get(name).map_or(&[], |attribute| &attribute.numbers)
    }

    fn texts(&self, name: &str) -> &[String] {
        self.attributes.get(name).map_or(&[], |attribute| &attribute.texts)
    }

    fn check(&self) -> Result<(), ImportError> {
        let text = |name| self.texts(name).first().map_or("", String::as_str);
        if !matches!(text("aggregate_function"), "" | "SUM") {
            return unsupported(
                format!("the aggregate {}", text("aggregate_function")),
                "export a sum of trees",
            );
        }
        if !matches!(text("post_transform"), "" | "NONE" | "LOGISTIC") {
            return unsupported(
                format!("the post_transform {}", text("post_transform")),
                "export a model of two classes",
            );
        }
        let classes =
            self.integers("classlabels_int64s").len().max(self.texts("classlabels_strings").len());
        let targets = self.integers("n_targets").first().copied().unwrap_or(1);
        if classes > 2 || targets > 1 {
            return unsupported(
                "an ensemble of several outputs".to_owned(),
                "export one model a class",
            );
        }
        let count = self.texts("nodes_modes").len();
        let columns = [
            "nodes_treeids",
            "nodes_nodeids",
            "nodes_featureids",
            "nodes_truenodeids",
            "nodes_falsenodeids",
        ];
        if count == 0 || columns.iter().any(|name| self.integers(name).len() != count) {
            return Err(wrong("its node columns differ in length"));
        }
        if self.numbers("nodes_values").len() != count {
            return Err(wrong("its node columns differ in length"));
        }
        Ok(())
    }

    /// The weights, and the base.
    fn weights(&self) -> Result<(Weights, f64), ImportError> {
        let of = if self.classifies { "class" } else { "target" };
        let column = |name: &str| self.integers(&format!("{of}_{name}"));
        let (trees, nodes, ids) = (column("treeids"), column("nodeids"), column("ids"));
        let weights = self.numbers(&format!("{of}_weights"));
        if [nodes.len(), ids.len(), weights.len()].iter().any(|&length| length != trees.len()) {
            return Err(wrong("its weight columns differ in length"));
        }
        if ids.iter().any(|id| Some(id) != ids.first()) {
            return unsupported(
                "an ensemble whose leaves vote for each class".to_owned(),
                "export a boosted model, whose leaves hold log-odds",
            );
        }
        let mut sums = BTreeMap::new();
        for ((&tree, &node), &weight) in trees.iter().zip(nodes).zip(weights) {
            *sums.entry((tree, node)).or_insert(0.0) += weight;
        }
        Ok((sums, self.numbers("base_values").last().copied().unwrap_or(0.0)))
    }
}

fn attribute(value: Value) -> Option<(String, Attribute)> {
    const FLOAT: u64 = 1;
    const DOUBLE: u64 = 11;
    let mut attribute = Attribute::default();
    let mut name = String::new();
    for field in Message::new(value.bytes()).fields()? {
        match field.number {
            1 => name = field.value.text(),
            2 | 7 => attribute.numbers.extend(field.value.floats().into_iter().map(f64::from)),
            3 | 8 => attribute.integers.extend(field.value.integers()),
            4 | 9 => attribute.texts.push(field.value.text()),
            5 => {
                let fields = Message::new(field.value.bytes()).fields()?;
                let is = |of: u64| {
                    fields.iter().any(|field| {
                        field.number == 2
                            && matches!(field.value, Value::Varint(kind) if kind == of)
                    })
                };
                attribute.double = is(DOUBLE);
                if !attribute.double && !is(FLOAT) {
                    return None;
                }
                for field in &fields {
                    match field.number {
                        4 => attribute
                            .numbers
                            .extend(field.value.floats().into_iter().map(f64::from)),
                        9 if !attribute.double => {
                            attribute
                                .numbers
                                .extend(field.value.floats().into_iter().map(f64::from));
                        }
                        9 | 10 => attribute.numbers.extend(field.value.doubles()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Some((name, attribute))
}

/// Where each node of each tree stands in the columns.
struct Ids {
    places: BTreeMap<(i64, i64), usize>,
    roots: Vec<usize>,
}

impl Ids {
    fn new(ensemble: &Ensemble) -> Result<Ids, ImportError> {
        let keys = ensemble
            .integers("nodes_treeids")
            .iter()
            .copied()
            .zip(ensemble.integers("nodes_nodeids").iter().copied());
        let keys: Vec<(i64, i64)> = keys.collect();
        let places: BTreeMap<_, _> = keys.iter().enumerate().map(|(at, &key)| (key, at)).collect();
        if places.len() != keys.len() {
            return Err(wrong("two nodes of a tree have the same id"));
        }
        let mut has_parent = vec![false; keys.len()];
        for (at, &(tree, _)) in keys.iter().enumerate() {
            if ensemble.texts("nodes_modes")[at] == "LEAF" {
                continue;
            }
            for child in ["nodes_truenodeids", "nodes_falsenodeids"] {
                let place = places.get(&(tree, ensemble.integers(child)[at]));
                *place
                    .and_then(|&place| has_parent.get_mut(place))
                    .ok_or_else(|| wrong("a child is not there"))? = true;
            }
        }
        let roots: Vec<usize> = (0..keys.len()).filter(|&at| !has_parent[at]).collect();
        let mut trees: Vec<i64> = roots.iter().map(|&root| keys[root].0).collect();
        trees.dedup();
        if trees.len() != roots.len() {
            return Err(wrong("a tree has several roots"));
        }
        Ok(Ids { places, roots })
    }

    fn signals(&self, ensemble: &Ensemble) -> Result<Vec<Signal>, ImportError> {
        let features = ensemble.integers("nodes_featureids");
        let count = features.iter().max().map_or(0, |most| most + 1);
        if !(0..=1 << 16).contains(&count) || features.iter().any(|&feature| feature < 0) {
            return Err(wrong("a feature's number is out of range"));
        }
        let (mut equal, mut ordered) =
            (vec![None::<usize>; count as usize], vec![false; count as usize]);
        for (at, mode) in ensemble.texts("nodes_modes").iter().enumerate() {
            let feature = features[at] as usize;
            match mode.as_str() {
                "LEAF" => {}
                "BRANCH_EQ" | "BRANCH_NEQ" => {
                    let level = ensemble.numbers("nodes_values")[at];
                    if level < 0.0 || level.fract() != 0.0 || level >= MOST_LEVELS as f64 {
                        return unsupported(
                            format!("a comparison with exactly {level}"),
                            "code categories as whole numbers",
                        );
                    }
                    equal[feature] = Some(equal[feature].unwrap_or(0).max(level as usize + 1));
                }
                _ => ordered[feature] = true,
            }
        }
        let signal = |feature: usize| {
            let kind = match (equal[feature], ordered[feature]) {
                (None, _) => SignalKind::Number,
                (Some(count), false) => SignalKind::Category {
                    levels: (0..count).map(|level| level.to_string()).collect(),
                },
                (Some(_), true) => {
                    return unsupported(
                        format!("feature {feature}, both number and category,"),
                        "export it as one of them",
                    );
                }
            };
            Ok(Signal::new(format!("feature {feature}"), kind))
        };
        (0..count as usize).map(signal).collect()
    }
}

struct Reader<'a> {
    ensemble: &'a Ensemble,
    ids: &'a Ids,
    sums: Weights,
    signals: &'a [Signal],
}

impl Reader<'_> {
    fn tree(&self, index: usize, root: usize) -> Result<Tree, ImportError> {
        let ensemble = self.ensemble;
        let tree = ensemble.integers("nodes_treeids")[root];
        let mut nodes: Vec<Node> = Vec::new();
        let mut open = vec![(root, None)];
        while let Some((source, parent)) = open.pop() {
            let at = nodes.len();
            if at >= ensemble.texts("nodes_modes").len() {
                return Err(ImportError::Tree {
                    tree: index,
                    what: "a node has two parents".to_owned(),
                });
            }
            if let Some((parent, is_right)) = parent
                && let Some(Node::Split { left, right, .. }) = nodes.get_mut::<usize>(parent)
            {
                *(if is_right { right } else { left }) = at as u32;
            }
            let mode = ensemble.texts("nodes_modes")[source].as_str();
            if mode == "LEAF" {
                let id = ensemble.integers("nodes_nodeids")[source];
                let value = self.sums.get(&(tree, id)).copied().unwrap_or(0.0);
                nodes.push(Node::Leaf { value, cover: 0.0 });
                continue;
            }
            let (rule, missing_left, swapped) = self.rule(source, mode).ok_or_else(|| {
                ImportError::Tree { tree: index, what: format!("the mode {mode} is unknown") }
            })?;
            let signal = ensemble.integers("nodes_featureids")[source] as u16;
            nodes.push(Node::Split { signal, rule, missing_left, left: 0, right: 0, cover: 0.0 });
            let child =
                |name: &str| self.ids.places.get(&(tree, ensemble.integers(name)[source])).copied();
            let (mut left, mut right) = (child("nodes_truenodeids"), child("nodes_falsenodeids"));
            if swapped {
                (left, right) = (right, left);
            }
            open.extend(right.map(|node| (node, Some((at, true)))));
            open.extend(left.map(|node| (node, Some((at, false)))));
        }
        Ok(Tree { nodes })
    }

    /// The rule, where a missing value goes, and whether the true side is the right one.
    fn rule(&self, node: usize, mode: &str) -> Option<(Rule, bool, bool)> {
        let cut = self.ensemble.numbers("nodes_values")[node];
        let tracks_true =
            self.ensemble.integers("nodes_missing_value_tracks_true").get(node) == Some(&1);
        let at_most = if self.ensemble.double { cut } else { cut_of_f32(cut as f32) };
        let below = if self.ensemble.double {
            cut.next_down()
        } else {
            cut_of_f32((cut as f32).next_down())
        };
        let signal = self.signals.get(self.ensemble.integers("nodes_featureids")[node] as usize)?;
        let only = || {
            let mut levels = LevelSet::default();
            if let SignalKind::Category { .. } = signal.kind {
                levels.insert(cut as usize);
            }
            Rule::OneOf { levels, other_left: false }
        };
        Some(match mode {
            "BRANCH_LEQ" => (Rule::AtMost(at_most), tracks_true, false),
            "BRANCH_LT" => (Rule::AtMost(below), tracks_true, false),
            "BRANCH_GT" => (Rule::AtMost(at_most), !tracks_true, true),
            "BRANCH_GTE" => (Rule::AtMost(below), !tracks_true, true),
            "BRANCH_EQ" => (only(), tracks_true, false),
            // A missing value differs from every level.
            "BRANCH_NEQ" => (only(), false, true),
            _ => return None,
        })
    }
}
