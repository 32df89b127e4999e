//! A model as hosts use it: opened once from a file's bytes, then only computed.

use super::file::packed::{Packed, PackedKind};
use super::trees::{Forest, NAMED, STAGED};
use super::{
    AdditiveModel, Bands, Calibration, LevelHash, ModelError, Scale, Signal, SignalKind, file, sum,
};

/// Nothing that a margin is made of is larger, so that sums stay numbers.
pub(crate) const LARGEST: f64 = 1e15;

/// Whether a number may be part of a model.
pub(crate) fn bounded(number: f64) -> bool {
    number.abs() <= LARGEST
}

/// Log-odds, or the points of a hand-made model.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
pub struct Margin(pub f64);

/// A chance in `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Probability(pub f64);

/// A validated model with its tables. Nothing that it does can fail.
pub struct Model {
    pub(crate) engine: Engine,
    name: String,
    signals: Vec<Signal>,
    calibration: Calibration,
    scale: Scale,
    bands: Bands,
    wanted_fpr: Option<f64>,
    base: Margin,
}

/// Which tables are built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    All,
    /// Those of explanations are left out.
    Scores,
}

#[allow(clippy::large_enum_variant)] // one a model, and read on the hot path
pub(crate) enum Engine {
    Trees(Forest),
    Sum(AdditiveModel),
}

/// What a model asked about one visitor, filled once from values and then only read. It belongs to
/// the model that made it; another model's row gives a meaningless margin, never a failure.
#[derive(Clone)]
pub struct Row {
    /// Tree models: the answers to their questions.
    pub(crate) answers: Vec<bool>,
    /// Tree models: room for the values on their way.
    staged: Box<[f32; STAGED]>,
    /// Additive models: the values.
    pub(crate) values: Vec<f64>,
}

impl Model {
    /// Checks a file's bytes and builds the tables.
    pub fn open(bytes: &[u8]) -> Result<Model, ModelError> {
        file::read(bytes).map(|packed| Model::of(packed, Tables::All))
    }

    /// Builds the tables of a checked file.
    pub(crate) fn of(packed: Packed, tables: Tables) -> Model {
        let (engine, base) = match packed.kind {
            PackedKind::Trees(trees) => {
                let forest = Forest::new(&trees, &packed.signals, tables);
                let base =
                    forest.base_margin + forest.sweep.as_ref().map_or(0.0, |sweep| sweep.usual);
                (Engine::Trees(forest), base)
            }
            PackedKind::Points(model) | PackedKind::Logistic(model) => {
                let base = sum::usual_margin(&model);
                (Engine::Sum(model), base)
            }
        };
        Model {
            engine,
            name: packed.name,
            signals: packed.signals,
            calibration: packed.calibration,
            scale: packed.scale,
            bands: packed.bands,
            wanted_fpr: packed.wanted_fpr,
            base: Margin(base),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the model reads, in the order of a row's values. Names may be empty, and levels
    /// stand-ins of their hashes, where their text did not travel.
    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }

    pub fn bands(&self) -> Bands {
        self.bands
    }

    pub fn wanted_fpr(&self) -> Option<f64> {
        self.wanted_fpr
    }

    /// The margin of a visitor about whom nothing is known: where explanations start. The plain
    /// base margin where the model has no covers.
    pub fn base_margin(&self) -> Margin {
        self.base
    }

    /// Whether the file kept what explanations need.
    pub fn explains(&self) -> bool {
        match &self.engine {
            Engine::Trees(forest) => forest.sweep.is_some(),
            Engine::Sum(_) => true,
        }
    }

    /// A row in which everything is missing.
    pub fn row(&self) -> Row {
        let count = self.signals.len();
        let mut row = Row { answers: vec![], staged: Box::new([f32::NAN; STAGED]), values: vec![] };
        match &self.engine {
            Engine::Trees(forest) => {
                row.answers = vec![false; forest.door.answers().max(NAMED)];
                // Not by `fill`, which pages do not need otherwise.
                (0..count).for_each(|signal| forest.door.set(&mut row.answers, signal, f64::NAN));
            }
            Engine::Sum(_) => row.values = vec![f64::NAN; count],
        }
        row
    }

    /// Writes the value of one signal, by its place in [`Model::signals`]: a number as it is, a date
    /// as days since 1970-01-01, a category as the index of its level (see [`Model::level`]), NaN
    /// where missing.
    #[inline]
    pub fn set(&self, row: &mut Row, signal: usize, value: f64) {
        match &self.engine {
            Engine::Trees(forest) => forest.door.set(&mut row.answers, signal, value),
            Engine::Sum(_) => {
                if let Some(slot) = row.values.get_mut(signal) {
                    *slot = match self.signals.get(signal) {
                        Some(Signal { kind: SignalKind::NonZero, .. }) if value.abs() <= 1e-35 => {
                            f64::NAN
                        }
                        _ => value,
                    };
                }
            }
        }
    }

    /// Writes the values of all signals in order; what is not given is missing.
    #[inline]
    pub fn fill(&self, row: &mut Row, values: &[f64]) {
        let count = self.signals.len();
        match &self.engine {
            Engine::Trees(forest) if values.len() >= count && count <= STAGED => {
                forest.door.fill(&mut row.answers, &mut row.staged, values);
            }
            _ => {
                for signal in 0..count {
                    self.set(row, signal, values.get(signal).copied().unwrap_or(f64::NAN));
                }
            }
        }
    }

    /// The value that stands for a level of a category: its index, or the number of levels where
    /// the model has never seen it.
    pub fn level(&self, signal: usize, hash: LevelHash) -> f64 {
        let Some(Signal { kind: SignalKind::Category { levels }, .. }) = self.signals.get(signal)
        else {
            return f64::NAN;
        };
        levels.iter().position(|level| LevelHash::of(level) == hash).unwrap_or(levels.len()) as f64
    }

    /// The values of a signal at which a tree model's margin may change, in no order; `None` where it
    /// may change anywhere.
    pub fn cuts(&self, signal: usize) -> Option<Vec<f64>> {
        match &self.engine {
            Engine::Trees(forest) => Some(forest.door.cuts(signal)),
            Engine::Sum(_) => None,
        }
    }

    #[inline]
    pub fn predict(&self, row: &Row) -> Margin {
        Margin(match &self.engine {
            Engine::Trees(forest) => forest.base_margin + forest.walk.sum(&row.answers),
            Engine::Sum(model) => sum::margin(model, &row.values),
        })
    }

    pub fn probability(&self, margin: Margin) -> Probability {
        self.calibration.probability(margin)
    }

    /// `100 · g(p)`, the score before rounding.
    pub(crate) fn fine_score(&self, probability: Probability) -> f64 {
        self.scale.score(probability)
    }
}
