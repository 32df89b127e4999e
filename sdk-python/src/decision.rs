//! What a model makes of a visitor.

use pyo3::prelude::*;
use rapport_core::event::Millis;

/// A visitor's score, and why.
#[pyclass(frozen, get_all, module = "rapport")]
pub struct Decision {
    /// 0 to 100; None where the bundle has no model for this host.
    pub score: Option<u8>,
    /// `qualified`, `undecided` or `not`.
    pub band: Option<&'static str>,
    /// That the visitor qualifies, 0 to 1.
    pub probability: Option<f64>,
    /// The score of a visitor of whom nothing is known.
    pub base: Option<u8>,
    /// The strongest reasons, strongest first.
    pub reasons: Vec<Py<Reason>>,
    /// Points of all that `reasons` leaves out: base + reasons + rest = score.
    pub rest: i32,
    /// When this was true, in milliseconds since 1970.
    pub as_of: i64,
    /// Until then it stays true if nothing happens; None for ever.
    pub next_change_at: Option<i64>,
    /// The profile with the events folded in, to be kept and given back with the next call.
    pub profile: Option<Py<pyo3::types::PyBytes>>,
}

impl Decision {
    /// Where nothing scores.
    pub fn unscored(now: Millis) -> Self {
        Self {
            score: None,
            band: None,
            probability: None,
            base: None,
            reasons: Vec::new(),
            rest: 0,
            as_of: now.0,
            next_change_at: None,
            profile: None,
        }
    }
}

#[pymethods]
impl Decision {
    fn __repr__(&self) -> String {
        let reasons: Vec<_> = self.reasons.iter().map(|reason| reason.get().__str__()).collect();
        let score = self.score.map_or("None".to_owned(), |score| score.to_string());
        format!("Decision(score={score}, band='{}', reasons={reasons:?})", self.band.unwrap_or(""))
    }
}

/// What one signal adds to a score or takes from it.
#[pyclass(frozen, get_all, module = "rapport")]
pub struct Reason {
    /// The signal's stable id.
    pub signal: u32,
    /// In words, such as "visited pricing 3 times in 2 days".
    pub text: String,
    pub points: i32,
}

#[pymethods]
impl Reason {
    fn __str__(&self) -> String {
        format!("{:+} {}", self.points, self.text)
    }

    fn __repr__(&self) -> String {
        format!("Reason({:+}, {:?})", self.points, self.text)
    }
}
