//! A tree model as trainers and importers make it, before it is packed.

/// A gradient-boosted tree model over named signals. The margin of a row is
/// `base_margin` plus the value of the leaf that the row reaches in every tree.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeModel {
    /// What the model reads, in the order of a row's values.
    pub signals: Vec<Signal>,
    pub trees: Vec<Tree>,
    /// Log-odds that every row starts from.
    pub base_margin: f64,
}

impl TreeModel {
    /// Weighs the trees by rows, for models whose training data nobody knows: each node's cover is the
    /// number of rows that reach it, and a share of one more that parts evenly at each split.
    pub fn weigh(&mut self, rows: &[Vec<f64>]) {
        for tree in &mut self.trees {
            let mut covers = vec![0.0; tree.nodes.len()];
            if let Some(root) = covers.first_mut() {
                *root = 1.0;
            }
            for at in 0..tree.nodes.len() {
                let Some(Node::Split { left, right, .. }) = tree.nodes.get(at) else { continue };
                let half = covers.get(at).copied().unwrap_or(0.0) / 2.0;
                for child in [*left, *right] {
                    if let Some(cover) = covers.get_mut(child as usize) {
                        *cover = half;
                    }
                }
            }
            for row in rows {
                let mut at = Some(0);
                while let Some((node, place)) = at.and_then(|at| Some((tree.nodes.get(at)?, at))) {
                    if let Some(cover) = covers.get_mut(place) {
                        *cover += 1.0;
                    }
                    at = node.next(row).filter(|next| *next > place);
                }
            }
            for (node, weight) in tree.nodes.iter_mut().zip(covers) {
                match node {
                    Node::Leaf { cover, .. } | Node::Split { cover, .. } => *cover = weight,
                }
            }
        }
    }
}

impl Node {
    /// Where a row goes on; `None` from a leaf. Of a row of numbers, without rounding.
    fn next(&self, row: &[f64]) -> Option<usize> {
        let Self::Split { signal, rule, missing_left, left, right, .. } = self else { return None };
        let value = row.get(usize::from(*signal)).copied().unwrap_or(f64::NAN);
        let goes_left = match rule {
            _ if value.is_nan() => *missing_left,
            Rule::AtMost(cut) => value <= *cut,
            Rule::OneOf { levels, .. } => levels.contains(value as usize),
        };
        Some(if goes_left { *left } else { *right } as usize)
    }
}

/// One input of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Stable across bundles; 0 where the model was trained on a table that declares no signals.
    pub id: u32,
    pub name: String,
    pub kind: SignalKind,
    /// How the table that the model was trained on writes the values.
    pub notation: Notation,
}

impl Signal {
    /// A signal of a table that declares none, and of whose writing nothing is known.
    pub fn new(name: impl Into<String>, kind: SignalKind) -> Signal {
        Signal { id: 0, name: name.into(), kind, notation: Notation::Untold }
    }
}

/// How a table writes numbers or dates that could be read in two ways, so that later tables are
/// read as the one that a model was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Notation {
    /// No table, or no cell of it, said so.
    #[default]
    Untold,
    DecimalPoint,
    DecimalComma,
    DayFirst,
    MonthFirst,
}

/// How the values of a signal are read.
#[derive(Debug, Clone, PartialEq)]
pub enum SignalKind {
    /// A number; NaN is missing.
    Number,
    /// A number whose zero (magnitude at most 1e-35) means missing, as LightGBM's `zero_as_missing`.
    NonZero,
    /// A calendar date, as days since 1970-01-01; NaN is missing.
    Date,
    /// One of the named levels; a row holds the level's index, NaN where missing and
    /// `levels.len()` where the level was never seen in training.
    Category { levels: Vec<String> },
}

/// A binary tree; node 0 is the root, children stand behind their parents.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    pub nodes: Vec<Node>,
}

/// A node of a [`Tree`]. `cover` is the training weight that passed through it
/// (a count, or a sum of hessians) and must be positive: explanations weigh absent signals by it.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Leaf {
        /// Log-odds, learning rate folded in.
        value: f64,
        cover: f64,
    },
    Split {
        /// Index into [`TreeModel::signals`].
        signal: u16,
        rule: Rule,
        /// Where a missing value goes.
        missing_left: bool,
        left: u32,
        right: u32,
        cover: f64,
    },
}

/// What sends a row to the left child.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// Left where `value <= cut`.
    AtMost(f64),
    /// Left where the level is in the set; a level never seen in training goes left where `other_left`.
    OneOf { levels: LevelSet, other_left: bool },
}

/// A set of level indices as a bit set, 64 levels a word.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct LevelSet(pub Vec<u64>);

impl LevelSet {
    /// Whether level `index` is in the set.
    pub fn contains(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Adds level `index`.
    pub fn insert(&mut self, index: usize) {
        let word = index / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(slot) = self.0.get_mut(word) {
            *slot |= 1 << (index % 64);
        }
    }
}
