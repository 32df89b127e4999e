//! LightGBM's text format (`save_model`, `model_to_string`), versions 3 and 4.

use std::collections::BTreeMap;

use super::{ImportError, MOST_LEVELS};
use crate::model::{LevelSet, Node, Rule, Signal, SignalKind, Tree, TreeModel};

/// Brings in a model of one class. Margins are raw scores as log-odds, that is times the
/// objective's `sigmoid`; a row holds each feature as LightGBM reads it, categories as their codes.
pub fn lightgbm(bytes: &[u8]) -> Result<TreeModel, ImportError> {
    let text = core::str::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
    let mut blocks = text.split("\nTree=");
    let header = Fields::of(blocks.next().unwrap_or_default());
    if !header.has("version") || !header.has("max_feature_idx") {
        return Err(wrong("the header lacks version and max_feature_idx".to_owned()));
    }
    let scale = header.scale()?;
    if !text.contains("\nend of trees") {
        return Err(wrong("it ends before “end of trees”: save it again".to_owned()));
    }
    let trees = blocks
        .enumerate()
        .map(|(index, block)| Source { index, fields: Fields::of(block) })
        .collect::<Vec<_>>();
    let mut features = Features::new(&header, text)?;
    for tree in &trees {
        features.look_at(tree)?;
    }
    let scale =
        if header.has("average_output") { scale / trees.len().max(1) as f64 } else { scale };
    let trees = trees.iter().map(|tree| tree.read(&features, scale)).collect::<Result<_, _>>()?;
    Ok(TreeModel { signals: features.signals(), trees, base_margin: 0.0 })
}

fn wrong(what: String) -> ImportError {
    ImportError::Format { format: "LightGBM text", what }
}

/// The `key=value` lines of a block.
struct Fields<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Fields<'a> {
    fn of(block: &'a str) -> Fields<'a> {
        let block = block.split("\nend of trees").next().unwrap_or(block);
        let lines = block.lines().map(|line| line.split_once('=').unwrap_or((line, "")));
        Fields(lines.map(|(key, value)| (key.trim(), value.trim())).collect())
    }

    fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    fn text(&self, key: &str) -> &'a str {
        self.0.get(key).copied().unwrap_or_default()
    }

    fn whole(&self, key: &str) -> Option<usize> {
        self.text(key).parse().ok()
    }

    /// What to multiply leaves by, so that their sum is log-odds.
    fn scale(&self) -> Result<f64, ImportError> {
        let unsupported = |what: String, instead| Err(ImportError::Unsupported { what, instead });
        for (key, what) in [
            ("num_class", "a model of several classes"),
            ("num_tree_per_iteration", "several trees an iteration"),
        ] {
            if self.whole(key).is_some_and(|count| count > 1) {
                return unsupported(what.to_owned(), "train one model a class (objective=binary)");
            }
        }
        let mut objective = self.text("objective").split(' ');
        match objective.next().unwrap_or_default() {
            "binary" => {
                let sigmoid =
                    objective.find_map(|word| word.strip_prefix("sigmoid:")?.parse().ok());
                Ok(sigmoid.unwrap_or(1.0))
            }
            name @ ("poisson"
            | "gamma"
            | "tweedie"
            | "cross_entropy_lambda"
            | "multiclass"
            | "multiclassova") => unsupported(
                format!("the objective \"{name}\""),
                "its raw score is not log-odds; train with objective=binary",
            ),
            _ => Ok(1.0),
        }
    }
}

/// What the trees show about the features.
struct Features {
    names: Vec<String>,
    kinds: Vec<Feature>,
    /// Names of levels, of the categories in order, where pandas left them.
    pandas: Vec<Vec<String>>,
}

#[derive(Clone, Default)]
struct Feature {
    /// Levels, where the feature is a category.
    levels: Option<usize>,
    /// LightGBM's missing types that its numerical splits show, by number.
    missing: [bool; 3],
}

