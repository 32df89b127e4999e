//! A bundle, opened once and asked about any visitor.

use crate::bundle::{Parts, verified};
use crate::decision::{Decision, Reason, Verdict};
use crate::error::{bundle, guarded, visitor};
use crate::feature::{Exposure, Feature, Variation};
use crate::flags::{Asking, Held};
use crate::values;
use crate::visitor::Described;
use crate::wire::wire;
use pyo3::exceptions::PyIndexError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use rapport_core::decide::{self, Want};
use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::experiment::{
    self as core, Answers, Assignment, Flags, Outcome, StickyBuckets, Visitor, compile_flags,
    why_json,
};
use rapport_core::profile::Profile;
use rapport_core::scoring::Band;
use rapport_core::targeting::Value;
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};

/// More reasons than a model has signals.
const ALL: usize = 256;
/// From so many events on, other threads may run while they are folded.
const MANY_EVENTS: usize = 64;

/// Decides for one workspace: score, explanation, features and experiments.
///
/// Never changes; any number of threads, and children of a fork, use it at once.
#[pyclass(frozen, module = "rapport")]
pub struct Engine {
    asking: Arc<Asking>,
    scoring: Option<Scoring>,
    /// Where only the server can run the live model: the name of what `scoring` then has.
    fallback: Option<String>,
    on_exposure: Option<Py<PyAny>>,
    /// SHA-256 of the signed manifest, in hex.
    bundle: Option<Arc<str>>,
    #[pyo3(get)]
    workspace: String,
    #[pyo3(get)]
    environment: String,
    /// What of a payload does nothing, and why.
    #[pyo3(get)]
    problems: Vec<String>,
}

#[pymethods]
impl Engine {
    /// Opens a published bundle: the manifest as it was signed, the signature and the public key in
    /// base 64, and the parts by their hashes.
    #[staticmethod]
    #[pyo3(signature = (manifest, signature, public_key, parts, *, model=None, locale=None, on_exposure=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of a Python call")]
    fn open(
        py: Python<'_>,
        manifest: &[u8],
        signature: &str,
        public_key: &str,
        parts: &Bound<'_, PyDict>,
        model: Option<&str>,
        locale: Option<&str>,
        on_exposure: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        guarded(|| {
            let signed = (manifest, signature, public_key);
            let Parts { workspace, environment, hash, scoring, fallback, flags } =
                verified(signed, parts, model, locale)?;
            let flags = match flags {
                Some(bytes) => py.detach(|| Flags::open(&bytes)).map_err(bundle)?,
                None => Flags::default(),
            };
            Ok(Self {
                asking: Arc::new(Asking::new(py, flags)),
                scoring: scoring.map(|parts| py.detach(|| Scoring::open(parts))).transpose()?,
                fallback,
                on_exposure,
                bundle: Some(hash.into()),
                workspace,
                environment,
                problems: Vec::new(),
            })
        })
    }

    /// Compiles a payload of GrowthBook's (`features`, `experiments`, `savedGroups` …), as a dict, on
    /// the spot; what of it does nothing stands in `problems`.
    #[staticmethod]
    #[pyo3(signature = (payload, *, on_exposure=None))]
    fn from_payload(
        py: Python<'_>,
        payload: &Bound<'_, PyAny>,
        on_exposure: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        guarded(|| {
            let payload = values::read(payload)?;
            let (opened, problems) = py.detach(|| {
                let (flags, problems) = compile_flags(&payload);
                // What is asked is what would be published.
                (Flags::open(&flags.to_bytes()), problems)
            });
            Ok(Self {
                asking: Arc::new(Asking::new(py, opened.map_err(bundle)?)),
                scoring: None,
                fallback: None,
                on_exposure,
                bundle: None,
                workspace: String::new(),
                environment: String::new(),
                problems: problems.iter().map(ToString::to_string).collect(),
            })
        })
    }

    /// SHA-256 of the signed manifest, in hex; None of what was not published.
    #[getter]
    fn bundle(&self) -> Option<&str> {
        self.bundle.as_deref()
    }

    /// The keys of all features.
    #[getter]
    fn features(&self) -> Vec<&str> {
        self.asking.flags.features.iter().map(|feature| &*feature.key).collect()
    }

    /// The keys of the experiments that run by themselves on pages, by their numbers.
    #[getter]
    fn experiments(&self) -> Vec<&str> {
        self.asking.flags.experiments.iter().map(|experiment| &*experiment.key).collect()
    }

    /// Whether the workspace brought a model that only its server can run: a visitor without what that
    /// said is scored by the fallback.
    #[getter]
    fn asks(&self) -> bool {
        self.fallback.is_some()
    }

    /// Whether what a feature is depends on the visitor's score.
    fn reads_score(&self, key: &str) -> bool {
        self.asking.find(key).is_some_and(|number| self.asking.feature(number).score)
    }

