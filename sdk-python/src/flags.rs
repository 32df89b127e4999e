//! Features and experiments of a bundle, ready to be asked.

use pyo3::prelude::*;
use pyo3::types::PyString;
use rapport_core::experiment::{Assignment, Effect, Experiment, Flags, Leaf, Why};
use rapport_core::targeting::{Own, Value};

/// Flags with what Python needs to ask them.
pub struct Asking {
    pub flags: Flags,
    /// The attributes' names, by their numbers, as Python looks them up.
    names: Vec<Py<PyString>>,
    /// By the numbers of the features.
    features: Vec<Reads>,
    /// By the numbers of the experiments of pages.
    pages: Vec<Reads>,
    /// What all of them read.
    all: Reads,
    /// Where each experiment stands, by its number.
    experiments: Vec<Place>,
}

/// What of a visitor decides something.
#[derive(Default)]
pub struct Reads {
    /// The numbers of the attributes that callers give.
    pub attributes: Vec<u16>,
    /// Whether the score does.
    pub score: bool,
    /// Whether the time does.
    pub now: bool,
}

#[derive(Clone, Copy)]
enum Place {
    Rule { feature: usize, rule: usize },
    Page(usize),
}

impl Asking {
    pub fn new(py: Python<'_>, flags: Flags) -> Self {
        let described = flags.describe();
        let reads = |described: &Value<'_>, takes: &dyn Fn(Own) -> bool| Reads {
            attributes: match described {
                Value::List(numbers) => numbers.iter().map(|one| one.to_number() as u16).collect(),
                _ => Vec::new(),
            },
            score: takes(Own::Score) || takes(Own::Band),
            // What was shown long ago counts as never shown.
            now: takes(Own::Now) || takes(Own::Shown),
        };
        let list = |what: &str| match described.member(what) {
            Some(Value::List(items)) => items.as_slice(),
            _ => &[],
        };
        let features = flags.features.iter().zip(list("features"));
        let features = features.map(|(feature, described)| {
            reads(described.at("reads"), &|own| flags.takes(feature, own))
        });
        let pages = flags.experiments.iter().zip(list("pages"));
        let pages =
            pages.map(|(page, described)| reads(described, &|own| flags.page_takes(page, own)));
        let (features, pages): (Vec<_>, Vec<_>) = (features.collect(), pages.collect());
        let all = Reads {
            attributes: (Own::COUNT..flags.attributes.len()).map(|number| number as u16).collect(),
            score: features.iter().chain(&pages).any(|reads| reads.score),
            now: true,
        };
        let rules = flags.features.iter().enumerate().flat_map(|(feature, held)| {
            let runs = held.rules.iter().enumerate();
            runs.filter(|(_, rule)| matches!(rule.effect, Effect::Run(_)))
                .map(move |(rule, _)| Place::Rule { feature, rule })
        });
        let experiments = rules.chain((0..flags.experiments.len()).map(Place::Page)).collect();
        let names =
            flags.attributes.iter().map(|name| PyString::intern(py, name).unbind()).collect();
        Self { flags, names, features, pages, all, experiments }
    }

    pub fn name<'py>(&self, py: Python<'py>, number: u16) -> Option<&Bound<'py, PyString>> {
        Some(self.names.get(usize::from(number))?.bind(py))
    }

    /// The number of a feature.
    pub fn find(&self, key: &str) -> Option<usize> {
        self.flags.features.binary_search_by(|feature| (*feature.key).cmp(key)).ok()
    }

    pub fn feature(&self, number: usize) -> &Reads {
        self.features.get(number).unwrap_or(&self.all)
    }

    pub fn page(&self, number: usize) -> &Reads {
        self.pages.get(number).unwrap_or(&self.all)
    }

    pub fn all(&self) -> &Reads {
        &self.all
    }

    fn experiment(&self, number: u32) -> Option<&Experiment> {
        match *self.experiments.get(number as usize)? {
            Place::Page(at) => self.flags.experiments.get(at),
            Place::Rule { feature, rule } => {
                match &self.flags.features.get(feature)?.rules.get(rule)?.effect {
                    Effect::Run(experiment) => Some(experiment),
                    _ => None,
                }
            }
        }
    }

    /// Names the attribute that an error is about.
    pub fn about(&self, number: u16, error: PyErr) -> PyErr {
        let name = self.flags.attributes.get(usize::from(number)).map_or("", String::as_str);
        crate::error::visitor(format!("attribute `{name}`: {error}"))
    }
}

/// An assignment that outlives the question.
#[derive(Clone)]
pub struct Held {
    experiment: u32,
    feature: Option<usize>,
    pub why: Why,
    pub variation: usize,
    pub in_experiment: bool,
    pub by_hash: bool,
    sticky: bool,
    attribute: u16,
    value: String,
    /// The attribute's value as it was given, where its text says less.
    raw: Option<Value<'static>>,
    place: Option<f64>,
    leaf: Option<usize>,
}

impl Held {
    pub fn of(asking: &Asking, assignment: Assignment<'_>, given: &[Value<'_>]) -> Self {
        let raw = match given.get(usize::from(assignment.attribute)) {
            None | Some(Value::Text(_) | Value::Null) => None,
            Some(value) => Some(value.clone().into_owned()),
        };
        let leaf = assignment.leaf.and_then(|leaf| {
            let leaves = &assignment.experiment.bandit.as_ref()?.leaves;
            leaves.iter().position(|other| std::ptr::eq(leaf, other))
        });
        Self {
            experiment: assignment.experiment.number,
            feature: asking.find(assignment.feature),
            why: assignment.why,
            variation: assignment.variation,
            in_experiment: assignment.in_experiment,
            by_hash: assignment.by_hash,
            sticky: assignment.sticky,
            attribute: assignment.attribute,
            value: assignment.value,
            raw,
            place: assignment.place,
            leaf,
        }
    }

    /// The assignment as core has it.
    pub fn view<'a>(&self, asking: &'a Asking) -> Option<Assignment<'a>> {
        let experiment = asking.experiment(self.experiment)?;
        let feature = self.feature.and_then(|at| asking.flags.features.get(at));
        Some(Assignment {
            experiment,
            feature: feature.map_or("", |feature| &feature.key),
            why: self.why,
            variation: self.variation,
            in_experiment: self.in_experiment,
            by_hash: self.by_hash,
            sticky: self.sticky,
            attribute: self.attribute,
            value: self.value.clone(),
            place: self.place,
            leaf: self.leaf(experiment),
        })
    }

    fn leaf<'a>(&self, experiment: &'a Experiment) -> Option<&'a Leaf> {
        experiment.bandit.as_ref()?.leaves.get(self.leaf?)
    }

    /// The value that stands for the visitor, as it is hashed.
    pub fn text(&self) -> &str {
        &self.value
    }

    /// The attributes as core's views read them: only the one that stands for the visitor.
    pub fn given(&self) -> Vec<Value<'static>> {
        let mut given = vec![Value::Null; usize::from(self.attribute)];
        given.push(self.raw.clone().unwrap_or_else(|| Value::Text(self.value.clone().into())));
        given
    }
}
