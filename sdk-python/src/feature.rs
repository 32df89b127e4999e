//! Answers about features and experiments.

use crate::error::RapportError;
use crate::flags::{Asking, Held};
use crate::values;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rapport_core::experiment::{
    Assignment, Experiment, Outcome, Source, Visitor, assignment_json, experiment_json,
};
use rapport_core::targeting::Value;
use std::sync::Arc;

/// What a feature is for a visitor.
#[pyclass(frozen, module = "rapport")]
pub struct Feature {
    asking: Arc<Asking>,
    /// The value; None where nobody knows the feature, or a prerequisite switched it off.
    #[pyo3(get)]
    value: Py<PyAny>,
    /// Whether the value is neither None, False, 0 nor "".
    #[pyo3(get)]
    on: bool,
    /// GrowthBook's sticky bucket documents as they are now: keep them where they are not what was
    /// given as `sticky`. None where nothing was given.
    #[pyo3(get)]
    sticky: Option<Py<PyAny>>,
    /// The feature's number and that of its rule.
    rule: Option<(usize, Option<usize>)>,
    source: Source,
    assignment: Option<Held>,
    /// Whether it is the default because the visitor allows nothing else.
    refused: bool,
}

impl Feature {
    /// What core says, and the sticky documents after that.
    pub fn of(
        py: Python<'_>,
        asking: &Arc<Asking>,
        number: usize,
        (outcome, sticky): (Outcome<'_>, Option<Py<PyAny>>),
        asked: &Visitor<'_>,
    ) -> PyResult<Self> {
        let on = outcome.on();
        let hold = |assignment| Held::of(asking, assignment, &asked.attributes);
        Ok(Self {
            asking: asking.clone(),
            value: values::write(py, outcome.value)?.unbind(),
            on,
            sticky,
            rule: Some((number, outcome.rule_number)),
            source: outcome.source,
            assignment: outcome.assignment.map(hold),
            refused: false,
        })
    }

    /// The default, for who refuses all else.
    pub fn refused(py: Python<'_>, asking: &Arc<Asking>, number: usize) -> PyResult<Self> {
        let default = asking.flags.features.get(number).map(|feature| &feature.default);
        let value = default.unwrap_or(&Value::Null);
        Ok(Self {
            value: values::write(py, value)?.unbind(),
            on: value.truthy(),
            rule: Some((number, None)),
            source: Source::Default,
            refused: true,
            ..Self::unknown(py, asking)
        })
    }

    pub fn unknown(py: Python<'_>, asking: &Arc<Asking>) -> Self {
        Self {
            asking: asking.clone(),
            value: py.None(),
            on: false,
            sticky: None,
            rule: None,
            source: Source::UnknownFeature,
            assignment: None,
            refused: false,
        }
    }
}

#[pymethods]
impl Feature {
    /// Whether the feature is off.
    #[getter]
    fn off(&self) -> bool {
        !self.on
    }

    /// Where the value comes from, in GrowthBook's words: `defaultValue`, `force`, `experiment`,
    /// `prerequisite`, `cyclicPrerequisite`, `unknownFeature`.
    #[getter]
    fn source(&self) -> &'static str {
        self.source.word()
    }

    /// The id of the rule that decided; may be empty.
    #[getter]
    fn rule_id(&self) -> &str {
        let find = |(feature, rule): (usize, Option<usize>)| {
            self.asking.flags.features.get(feature)?.rules.get(rule?)
        };
        self.rule.and_then(find).map_or("", |rule| &rule.id)
    }

    /// The variation's key, where an experiment decided.
    #[getter]
    fn variation(&self) -> Option<String> {
        let assignment = self.assignment.as_ref()?.view(&self.asking)?;
        Some(assignment.key().into_owned())
    }

    /// Why, in a sentence.
    #[getter]
    fn why(&self) -> &'static str {
        match &self.assignment {
            Some(assignment) => assignment.why.sentence(),
            None if self.refused => "the visitor does not allow personalization",
            None => self.source.sentence(),
        }
    }

    /// The experiment as it was authored, where one decided.
    #[getter]
    fn experiment<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        shown(py, &self.asking, self.assignment.as_ref(), |assignment, _| {
            experiment_json(assignment)
        })
    }

    /// The assignment in GrowthBook's words (`variationId`, `hashValue`, `bucket` …).
    #[getter]
    fn experiment_result<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let asking = &self.asking;
        shown(py, asking, self.assignment.as_ref(), |assignment, given| {
            assignment_json(assignment, &asking.flags, given)
        })
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let value = self.value.bind(py).repr()?;
        Ok(format!("Feature(value={value}, source='{}', why='{}')", self.source.word(), self.why()))
    }
}

/// What an experiment of pages is for a visitor.
#[pyclass(frozen, module = "rapport")]
pub struct Variation {
    asking: Arc<Asking>,
    /// What the variation does: `domMutations`, `css`, `js`, `urlRedirect`.
    #[pyo3(get)]
    value: Option<Py<PyAny>>,
    /// See `Feature.sticky`.
    #[pyo3(get)]
    sticky: Option<Py<PyAny>>,
    held: Held,
}

impl Variation {
    /// What core says, and the sticky documents after that.
    pub fn of(
        py: Python<'_>,
        asking: &Arc<Asking>,
        (assignment, sticky): (Assignment<'_>, Option<Py<PyAny>>),
        asked: &Visitor<'_>,
    ) -> PyResult<Self> {
        let value = assignment.chosen().map(|variation| values::write(py, &variation.value));
        let value = value.transpose()?.map(Bound::unbind);
        let held = Held::of(asking, assignment, &asked.attributes);
        Ok(Self { asking: asking.clone(), value, sticky, held })
    }
}

#[pymethods]
impl Variation {
    #[getter]
    fn in_experiment(&self) -> bool {
        self.held.in_experiment
    }

