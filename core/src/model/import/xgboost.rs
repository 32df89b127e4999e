//! XGBoost's JSON format (`save_model("m.json")`), versions 1.6 to 3.

use serde::Deserialize;
use serde_json::Value;

use super::{ImportError, MOST_LEVELS, cut_of_f32};
use crate::model::{LevelSet, Node, Rule, Signal, SignalKind, Tree, TreeModel};

/// Brings in a model of one output. Margins are those of `predict(output_margin=True)`; a row
/// holds each feature as XGBoost reads it, categories as their codes.
pub fn xgboost(bytes: &[u8]) -> Result<TreeModel, ImportError> {
    if bytes.first() == Some(&b'{')
        && bytes.get(1).is_some_and(|byte| !b" \t\r\n\"}".contains(byte))
    {
        return Err(wrong("it is the binary form (UBJSON): save it as model.json".to_owned()));
    }
    let file: File = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let learner = file.learner;
    let features = learner.features()?;
    let base_margin = learner.base_margin()?;
    let (model, weights) = match learner.gradient_booster {
        Booster { name, model: Some(model), .. } if name == "gbtree" => (model, Vec::new()),
        Booster { name, gbtree: Some(inner), weight_drop, .. } if name == "dart" => {
            (inner.model, weight_drop)
        }
        Booster { name, .. } => {
            return Err(ImportError::Unsupported {
                what: format!("the booster \"{name}\""),
                instead: "train with booster=gbtree",
            });
        }
    };
    let features = Features::seen(features, &model.trees)?;
    let read = |(index, tree): (usize, &Source)| {
        let weight = weights.get(index).copied().unwrap_or(1.0);
        Reader { index, tree, features: &features, weight }.tree()
    };
    let trees = model.trees.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    Ok(TreeModel { signals: features.signals(), trees, base_margin })
}

fn wrong(what: String) -> ImportError {
    ImportError::Format { format: "XGBoost JSON", what }
}

#[derive(Deserialize)]
struct File {
    learner: Learner,
}

#[derive(Deserialize)]
struct Learner {
    #[serde(default)]
    feature_names: Vec<String>,
    #[serde(default)]
    feature_types: Vec<String>,
    gradient_booster: Booster,
    learner_model_param: Parameters,
    objective: Objective,
}

#[derive(Deserialize)]
struct Objective {
    name: String,
}

#[derive(Deserialize)]
struct Parameters {
    base_score: String,
    num_class: String,
    num_feature: String,
    #[serde(default)]
    num_target: Option<String>,
}

#[derive(Deserialize)]
struct Booster {
    name: String,
    model: Option<Model>,
    gbtree: Option<Inner>,
    #[serde(default)]
    weight_drop: Vec<f64>,
}

#[derive(Deserialize)]
struct Inner {
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    /// Absent in a linear booster.
    #[serde(default)]
    trees: Vec<Source>,
}

/// One tree, node by node.
#[derive(Deserialize)]
struct Source {
    left_children: Vec<i64>,
    right_children: Vec<i64>,
    split_indices: Vec<usize>,
    split_conditions: Vec<f64>,
    default_left: Vec<Value>,
    sum_hessian: Vec<f64>,
    #[serde(default)]
    split_type: Vec<u8>,
    #[serde(default)]
    categories: Vec<usize>,
    #[serde(default)]
    categories_nodes: Vec<usize>,
    #[serde(default)]
    categories_segments: Vec<usize>,
    #[serde(default)]
    categories_sizes: Vec<usize>,
    tree_param: TreeParameters,
}

#[derive(Deserialize)]
struct TreeParameters {
    #[serde(default)]
    size_leaf_vector: Option<String>,
}

impl Learner {
    fn features(&self) -> Result<Vec<Feature>, ImportError> {
        let count: usize = self
            .learner_model_param
            .num_feature
            .parse()
            .map_err(|_| wrong("num_feature is not a number".to_owned()))?;
        if count > 1 << 16 {
            return Err(wrong(format!("{count} features are more than 65,536")));
        }
        let feature = |index: usize| Feature {
            name: self.feature_names.get(index).cloned().unwrap_or_else(|| format!("f{index}")),
            levels: self.feature_types.get(index).filter(|kind| *kind == "c").map(|_| 0),
            has_cuts: false,
        };
        Ok((0..count).map(feature).collect())
    }

    /// `base_score` is a number or, since version 3, a list of one; it stands for a probability
    /// where the objective gives one.
    fn base_margin(&self) -> Result<f64, ImportError> {
        let parameters = &self.learner_model_param;
        let many = |count: &str| count.parse::<usize>().is_ok_and(|count| count > 1);
        if many(&parameters.num_class) || parameters.num_target.as_deref().is_some_and(many) {
            return Err(ImportError::Unsupported {
                what: "a model of several outputs".to_owned(),
                instead: "train one model a class (objective=binary:logistic)",
            });
        }
        let text = parameters.base_score.trim_matches(['[', ']']);
        let base: f32 = text.parse().map_err(|_| wrong(format!("base_score is \"{text}\"")))?;
        match self.objective.name.as_str() {
            "binary:logistic" | "reg:logistic" | "binary:logitraw" if base > 0.0 && base < 1.0 => {
                Ok(f64::from(-libm::logf(1.0 / base - 1.0)))
            }
            "reg:squarederror"
            | "reg:pseudohubererror"
            | "reg:absoluteerror"
            | "binary:hinge"
            | "rank:pairwise"
            | "rank:ndcg"
            | "rank:map" => Ok(f64::from(base)),
            name => Err(ImportError::Unsupported {
                what: format!("the objective \"{name}\" with base_score {text}"),
                instead: "train with objective=binary:logistic",
            }),
        }
    }
}

