//! What people see of a prediction.

use crate::model::{Bands, Margin, Model, Probability, Row};

/// A score as it is shown: `round(100 · g(p))`, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(pub u8);

/// What the model says about a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    Not,
    Undecided,
    Qualified,
}

/// A prediction in all its forms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub margin: Margin,
    pub probability: Probability,
    pub score: Score,
    pub band: Band,
}

/// Scores a row.
pub fn score(model: &Model, row: &Row) -> Scored {
    Scored::at(model, model.predict(row))
}

impl Scored {
    /// What a margin means to a model.
    pub fn at(model: &Model, margin: Margin) -> Scored {
        let probability = model.probability(margin);
        let score = Score::rounded(model.fine_score(probability));
        Scored { margin, probability, score, band: Band::of(probability, model.bands()) }
    }
}

impl Score {
    /// The shown score at a margin.
    pub fn at(model: &Model, margin: Margin) -> Score {
        Score::rounded(fine(model, margin))
    }

    /// Half a point rounds up.
    fn rounded(fine: f64) -> Score {
        Score((fine + 0.5).floor() as u8)
    }
}

/// The score at a margin before rounding.
#[inline(never)] // explanations ask four times
pub(super) fn fine(model: &Model, margin: Margin) -> f64 {
    model.fine_score(model.probability(margin))
}

impl Band {
    pub fn of(probability: Probability, bands: Bands) -> Band {
        if probability.0 >= bands.qualified_from {
            Band::Qualified
        } else if probability.0 < bands.not_below {
            Band::Not
        } else {
            Band::Undecided
        }
    }

    /// The band of a number: 0 not, 1 undecided, else qualified.
    pub const fn numbered(number: u8) -> Self {
        match number {
            0 => Self::Not,
            1 => Self::Undecided,
            _ => Self::Qualified,
        }
    }

    /// The band of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Not, Self::Undecided, Self::Qualified].into_iter().find(|band| band.name() == name)
    }

    /// The word that the API, conditions and exported files use.
    pub const fn name(self) -> &'static str {
        match self {
            Band::Not => "not",
            Band::Undecided => "undecided",
            Band::Qualified => "qualified",
        }
    }
}
