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
