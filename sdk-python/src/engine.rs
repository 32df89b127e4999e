//! A bundle, opened once and asked about any visitor.

use crate::bundle::{Parts, verified};
use crate::decision::{Decision, Reason};
use crate::error::{bundle, guarded, visitor};
use crate::feature::{Exposure, Feature, Variation};
use crate::flags::{Asking, Held};
use crate::values;
use crate::visitor::Described;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use rapport_core::decide::{self, Want};
use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::experiment::{Assignment, Flags, Source, StickyBuckets, compile_flags};
use rapport_core::profile::Profile;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

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
    on_exposure: Option<Py<PyAny>>,
    /// SHA-256 of the signed manifest, in hex; None of what was not published.
    #[pyo3(get)]
    bundle: Option<String>,
    tag: Option<Arc<str>>,
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
            let Parts { workspace, environment, hash, scoring, flags } =
                verified(signed, parts, model, locale)?;
            let flags = match flags {
                Some(bytes) => py.detach(|| Flags::open(&bytes)).map_err(bundle)?,
                None => Flags::default(),
            };
            Ok(Self {
                asking: Arc::new(Asking::new(py, flags)),
                scoring: scoring.map(|parts| py.detach(|| Scoring::open(parts))).transpose()?,
                on_exposure,
                tag: Some(hash.as_str().into()),
                bundle: Some(hash),
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
                on_exposure,
                bundle: None,
                tag: None,
                workspace: String::new(),
                environment: String::new(),
                problems: problems.iter().map(ToString::to_string).collect(),
            })
        })
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

    /// What a feature is for a visitor, and why. Tells `on_exposure` of experiments on the way.
    fn feature(&self, py: Python<'_>, key: &str, visitor: &Bound<'_, PyAny>) -> PyResult<Feature> {
        guarded(|| {
            let asking = &self.asking;
            let described = Described::read(visitor)?;
            let Some(number) = asking.find(key) else {
                let nothing = (py.None(), None, None);
                let source = (Source::UnknownFeature, false);
                return Ok(Feature::new(asking.clone(), None, source, nothing));
            };
            let found = described.find(asking, asking.reads(number))?;
            let (memory, forced) = (described.memory()?, described.forced()?);
            let asked = described.visitor(asking, &found, memory.as_ref(), &forced)?;
            let (outcome, exposures) = asking.flags.feature_numbered(number, &asked);
            let value = values::write(py, &outcome.value)?.unbind();
            let source = (outcome.source, outcome.on());
            let hold = |assignment| Held::of(asking, assignment, &asked.attributes);
            let assignment = outcome.assignment.map(hold);
            let sticky = remembered(py, &asking.flags, memory.as_ref(), &exposures)?;
            self.expose(visitor, exposures, hold);
            let rule = Some((number, outcome.rule_number));
            Ok(Feature::new(asking.clone(), rule, source, (value, assignment, sticky)))
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
            let found = described.find(asking, asking.page_reads(number))?;
            let (memory, forced) = (described.memory()?, described.forced()?);
            let asked = described.visitor(asking, &found, memory.as_ref(), &forced)?;
            let (assignment, exposures) = asking.flags.run(experiment, &asked);
            let value = assignment.chosen().map(|variation| values::write(py, &variation.value));
            let value = value.transpose()?.map(Bound::unbind);
            let sticky = remembered(py, &asking.flags, memory.as_ref(), &exposures)?;
            let hold = |assignment| Held::of(asking, assignment, &asked.attributes);
            let assignment = hold(assignment);
            self.expose(visitor, exposures, hold);
            Ok(Variation::new(asking.clone(), value, assignment, sticky))
        })
    }

    /// Scores a visitor and says why; `now` in milliseconds since 1970, the clock where left out.
    #[pyo3(signature = (visitor, *, now=None, reasons=5))]
    fn decide(
        &self,
        py: Python<'_>,
        visitor: &Bound<'_, PyAny>,
        now: Option<f64>,
        reasons: usize,
    ) -> PyResult<Decision> {
        guarded(|| self.decided(py, visitor, now, Want { reasons, next_change: true }))
    }

    /// A visitor's score, 0 to 100; None where the bundle has no model for this host.
    #[pyo3(signature = (visitor, *, now=None))]
    fn score(
        &self,
        py: Python<'_>,
        visitor: &Bound<'_, PyAny>,
        now: Option<f64>,
    ) -> PyResult<Option<u8>> {
        let want = Want { reasons: 0, next_change: false };
        guarded(|| Ok(self.decided(py, visitor, now, want)?.score))
    }

    /// All that adds to a visitor's score or takes from it, strongest first.
    #[pyo3(signature = (visitor, *, now=None))]
    fn explain(
        &self,
        py: Python<'_>,
        visitor: &Bound<'_, PyAny>,
        now: Option<f64>,
    ) -> PyResult<Vec<Py<Reason>>> {
        let want = Want { reasons: ALL, next_change: false };
        guarded(|| Ok(self.decided(py, visitor, now, want)?.reasons))
    }

    fn __repr__(&self) -> String {
        let features = self.asking.flags.features.len();
        let scores = if self.scoring.is_some() { "scores" } else { "no model" };
        format!("Engine({features} features, {scores})")
    }
}