/// A feature, and what the trees show about it.
struct Feature {
    name: String,
    /// Levels, where the feature is a category.
    levels: Option<usize>,
    has_cuts: bool,
}

struct Features(Vec<Feature>);

impl Features {
    fn seen(mut features: Vec<Feature>, trees: &[Source]) -> Result<Features, ImportError> {
        for (index, tree) in trees.iter().enumerate() {
            let broken = || ImportError::Tree {
                tree: index,
                what: "its columns do not fit together".to_owned(),
            };
            for node in 0..tree.left_children.len() {
                if tree.left_children[node] < 0 {
                    continue;
                }
                let feature =
                    tree.split_indices.get(node).and_then(|&feature| features.get_mut(feature));
                let feature = feature.ok_or_else(broken)?;
                match tree.set(node) {
                    _ if tree.split_type.get(node).copied().unwrap_or(0) == 0 => {
                        feature.has_cuts = true
                    }
                    Some(set) => {
                        let most = set.iter().max().map_or(0, |most| most.saturating_add(1));
                        if most > MOST_LEVELS {
                            return Err(broken());
                        }
                        feature.levels = Some(feature.levels.unwrap_or(0).max(most));
                    }
                    None => return Err(broken()),
                }
            }
        }
        match features.iter().find(|feature| feature.has_cuts && feature.levels.is_some()) {
            None => Ok(Features(features)),
            Some(feature) => Err(ImportError::Unsupported {
                what: format!("the feature \"{}\", both number and category,", feature.name),
                instead: "train all trees with the same feature_types",
            }),
        }
    }

    fn signals(self) -> Vec<Signal> {
        let kind = |levels: Option<usize>| match levels {
            None => SignalKind::Number,
            Some(count) => {
                SignalKind::Category { levels: (0..count).map(|level| level.to_string()).collect() }
            }
        };
        self.0.into_iter().map(|feature| Signal::new(feature.name, kind(feature.levels))).collect()
    }
}

impl Source {
    /// The levels of a node's set: they go right.
    fn set(&self, node: usize) -> Option<&[usize]> {
        let at = self.categories_nodes.iter().position(|&of| of == node)?;
        let (start, size) = (*self.categories_segments.get(at)?, *self.categories_sizes.get(at)?);
        self.categories.get(start..start.checked_add(size)?)
    }
}

struct Reader<'a> {
    index: usize,
    tree: &'a Source,
    features: &'a Features,
    /// Of the whole tree, where trees were dropped in training.
    weight: f64,
}

impl Reader<'_> {
    fn wrong(&self, what: &str) -> ImportError {
        ImportError::Tree { tree: self.index, what: what.to_owned() }
    }

    fn tree(&self) -> Result<Tree, ImportError> {
        let tree = self.tree;
        let count = tree.left_children.len();
        let lengths =
            [tree.right_children.len(), tree.split_indices.len(), tree.split_conditions.len()];
        if count == 0 || lengths.iter().any(|&length| length != count) {
            return Err(self.wrong("its columns differ in length"));
        }
        if tree
            .tree_param
            .size_leaf_vector
            .as_deref()
            .is_some_and(|size| size != "0" && size != "1")
        {
            return Err(ImportError::Unsupported {
                what: "a tree with vector leaves".to_owned(),
                instead: "train with multi_strategy=one_output_per_tree and one target",
            });
        }
        let mut nodes: Vec<Node> = Vec::with_capacity(count);
        let mut open = vec![(0usize, None)];
        while let Some((source, parent)) = open.pop() {
            let at = nodes.len();
            if at >= count {
                return Err(self.wrong("a node has two parents"));
            }
            if let Some((parent, is_right)) = parent
                && let Some(Node::Split { left, right, .. }) = nodes.get_mut::<usize>(parent)
            {
                *(if is_right { right } else { left }) = at as u32;
            }
            let children = tree.left_children.get(source).zip(tree.right_children.get(source));
            let Some((&left, &right)) = children else {
                return Err(self.wrong("a child is not there"));
            };
            let cover = tree.sum_hessian.get(source).copied().unwrap_or(0.0);
            let number = tree.split_conditions[source] as f32;
            if left < 0 {
                nodes.push(Node::Leaf { value: f64::from(number) * self.weight, cover });
                continue;
            }
            let (rule, missing_left) = self.rule(source, number)?;
            let signal = tree.split_indices[source] as u16;
            nodes.push(Node::Split { signal, rule, missing_left, left: 0, right: 0, cover });
            open.push((right as usize, Some((at, true))));
            open.push((left as usize, Some((at, false))));
        }
        Ok(Tree { nodes })
    }

    /// Left where the value, rounded to `f32`, is below the condition; of categories, where the
    /// level is not in the set, so that a level never seen goes left.
    fn rule(&self, node: usize, number: f32) -> Result<(Rule, bool), ImportError> {
        let missing_left = match self.tree.default_left.get(node) {
            Some(Value::Bool(left)) => *left,
            Some(Value::Number(left)) => left.as_u64() == Some(1),
            _ => return Err(self.wrong("default_left is not there")),
        };
        if self.tree.split_type.get(node).copied().unwrap_or(0) == 0 {
            return Ok((Rule::AtMost(cut_of_f32(number.next_down())), missing_left));
        }
        let set = self.tree.set(node).ok_or_else(|| self.wrong("a set of levels is not there"))?;
        let feature = self.features.0.get(self.tree.split_indices[node]);
        let mut levels = LevelSet::default();
        for level in 0..feature.and_then(|feature| feature.levels).unwrap_or(0) {
            if !set.contains(&level) {
                levels.insert(level);
            }
        }
        Ok((Rule::OneOf { levels, other_left: true }, missing_left))
    }
}