    /// Whether a feature is the same for everybody.
    fn is_fixed(&self, key: &str) -> bool {
        let reads = self.asking.find(key).map(|number| self.asking.feature(number));
        reads.is_some_and(|reads| reads.attributes.is_empty() && !reads.score && !reads.now)
    }

    /// Whether an experience is called so; a feature that comes from one has its key for a rule's id.
    fn is_experience(&self, key: &str) -> bool {
        self.asking.flags.experiences.iter().any(|experience| &*experience.key == key)
    }

    /// What a feature is for a visitor, who sees it from now on: tells `on_exposure` of experiments
    /// on the way. Who refuses personalization gets the default, and nobody is told.
    fn feature(&self, py: Python<'_>, key: &str, visitor: &Bound<'_, PyAny>) -> PyResult<Feature> {
        guarded(|| {
            let asking = &self.asking;
            let described = Described::read(visitor)?;
            let Some(number) = asking.find(key) else { return Ok(Feature::unknown(py, asking)) };
            if !described.allows(PERSONALIZATION)? {
                return Feature::refused(py, asking, number);
            }
            let reads = asking.feature(number);
            let scored = self.scored(&described, reads.score)?;
            let found = described.find(asking, reads)?;
            let asked = described.visitor(asking, &found, scored)?;
            let (outcome, exposures) = asking.flags.feature_numbered(number, &asked);
            let sticky = remembered(py, &asking.flags, found.memory.as_ref(), &exposures)?;
            let feature = Feature::of(py, asking, number, (outcome, sticky), &asked)?;
            self.expose(visitor, exposures, &asked);
            Ok(feature)
        })
    }

    /// Why a feature is what it is for a visitor: a sentence a rule that was looked at, the last one
    /// of what decided. Tells nobody.
    fn why(&self, key: &str, visitor: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
        guarded(|| {
            let asking = &self.asking;
            let described = Described::read(visitor)?;
            let scored = self.scored(&described, asking.all().score)?;
            let found = described.find(asking, asking.all())?;
            let asked = described.visitor(asking, &found, scored)?;
            let (outcome, _) = asking.flags.feature(key, &asked);
            Ok(sentences(&outcome, asking.flags.named(key), &asking.flags, &asked))
        })
    }

    /// What the experiment of that number in `experiments` is for a visitor: a change of pages, or a
    /// redirect. Tells `on_exposure` of experiments on the way.
    fn experiment(
        &self,
        py: Python<'_>,
        number: usize,
        visitor: &Bound<'_, PyAny>,
    ) -> PyResult<Variation> {
        guarded(|| {
            let asking = &self.asking;
            let Some(experiment) = asking.flags.experiments.get(number) else {
                let count = asking.flags.experiments.len();
                return Err(PyIndexError::new_err(format!("there are {count} experiments")));
            };
            let described = Described::read(visitor)?;
            let reads = asking.page(number);
            let scored = self.scored(&described, reads.score)?;
            let found = described.find(asking, reads)?;
            let mut asked = described.visitor(asking, &found, scored)?;
            asked.disabled |= !described.allows(PERSONALIZATION)?;
            let (assignment, exposures) = asking.flags.run(experiment, &asked);
            let sticky = remembered(py, &asking.flags, found.memory.as_ref(), &exposures)?;
            let variation = Variation::of(py, asking, (assignment, sticky), &asked)?;
            self.expose(visitor, exposures, &asked);
            Ok(variation)
        })
    }

    /// Everything that the bundle says of a visitor: the score with its reasons, all features and
    /// changes of pages, and why. Tells nobody: what a visitor sees is asked by `feature`.
    #[pyo3(signature = (visitor, *, reasons=5))]
    fn decide(
        &self,
        py: Python<'_>,
        visitor: &Bound<'_, PyAny>,
        reasons: usize,
    ) -> PyResult<Decision> {
        guarded(|| {
            let asking = &self.asking;
            let flags = &asking.flags;
            let described = Described::read(visitor)?;
            let want = Want { reasons, next_change: true };
            let (mut decision, scored) = self.verdict(py, &described, want)?;
            if !described.allows(PERSONALIZATION)? {
                for (number, feature) in flags.features.iter().enumerate() {
                    let refused = Py::new(py, Feature::refused(py, asking, number)?)?;
                    decision.features.insert(feature.key.to_string(), refused);
                }
                return Ok(decision);
            }
            let found = described.find(asking, asking.all())?;
            let asked = described.visitor(asking, &found, scored)?;
            let Answers { features, pages, .. } = flags.all(&asked);
            decision.audiences = flags.audiences_of(&asked).into_iter().map(Into::into).collect();
            for (number, (feature, outcome)) in flags.features.iter().zip(features).enumerate() {
                let why = sentences(&outcome, Some(feature), flags, &asked);
                decision.why.extend(why.iter().map(|why| format!("{}: {why}", feature.key)));
                let answer = Feature::of(py, asking, number, (outcome, None), &asked)?;
                decision.features.insert(feature.key.to_string(), Py::new(py, answer)?);
            }
            for page in pages.into_iter().filter(|page| page.in_experiment) {
                let change = Variation::of(py, asking, (page, None), &asked)?;
                decision.changes.push(Py::new(py, change)?);
            }
            Ok(decision)
        })
    }