impl Engine {
    fn expose<'f>(
        &self,
        visitor: &Bound<'_, PyAny>,
        exposures: Vec<Assignment<'f>>,
        hold: impl Fn(Assignment<'f>) -> Held,
    ) {
        let Some(listener) = &self.on_exposure else { return };
        let py = visitor.py();
        for assignment in exposures {
            let (asking, held) = (self.asking.clone(), hold(assignment));
            let exposure = Exposure::new(asking, held, self.tag.clone(), visitor.clone().unbind());
            if let Err(error) = listener.call1(py, (exposure,)) {
                // A listener that fails costs nobody a decision.
                error.write_unraisable(py, Some(listener.bind(py)));
            }
        }
    }

    fn decided(
        &self,
        py: Python<'_>,
        visitor: &Bound<'_, PyAny>,
        now: Option<f64>,
        want: Want,
    ) -> PyResult<Decision> {
        let described = Described::read(visitor)?;
        let now = now.map_or_else(clock, |now| Millis(now as i64));
        let Some(scoring) = &self.scoring else {
            return Ok(Decision::unscored(now));
        };
        let mut engine = scoring.take()?;
        let decided = scoring.decide(py, &mut engine, &described, now, want);
        scoring.give_back(engine);
        decided
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

fn clock() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(since.as_millis() as i64)
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
        scoring.give_back(scoring.another()?);
        Ok(scoring)
    }

    fn another(&self) -> PyResult<decide::Engine> {
        let [signals, model, words] = &self.parts;
        decide::Engine::open(signals, model, words).map_err(bundle)
    }

    fn take(&self) -> PyResult<decide::Engine> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| self.another(), Ok)
    }

    fn give_back(&self, engine: decide::Engine) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(engine);
    }

    fn decide(
        &self,
        py: Python<'_>,
        engine: &mut decide::Engine,
        described: &Described<'_>,
        now: Millis,
        want: Want,
    ) -> PyResult<Decision> {
        let mut profile = match &described.profile {
            Some(bytes) => engine.open_profile(bytes.extract()?).map_err(visitor)?,
            None => engine.new_profile(),
        };
        if let Some(events) = &described.events {
            let events = compact(events, now)?;
            let mut fold = || fold(engine, &mut profile, &events, now);
            if events.len() < MANY_EVENTS { fold() } else { py.detach(fold) }?;
        }
        let decision = engine.decide(&profile, now, want);
        let reasons = decision.reasons.iter().map(|reason| {
            let mut text = String::new();
            engine.describe(&profile, &decision, reason, &mut text);
            Py::new(py, Reason { signal: reason.id, text, points: reason.points })
        });
        Ok(Decision {
            score: Some(decision.score),
            band: Some(decision.band.name()),
            probability: Some(decision.probability),
            base: Some(decision.base),
            reasons: reasons.collect::<PyResult<_>>()?,
            rest: decision.rest,
            as_of: now.0,
            next_change_at: decision.next_change_at.map(|at| at.0),
            profile: Some(PyBytes::new(py, &profile.encode(engine.signals())).unbind()),
        })
    }
}

/// Segment's events in the compact form, each at its own time.
fn compact(events: &Bound<'_, PyAny>, now: Millis) -> PyResult<Vec<Vec<u8>>> {
    let Ok(list) = events.cast::<PyList>() else {
        return Err(visitor("a visitor's `events` are a list of dicts in Segment's shape"));
    };
    let numbered = list.iter().enumerate();
    let compact = numbered.map(|(at, event)| {
        let wire: EventWire = values::wire(&event, "event")?;
        let time = wire.client_time().map(|time| time.unwrap_or(now));
        let bytes = time.and_then(|time| wire.encode(time));
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
