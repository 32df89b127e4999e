//! What a model makes of a visitor.

use crate::feature::{Feature, Variation};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rapport_core::decide::{self, Engine};
use rapport_core::event::Millis;
use rapport_core::profile::Profile;
use rapport_core::scoring::Band;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a bundle says of a visitor, and why.
#[derive(Default)]
#[pyclass(frozen, get_all, module = "rapport")]
pub struct Decision {
    /// 0 to 100; None, not 0, where nobody may be scored.
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
    /// Until then the score stays true if nothing happens; None for ever.
    pub next_change_at: Option<i64>,
    /// The profile with the events folded in, to be kept and given back with the next call.
    pub profile: Option<Py<PyBytes>>,
    /// Features and slots by their keys.
    pub features: BTreeMap<String, Py<Feature>>,
    /// Changes of pages that the visitor gets.
    pub changes: Vec<Py<Variation>>,
    pub audiences: Vec<String>,
    /// The reasons of the score, and of each feature, in sentences.
    pub why: Vec<String>,
    /// SHA-256 of the bundle's manifest, in hex.
    pub bundle: Option<String>,
    /// The name of the model that scored, where the workspace brought one: that one, or its fallback.
    pub scored_by: Option<String>,
    /// What went wrong with the brought model: docs/models.md.
    pub fault: Option<String>,
}

impl Decision {
    /// Where nothing scores.
    pub fn unscored(bundle: Option<String>, now: Millis) -> Self {
        Self { as_of: now.0, bundle, ..Self::default() }
    }

    /// Only what the model says.
    pub fn of(
        py: Python<'_>,
        bundle: Option<String>,
        engine: &Engine,
        profile: &Profile,
        decision: decide::Decision,
    ) -> PyResult<Self> {
        let reasons = decision.reasons.iter().map(|reason| {
            let mut text = String::new();
            engine.describe(profile, &decision, reason, &mut text);
            Reason { signal: reason.id, text, points: reason.points, error: None }
        });
        let reasons: Vec<_> = reasons.collect();
        Ok(Self {
            score: Some(decision.score),
            band: Some(decision.band.name()),
            probability: Some(decision.probability),
            base: Some(decision.base),
            why: reasons.iter().map(Reason::__str__).collect(),
            reasons: reasons.into_iter().map(|one| Py::new(py, one)).collect::<PyResult<_>>()?,
            rest: decision.rest,
            next_change_at: decision.next_change_at.map(|at| at.0),
            profile: Some(PyBytes::new(py, &profile.encode(engine.signals())).unbind()),
            ..Self::unscored(bundle, decision.as_of)
        })
    }
}

/// A score that the workspace's server gave.
#[derive(Debug, Deserialize)]
pub struct Verdict {
    score: u8,
    band: String,
    probability: f64,
    base: u8,
    reasons: Vec<Sentence>,
    rest: i32,
    scored_by: Option<String>,
    fault: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Sentence {
    signal: u32,
    text: String,
    points: i32,
    error: Option<f64>,
}

impl Verdict {
    /// What conditions read of it.
    pub fn known(&self) -> Option<(u8, Band)> {
        Some((self.score, Band::named(&self.band)?))
    }

    /// The decision that it makes, with so many reasons at most.
    pub fn decision(
        self,
        py: Python<'_>,
        bundle: Option<String>,
        now: Millis,
        most: usize,
    ) -> PyResult<Decision> {
        let left: i32 = self.reasons.iter().skip(most).map(|one| one.points).sum();
        let reasons = self.reasons.into_iter().take(most).map(|one| {
            let Sentence { signal, text, points, error } = one;
            Reason { signal, text, points, error }
        });
        let reasons: Vec<_> = reasons.collect();
        Ok(Decision {
            score: Some(self.score),
            band: Band::named(&self.band).map(Band::name),
            probability: Some(self.probability),
            base: Some(self.base),
            why: reasons.iter().map(Reason::__str__).collect(),
            reasons: reasons.into_iter().map(|one| Py::new(py, one)).collect::<PyResult<_>>()?,
            rest: self.rest + left,
            scored_by: self.scored_by,
            fault: self.fault,
            ..Decision::unscored(bundle, now)
        })
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
    /// One standard error of the points, where a brought model's reasons are sampled.
    pub error: Option<f64>,
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