    /// A visitor's score, 0 to 100; None, not 0, where nobody may be scored.
    fn score(&self, visitor: &Bound<'_, PyAny>) -> PyResult<Option<u8>> {
        guarded(|| {
            let scored = self.scored(&Described::read(visitor)?, true)?;
            Ok(scored.map(|(score, _)| score))
        })
    }

    /// All that adds to a visitor's score or takes from it, strongest first.
    fn explain(&self, py: Python<'_>, visitor: &Bound<'_, PyAny>) -> PyResult<Vec<Py<Reason>>> {
        let want = Want { reasons: ALL, next_change: false };
        guarded(|| Ok(self.verdict(py, &Described::read(visitor)?, want)?.0.reasons))
    }

    /// The visitor's profile with the visitor's events folded in; None where no model of the bundle is here.
    fn fold<'py>(
        &self,
        py: Python<'py>,
        visitor: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        guarded(|| {
            let described = Described::read(visitor)?;
            Ok(self.folded(&described)?.map(|bytes| PyBytes::new(py, &bytes)))
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.on_exposure)
    }

    fn __repr__(&self) -> String {
        let features = self.asking.flags.features.len();
        let scores = if self.scoring.is_some() { "scores" } else { "no model" };
        format!("Engine({features} features, {scores})")
    }
}

impl Engine {
    fn expose(
        &self,
        visitor: &Bound<'_, PyAny>,
        exposures: Vec<Assignment<'_>>,
        asked: &Visitor<'_>,
    ) {
        let Some(listener) = &self.on_exposure else { return };
        let py = visitor.py();
        for assignment in exposures {
            let held = Held::of(&self.asking, assignment, &asked.attributes);
            let (asking, bundle) = (self.asking.clone(), self.bundle.clone());
            let exposure = Exposure::new(asking, held, bundle, visitor.clone().unbind());
            if let Err(error) = listener.call1(py, (exposure,)) {
                // A listener that fails costs nobody a decision.
                error.write_unraisable(py, Some(listener.bind(py)));
            }
        }
    }

    /// Score and band, where they are wanted and there is something that scores who may be scored.
    fn scored(&self, described: &Described<'_>, wanted: bool) -> PyResult<Option<(u8, Band)>> {
        if !wanted || !described.allows(PROFILING)? {
            return Ok(None);
        }
        match self.said(described)? {
            Said::Score(verdict) => Ok(verdict.known()),
            Said::Nobody => Ok(None),
            Said::Nothing(_) => {
                let Some(scoring) = &self.scoring else { return Ok(None) };
                scoring.with(|engine| {
                    let now = described.now()?;
                    let profile = profile(engine, described, now)?;
                    let want = Want { reasons: 0, next_change: false };
                    let decision = engine.decide(&profile, now, want);
                    Ok(Some((decision.score, decision.band)))
                })
            }
        }
    }

    fn verdict(
        &self,
        py: Python<'_>,
        described: &Described<'_>,
        want: Want,
    ) -> PyResult<(Decision, Option<(u8, Band)>)> {
        let now = described.now()?;
        let bundle = self.bundle().map(str::to_owned);
        if !described.allows(PROFILING)? {
            return Ok((Decision::unscored(bundle, now), None));
        }
        let fault = match self.said(described)? {
            Said::Score(verdict) => {
                let scored = verdict.known();
                let mut decision = verdict.decision(py, bundle, now, want.reasons)?;
                let folded = self.folded(described)?;
                decision.profile = folded.map(|bytes| PyBytes::new(py, &bytes).unbind());
                return Ok((decision, scored));
            }
            Said::Nobody => return Ok((Decision::unscored(bundle, now), None)),
            Said::Nothing(fault) => fault,
        };
        let Some(scoring) = &self.scoring else {
            return Ok((Decision { fault, ..Decision::unscored(bundle, now) }, None));
        };
        scoring.with(|engine| {
            let profile = profile(engine, described, now)?;
            let decision = engine.decide(&profile, now, want);
            let scored = Some((decision.score, decision.band));
            let scored_by = self.fallback.clone();
            let decision = Decision::of(py, bundle, engine, &profile, decision)?;
            Ok((Decision { scored_by, fault, ..decision }, scored))
        })
    }