    /// Why, in a sentence.
    #[getter]
    fn why(&self) -> &'static str {
        self.held.why.sentence()
    }

    /// The experiment as it was authored.
    #[getter]
    fn experiment<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        shown(py, &self.asking, Some(&self.held), |assignment, _| experiment_json(assignment))
    }

    /// The assignment in GrowthBook's words.
    #[getter]
    fn experiment_result<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let asking = &self.asking;
        shown(py, asking, Some(&self.held), |assignment, given| {
            assignment_json(assignment, &asking.flags, given)
        })
    }

    fn __repr__(&self) -> String {
        format!("Variation({}, why='{}')", self.held.variation, self.why())
    }
}

fn shown<'py>(
    py: Python<'py>,
    asking: &Asking,
    held: Option<&Held>,
    view: impl FnOnce(&Assignment<'_>, &[Value<'_>]) -> Value<'static>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(held) = held else { return Ok(None) };
    let Some(assignment) = held.view(asking) else { return Ok(None) };
    values::write(py, &view(&assignment, &held.given())).map(Some)
}

/// Somebody was given a variation: what results count.
#[pyclass(frozen, module = "rapport")]
pub struct Exposure {
    asking: Arc<Asking>,
    held: Held,
    bundle: Option<Arc<str>>,
    /// Whom it happened to, as the call described them.
    #[pyo3(get)]
    visitor: Py<PyAny>,
}

impl Exposure {
    pub fn new(
        asking: Arc<Asking>,
        held: Held,
        bundle: Option<Arc<str>>,
        visitor: Py<PyAny>,
    ) -> Self {
        Self { asking, held, bundle, visitor }
    }

    fn view(&self) -> PyResult<Assignment<'_>> {
        self.held.view(&self.asking).ok_or_else(|| RapportError::new_err("no such experiment"))
    }

    /// The attributes that the experiment asks for, as far as the call gave them.
    fn context<'py>(
        &self,
        py: Python<'py>,
        experiment: &Experiment,
    ) -> PyResult<Bound<'py, PyDict>> {
        let context = PyDict::new(py);
        let Some(Value::List(asked)) = experiment.authored.0.member("contextAttributes") else {
            return Ok(context);
        };
        let Ok(given) = self.visitor.bind(py).get_item("attributes") else { return Ok(context) };
        for name in asked.iter().map(Value::to_text) {
            if let Ok(value) = given.get_item(&*name)
                && !value.is_none()
            {
                context.set_item(&*name, value)?;
            }
        }
        Ok(context)
    }
}

#[pymethods]
impl Exposure {
    #[getter]
    fn experiment_id(&self) -> PyResult<&str> {
        Ok(&self.view()?.experiment.key)
    }

    /// The variation's key.
    #[getter]
    fn variation_id(&self) -> PyResult<String> {
        Ok(self.view()?.key().into_owned())
    }

    #[getter]
    fn variation_name(&self) -> PyResult<Option<&str>> {
        let experiment = self.view()?.experiment;
        Ok(experiment.variations.get(self.held.variation).and_then(|one| one.name.as_deref()))
    }

    /// The feature that the experiment was asked for; None where it runs by itself.
    #[getter]
    fn feature_id(&self) -> PyResult<Option<&str>> {
        let feature = self.view()?.feature;
        Ok((!feature.is_empty()).then_some(feature))
    }

    /// The value that stands for the visitor, as it was hashed.
    #[getter]
    fn hash_value(&self) -> &str {
        self.held.text()
    }

    /// The properties of the event `Experiment Viewed`.
    #[getter]
    fn properties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let assignment = self.view()?;
        let dict = PyDict::new(py);
        dict.set_item("experimentId", &*assignment.experiment.key)?;
        dict.set_item("variationId", &*assignment.key())?;
        let chosen = assignment.chosen();
        if let Some(name) = chosen.and_then(|variation| variation.name.as_deref()) {
            dict.set_item("variationName", name)?;
        }
        if !assignment.feature.is_empty() {
            dict.set_item("featureId", assignment.feature)?;
        }
        if let Some(leaf) = assignment.leaf {
            dict.set_item("propensity", leaf.weights.get(assignment.variation))?;
            dict.set_item("leafId", values::write(py, &leaf.id)?)?;
            let bandit = assignment.experiment.bandit.as_ref();
            if let Some(version) = bandit.and_then(|bandit| bandit.version.as_ref()) {
                dict.set_item("banditVersion", values::write(py, version)?)?;
            }
        }
        let context = self.context(py, assignment.experiment)?;
        if !context.is_empty() {
            dict.set_item("context", context)?;
        }
        if let Some(hash) = &self.bundle {
            dict.set_item("bundle", &**hash)?;
        }
        Ok(dict)
    }

    /// The experiment as it was authored.
    #[getter]
    fn experiment<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        shown(py, &self.asking, Some(&self.held), |assignment, _| experiment_json(assignment))
    }

    /// The assignment in GrowthBook's words.
    #[getter]
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let asking = &self.asking;
        shown(py, asking, Some(&self.held), |assignment, given| {
            assignment_json(assignment, &asking.flags, given)
        })
    }

    fn __repr__(&self) -> PyResult<String> {
        let view = self.view()?;
        Ok(format!(
            "Exposure(experiment_id='{}', variation_id='{}')",
            view.experiment.key,
            view.key()
        ))
    }
}