impl Features {
    fn new(header: &Fields, text: &str) -> Result<Features, ImportError> {
        let count = header.whole("max_feature_idx").map_or(0, |last| last.saturating_add(1));
        if count > 1 << 16 {
            return Err(wrong(format!("{count} features are more than 65,536")));
        }
        let mut names: Vec<String> =
            header.text("feature_names").split_whitespace().map(str::to_owned).collect();
        for index in names.len()..count {
            names.push(format!("Column_{index}"));
        }
        names.truncate(count);
        let mut kinds = vec![Feature::default(); count];
        for (kind, info) in kinds.iter_mut().zip(header.text("feature_infos").split_whitespace()) {
            if !info.starts_with('[') && info != "none" {
                let levels = info.split(':').filter_map(|level| level.parse::<usize>().ok());
                let count = levels.max().map_or(0, |most| most.saturating_add(1));
                if count > MOST_LEVELS {
                    return Err(wrong(format!("{count} levels are more than {MOST_LEVELS}")));
                }
                kind.levels = Some(count);
            }
        }
        let pandas = text.lines().rev().find_map(|line| line.strip_prefix("pandas_categorical:"));
        let pandas =
            pandas.and_then(|json| serde_json::from_str::<Vec<Vec<serde_json::Value>>>(json).ok());
        let name = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let pandas = pandas
            .unwrap_or_default()
            .into_iter()
            .map(|levels| levels.into_iter().map(name).collect())
            .collect();
        Ok(Features { names, kinds, pandas })
    }

    fn look_at(&mut self, tree: &Source) -> Result<(), ImportError> {
        if tree.fields.whole("is_linear").is_some_and(|linear| linear > 0) {
            return Err(ImportError::Unsupported {
                what: format!("tree {} with linear leaves", tree.index),
                instead: "train with linear_tree=false",
            });
        }
        for node in tree.nodes()? {
            let Some(feature) = self.kinds.get_mut(node.feature) else {
                return Err(tree.wrong(format!("there is no feature {}", node.feature)));
            };
            match node.kind {
                Decision::Number { missing, .. } => feature.missing[missing] = true,
                Decision::Category(set) => {
                    let most = set.iter().enumerate().rev().find(|(_, word)| **word != 0);
                    let most =
                        most.map_or(0, |(at, word)| 32 * at + 32 - word.leading_zeros() as usize);
                    feature.levels = Some(feature.levels.unwrap_or(0).max(most));
                }
            }
        }
        let mixed = |feature: &Feature| {
            feature.missing[ZERO] && (feature.missing[NONE] || feature.missing[NAN])
                || feature.levels.is_some() && feature.missing != [false; 3]
        };
        match self.kinds.iter().position(mixed) {
            None => Ok(()),
            Some(feature) => Err(ImportError::Unsupported {
                what: format!(
                    "the feature \"{}\", which trees read in different ways,",
                    self.names[feature]
                ),
                instead: "train all trees in one go, with the same zero_as_missing and categories",
            }),
        }
    }

    fn signals(self) -> Vec<Signal> {
        let categories = self.kinds.iter().filter(|feature| feature.levels.is_some()).count();
        let use_names = self.pandas.len() == categories;
        let mut named = self.pandas.into_iter();
        let signal = |(name, feature): (String, Feature)| {
            let kind = match feature.levels {
                None if feature.missing[ZERO] => SignalKind::NonZero,
                None => SignalKind::Number,
                Some(count) => {
                    let mut levels =
                        if use_names { named.next().unwrap_or_default() } else { Vec::new() };
                    for level in levels.len()..count {
                        levels.push(level.to_string());
                    }
                    SignalKind::Category { levels }
                }
            };
            Signal::new(name, kind)
        };
        self.names.into_iter().zip(self.kinds).map(signal).collect()
    }
}

const NONE: usize = 0;
const ZERO: usize = 1;
const NAN: usize = 2;

/// One tree's block.
struct Source<'a> {
    index: usize,
    fields: Fields<'a>,
}

/// A split as LightGBM writes it.
struct Split {
    feature: usize,
    kind: Decision,
    /// A node, or the complement of a leaf where negative.
    children: [i64; 2],
    count: f64,
}

enum Decision {
    Number {
        cut: f64,
        missing: usize,
        default_left: bool,
    },
    /// Bits of the levels that go left.
    Category(Vec<u32>),
}