    fn folded(&self, described: &Described<'_>) -> PyResult<Option<Vec<u8>>> {
        let Some(scoring) = &self.scoring else { return Ok(None) };
        scoring.with(|engine| {
            let profile = profile(engine, described, described.now()?)?;
            Ok(Some(profile.encode(engine.signals())))
        })
    }

    /// What the server said of a visitor, where it is the one to ask.
    fn said(&self, described: &Described<'_>) -> PyResult<Said> {
        if self.fallback.is_none() {
            return Ok(Said::Nothing(None));
        }
        let Some(said) = &described.said else { return Ok(Said::Nothing(Some("absent".into()))) };
        let SaidWire { verdict, fault } = wire(said, "answer of a server")?;
        Ok(match verdict {
            Some(verdict) => Said::Score(verdict),
            None if fault.is_some() => Said::Nothing(fault),
            None => Said::Nobody,
        })
    }
}

/// What a server said.
enum Said {
    Score(Verdict),
    /// Nobody scores the visitor, or may.
    Nobody,
    /// Nothing, and why: the fallback scores.
    Nothing(Option<String>),
}

#[derive(Deserialize)]
struct SaidWire {
    verdict: Option<Verdict>,
    fault: Option<String>,
}

const PERSONALIZATION: &str = "personalization";
const PROFILING: &str = "profiling";

fn sentences(
    outcome: &Outcome<'_>,
    feature: Option<&core::Feature>,
    flags: &Flags,
    asked: &Visitor<'_>,
) -> Vec<String> {
    match why_json(outcome, feature, flags, asked) {
        Value::List(sentences) => sentences.iter().map(|one| one.to_text().into_owned()).collect(),
        _ => Vec::new(),
    }
}

/// The visitor's documents as they are after these exposures; `None` where nobody remembers.
fn remembered(
    py: Python<'_>,
    flags: &Flags,
    memory: Option<&StickyBuckets>,
    exposures: &[Assignment<'_>],
) -> PyResult<Option<Py<PyAny>>> {
    let Some(memory) = memory else { return Ok(None) };
    let mut memory = memory.clone();
    for assignment in exposures {
        assignment.remember(flags, &mut memory);
    }
    Ok(Some(values::write(py, &memory.documents())?.unbind()))
}

/// What scores visitors: engines with their working memory, one for each call that is under way.
struct Scoring {
    parts: [Vec<u8>; 3],
    /// Locked for moments only, and only while the interpreter is: a fork finds it open.
    idle: Mutex<Vec<decide::Engine>>,
}

impl Scoring {
    fn open(parts: [Vec<u8>; 3]) -> PyResult<Self> {
        let scoring = Self { parts, idle: Mutex::default() };
        scoring.with(|_| Ok(()))?;
        Ok(scoring)
    }

    fn another(&self) -> PyResult<decide::Engine> {
        let [signals, model, words] = &self.parts;
        decide::Engine::open(signals, model, words).map_err(bundle)
    }

    fn with<T>(&self, work: impl FnOnce(&mut decide::Engine) -> PyResult<T>) -> PyResult<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut engine = idle.map_or_else(|| self.another(), Ok)?;
        let done = work(&mut engine);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(engine);
        done
    }
}

/// The visitor's profile with the visitor's events folded in.
fn profile(engine: &decide::Engine, described: &Described<'_>, now: Millis) -> PyResult<Profile> {
    let mut profile = match &described.profile {
        Some(bytes) => engine.open_profile(bytes.extract()?).map_err(visitor)?,
        None => engine.new_profile(),
    };
    if let Some(given) = &described.events {
        let events = compact(given, now)?;
        let mut fold = || fold(engine, &mut profile, &events, now);
        if events.len() < MANY_EVENTS { fold() } else { given.py().detach(fold) }?;
    }
    Ok(profile)
}

/// Segment's events in the compact form, each at its own time.
fn compact(events: &Bound<'_, PyAny>, now: Millis) -> PyResult<Vec<Vec<u8>>> {
    let Ok(list) = events.cast::<PyList>() else {
        return Err(visitor("a visitor's `events` are a list of dicts in Segment's shape"));
    };
    let numbered = list.iter().enumerate();
    let compact = numbered.map(|(at, event)| {
        let event: EventWire = wire(&event, "event")?;
        let time = event.client_time().map(|time| time.unwrap_or(now));
        let bytes = time.and_then(|time| event.encode(time));
        bytes.map_err(|error| visitor(format!("event {at}: {error}")))
    });
    compact.collect()
}

fn fold(
    engine: &decide::Engine,
    profile: &mut Profile,
    events: &[Vec<u8>],
    now: Millis,
) -> PyResult<()> {
    for bytes in events {
        engine.fold(profile, &Event::decode(bytes).map_err(visitor)?, now);
    }
    Ok(())
}
