//! Models that add up effects of single signals: hand-made points and logistic regression.

use super::Signal;

/// `margin = bias + Σ groups`, where a group is the sum of its terms held between two caps.
#[derive(Debug, Clone, PartialEq)]
pub struct AdditiveModel {
    /// What the model reads, in the order of a row's values.
    pub signals: Vec<Signal>,
    pub bias: f64,
    pub groups: Vec<Group>,
}

/// Terms whose sum is held between two caps. A group that has a cap reads at most
/// [`Group::MOST_CAPPED_SIGNALS`] signals, so that its explanation stays exact.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub terms: Vec<Term>,
    /// Negative infinity where there is none.
    pub at_least: f64,
    /// Infinity where there is none.
    pub at_most: f64,
}

impl Group {
    pub const MOST_CAPPED_SIGNALS: usize = 10;

    /// Terms that simply add up.
    pub fn uncapped(terms: Vec<Term>) -> Group {
        Group { terms, at_least: f64::NEG_INFINITY, at_most: f64::INFINITY }
    }

    /// Whether the sum is held at all.
    pub fn is_capped(&self) -> bool {
        self.at_least > f64::NEG_INFINITY || self.at_most < f64::INFINITY
    }

    /// The signals that the terms read, each once, in rising order.
    pub fn players(&self) -> Vec<u16> {
        let mut players: Vec<u16> = Vec::new();
        for term in &self.terms {
            if let Err(place) = players.binary_search(&term.signal) {
                players.insert(place, term.signal);
            }
        }
        players
    }
}

/// What one signal adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// Index into [`AdditiveModel::signals`].
    pub signal: u16,
    pub effect: Effect,
    /// What a missing value adds.
    pub missing: f64,
    /// What the term adds where nothing is known about the visitor: an explanation credits the
    /// signal with the difference. Hand-made rules use `missing`, regressions the average.
    pub usual: f64,
}

/// How a value becomes an addend.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// `points` a unit of the value, which is held in `from..=to` first.
    PerUnit { points: f64, from: f64, to: f64 },
    /// The points of the last step that the value reaches; 0 below the first.
    Steps(Vec<Step>),
    /// Points a level, in the order of the category's levels, and for a level never seen.
    Levels { points: Vec<f64>, other: f64 },
}

/// A threshold and what it is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    pub from: f64,
    pub points: f64,
}