impl Source<'_> {
    fn wrong(&self, what: String) -> ImportError {
        ImportError::Tree { tree: self.index, what }
    }

    fn numbers<T: std::str::FromStr>(&self, key: &str) -> Result<Vec<T>, ImportError> {
        let parse =
            |word: &str| word.parse().map_err(|_| self.wrong(format!("{key} holds \"{word}\"")));
        self.fields.text(key).split_whitespace().map(parse).collect()
    }

    fn nodes(&self) -> Result<Vec<Split>, ImportError> {
        let leaves = self
            .fields
            .whole("num_leaves")
            .ok_or_else(|| self.wrong("num_leaves is missing".to_owned()))?;
        if leaves <= 1 {
            return Ok(Vec::new());
        }
        let features: Vec<usize> = self.numbers("split_feature")?;
        let cuts: Vec<f64> = self.numbers("threshold")?;
        let kinds: Vec<usize> = self.numbers("decision_type")?;
        let (left, right): (Vec<i64>, Vec<i64>) =
            (self.numbers("left_child")?, self.numbers("right_child")?);
        let counts: Vec<f64> = self.numbers("internal_count")?;
        let bounds: Vec<usize> = self.numbers("cat_boundaries")?;
        let bits: Vec<u32> = self.numbers("cat_threshold")?;
        let count = leaves - 1;
        if [features.len(), cuts.len(), kinds.len(), left.len(), right.len()]
            .iter()
            .any(|&length| length != count)
        {
            return Err(self.wrong(format!("its columns do not hold {count} splits each")));
        }
        let split = |at: usize| {
            let kind = if kinds[at] & 1 == 1 {
                let set = cuts[at] as usize;
                let ends = bounds.get(set..set.saturating_add(2));
                let set = match ends {
                    Some(&[from, to]) => bits.get(from..to),
                    _ => None,
                };
                Decision::Category(
                    set.ok_or_else(|| self.wrong(format!("split {at} has no set of levels")))?
                        .to_vec(),
                )
            } else {
                let missing = kinds[at] >> 2 & 3;
                if missing > NAN {
                    return Err(
                        self.wrong(format!("split {at} has the unknown missing type {missing}"))
                    );
                }
                Decision::Number { cut: cuts[at], missing, default_left: kinds[at] & 2 != 0 }
            };
            let count = counts.get(at).copied().unwrap_or(0.0);
            Ok(Split { feature: features[at], kind, children: [left[at], right[at]], count })
        };
        (0..count).map(split).collect()
    }

    fn read(&self, features: &Features, scale: f64) -> Result<Tree, ImportError> {
        let splits = self.nodes()?;
        let values: Vec<f64> = self.numbers("leaf_value")?;
        let counts: Vec<f64> = self.numbers("leaf_count")?;
        let leaf = |at: usize| match values.get(at) {
            Some(value) => Ok(Node::Leaf {
                value: value * scale,
                cover: counts.get(at).copied().unwrap_or(0.0),
            }),
            None => Err(self.wrong(format!("there is no leaf {at}"))),
        };
        if splits.is_empty() {
            return Ok(Tree { nodes: vec![leaf(0)?] });
        }
        // Children are laid out behind their parents, whatever the file's order is.
        let mut nodes: Vec<Node> = Vec::with_capacity(2 * splits.len() + 1);
        let mut open = vec![(0i64, None)];
        while let Some((source, parent)) = open.pop() {
            let at = nodes.len() as u32;
            if nodes.len() > 2 * splits.len() {
                return Err(self.wrong("a node has two parents".to_owned()));
            }
            if let Some((parent, is_right)) = parent
                && let Some(Node::Split { left, right, .. }) = nodes.get_mut(parent)
            {
                *(if is_right { right } else { left }) = at;
            }
            if source < 0 {
                nodes.push(leaf(!source as usize)?);
                continue;
            }
            let Some(split) = splits.get(source as usize) else {
                return Err(self.wrong(format!("there is no split {source}")));
            };
            let (rule, missing_left) = rule(split, &features.kinds[split.feature]);
            nodes.push(Node::Split {
                signal: split.feature as u16,
                rule,
                missing_left,
                left: 0,
                right: 0,
                cover: split.count,
            });
            open.push((split.children[1], Some((at as usize, true))));
            open.push((split.children[0], Some((at as usize, false))));
        }
        Ok(Tree { nodes })
    }
}

/// The rule of a split, and where a missing value goes. LightGBM sends a missing or unknown
/// category to the right, and reads a missing number as 0 where training had none missing.
fn rule(split: &Split, feature: &Feature) -> (Rule, bool) {
    match &split.kind {
        Decision::Number { cut, missing, default_left } => {
            let missing_left = if *missing == NONE { 0.0 <= *cut } else { *default_left };
            (Rule::AtMost(*cut), missing_left)
        }
        Decision::Category(bits) => {
            let mut levels = LevelSet::default();
            for level in 0..feature.levels.unwrap_or(0).min(32 * bits.len()) {
                if bits[level / 32] >> (level % 32) & 1 == 1 {
                    levels.insert(level);
                }
            }
            (Rule::OneOf { levels, other_left: false }, false)
        }
    }
}
