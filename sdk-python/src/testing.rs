//! Core's smaller functions, for conformance cases: not for production.

use pyo3::prelude::*;

#[pymodule]
pub mod testing {
    use crate::bundle::hex;
    use crate::error::{bundle, guarded, visitor};
    use crate::values::write;
    use crate::wire::wire;
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use ed25519_dalek::{Signer, SigningKey};
    use pyo3::prelude::*;
    use pyo3::types::{PyBytes, PyDict};
    use rapport_core::bandit::{Posterior, Thompson};
    use rapport_core::bundle::{BundleWire, compile};
    use rapport_core::event::{Event, EventWire, Millis};
    use rapport_core::experiment::{
        HashVersion, Namespace, Range, chosen, equal_weights, query_override, ranges, redirect,
    };
    use rapport_core::model::{Bands, LeadModel, Model, Packing, Row, SignalKind, encode, import};
    use rapport_core::person::{ArrivalWire, History};
    use rapport_core::profile::{Profile, Signals};
    use rapport_core::scoring::{self, Explainer};
    use rapport_core::stats::{Comparison, Statistic};
    use rapport_core::targeting::Value;
    use std::collections::BTreeMap;

    type People = BTreeMap<String, String>;
    type Folds = BTreeMap<String, Vec<usize>>;

    /// Where a value falls under a seed; None with a hash version that nobody knows.
    #[pyfunction]
    fn place_of(seed: &str, value: &str, version: u32) -> Option<f64> {
        HashVersion::numbered(version).map(|version| version.place(seed, value))
    }

    /// The variations' ranges.
    #[pyfunction]
    #[pyo3(signature = (count, coverage, weights=None))]
    fn ranges_of(count: usize, coverage: f64, weights: Option<Vec<f64>>) -> Vec<(f64, f64)> {
        let found = ranges(count, coverage, weights.as_deref());
        found.into_iter().map(|Range(start, end)| (start, end)).collect()
    }

    /// The first range that holds a place.
    #[pyfunction]
    fn chosen_of(ranges: Vec<(f64, f64)>, place: f64) -> Option<usize> {
        let ranges: Vec<_> = ranges.into_iter().map(|(start, end)| Range(start, end)).collect();
        chosen(&ranges, place)
    }

    /// The variation that an address's query asks for.
    #[pyfunction]
    fn query_override_of(key: &str, address: &str, variations: usize) -> Option<usize> {
        query_override(key, address, variations)
    }

    /// Whether a visitor's value is in a share of a namespace.
    #[pyfunction]
    fn in_namespace(value: &str, seed: &str, start: f64, end: f64) -> bool {
        Namespace { seed: seed.into(), range: Range(start, end) }.holds(value)
    }

    /// Equal shares.
    #[pyfunction]
    fn equal_weights_of(count: usize) -> Vec<f64> {
        equal_weights(count)
    }

    /// Where a redirect leads.
    #[pyfunction]
    fn redirect_to(start: &str, to: &str, keep_query: bool) -> String {
        redirect(start, to, keep_query)
    }

    /// An event in Segment's shape in its compact form.
    #[pyfunction]
    fn encode_event<'py>(event: &Bound<'py, PyAny>, time: i64) -> PyResult<Bound<'py, PyBytes>> {
        let wire: EventWire = wire(event, "event")?;
        Ok(PyBytes::new(event.py(), &wire.encode(Millis(time)).map_err(visitor)?))
    }

    /// When an event happened, by the clock of who received it.
    #[pyfunction]
    fn event_time(event: &Bound<'_, PyAny>, received: i64) -> PyResult<i64> {
        let wire: EventWire = wire(event, "event")?;
        Ok(wire.event_time(Millis(received)).map_err(visitor)?.0)
    }

    /// What a list of arrivals comes to: who everybody is in the end, and the places of each
    /// person's events in the order in which they fold.
    #[pyfunction]
    fn history_of(arrivals: &Bound<'_, PyAny>, granted: bool) -> PyResult<(People, Folds)> {
        let wires: Vec<ArrivalWire> = wire(arrivals, "list of arrivals")?;
        let arrivals = wires.iter().map(|wire| wire.arrival(granted).map_err(visitor));
        let arrivals = arrivals.collect::<PyResult<Vec<_>>>()?;
        let History { people, folds } = History::of(&arrivals);
        let everybody = people.subjects().chain(arrivals.iter().map(|arrival| arrival.subject));
        let people = everybody.map(|who| (who.to_string(), people.person(who).to_string()));
        let folds = folds.iter().map(|(person, places)| (person.to_string(), places.clone()));
        Ok((people.collect(), folds.collect()))
    }

    /// Turns a foreign tree model (`lightgbm`, `xgboost` or `onnx`) into a model file.
    #[pyfunction]
    fn import_model<'py>(
        py: Python<'py>,
        format: &str,
        bytes: &[u8],
        not_below: f64,
        qualified_from: f64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let trees = match format {
            "lightgbm" => import::lightgbm(bytes),
            "xgboost" => import::xgboost(bytes),
            "onnx" => import::onnx(bytes),
            _ => return Err(bundle("the format is none of lightgbm, xgboost, onnx")),
        };
        let bands = Bands { not_below, qualified_from };
        let trees = trees.map_err(bundle)?;
        let model =
            LeadModel { packing: Packing::EXACT, ..LeadModel::of_trees("imported", trees, bands) };
        Ok(PyBytes::new(py, &encode(&model).map_err(bundle)?))
    }

    /// A profile with the signals that it is folded into.
    #[pyclass]
    struct Folding {
        signals: Signals,
        profile: Profile,
    }

    #[pymethods]
    impl Folding {
        /// A profile over a `signals` part: a new one, or one that was stored.
        #[new]
        #[pyo3(signature = (part, stored=None))]
        fn new(part: &[u8], stored: Option<&[u8]>) -> PyResult<Self> {
            let signals = Signals::open(part).map_err(bundle)?;
            let profile = match stored {
                Some(stored) => Profile::open(stored, &signals).map_err(visitor)?,
                None => Profile::new(&signals),
            };
            Ok(Self { signals, profile })
        }

        /// Folds an event in; without `now` it arrives when it happens.
        #[pyo3(signature = (event, now=None))]
        fn fold(&mut self, event: &Bound<'_, PyAny>, now: Option<i64>) -> PyResult<()> {
            let wire: EventWire = wire(event, "event")?;
            let time = wire.client_time().map_err(visitor)?.unwrap_or_default();
            let bytes = wire.encode(time).map_err(visitor)?;
            let event = Event::decode(&bytes).map_err(visitor)?;
            self.profile.fold(&self.signals, &event, now.map_or(time, Millis));
            Ok(())
        }

        /// A number; NaN where missing and for categories.
        fn value(&self, name: &str, now: i64) -> f64 {
            let index = self.signals.index_of_name(name).unwrap_or(usize::MAX);
            self.profile.value(&self.signals, index, Millis(now))
        }

        /// The hash of a category's level.
        fn level(&self, name: &str) -> Option<u32> {
            self.profile.level(self.signals.index_of_name(name)?)
        }

        /// The profile as bytes.
        fn stored<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
            PyBytes::new(py, &self.profile.encode(&self.signals))
        }

        /// Stores the profile and opens it with other signals.
        fn reopen(&mut self, part: &[u8]) -> PyResult<()> {
            let stored = self.profile.encode(&self.signals);
            self.signals = Signals::open(part).map_err(bundle)?;
            self.profile = Profile::open(&stored, &self.signals).map_err(visitor)?;
            Ok(())
        }

        /// Puts another profile over the same signals in.
        fn merge(&mut self, other: &Self) {
            self.profile.merge(&self.signals, &other.profile);
        }
    }

    /// A model on rows of values.
    #[pyclass]
    struct Scorer {
        model: Model,
        row: Row,
        explainer: Explainer,
    }

    #[pymethods]
    impl Scorer {
        #[new]
        fn new(bytes: &[u8]) -> PyResult<Self> {
            let model = Model::open(bytes).map_err(bundle)?;
            Ok(Self { row: model.row(), explainer: Explainer::new(&model), model })
        }

        /// How many levels each input has; None for numbers.
        #[getter]
        fn levels(&self) -> Vec<Option<usize>> {
            let levels = self.model.signals().iter().map(|signal| match &signal.kind {
                SignalKind::Category { levels } => Some(levels.len()),
                _ => None,
            });
            levels.collect()
        }

        /// Margin, probability, score and band of a row; NaN is missing.
        fn score(&mut self, row: Vec<f64>) -> (f64, f64, u8, &'static str) {
            self.model.fill(&mut self.row, &row);
            let scored = scoring::score(&self.model, &self.row);
            (scored.margin.0, scored.probability.0, scored.score.0, scored.band.name())
        }

        /// The margin where nothing is known and what each signal adds to it; then base, score and
        /// points in whole.
        #[expect(clippy::type_complexity, reason = "a tuple that Python takes apart")]
        fn explain(&mut self, row: Vec<f64>) -> PyResult<(f64, Vec<f64>, u8, u8, Vec<i16>)> {
            guarded(|| {
                self.model.fill(&mut self.row, &row);
                let explanation = self.explainer.explain(&self.model, &self.row).map_err(bundle)?;
                let points = scoring::points(&self.model, explanation);
                let contributions = explanation.contributions.clone();
                let (base, score) = (points.base.0, points.score.0);
                Ok((explanation.base.0, contributions, base, score, points.points))
            })
        }
    }

    /// How a treatment differs from its control: see `Comparison` in core.
    #[pyfunction]
    fn compare_variations<'py>(question: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(question.py());
        let question: Comparison = wire(question, "comparison")?;
        let found = question.answer().map_err(visitor)?;
        dict.set_item("estimate", found.estimate)?;
        dict.set_item("standard_error", found.standard_error)?;
        dict.set_item("units", found.units)?;
        dict.set_item("interval", found.interval)?;
        dict.set_item("p_value", found.p_value)?;
        dict.set_item("chance_to_win", found.chance_to_win)?;
        dict.set_item("risk", found.risk)?;
        Ok(dict)
    }

    type Weights = (Vec<f64>, Vec<f64>, Vec<Option<[f64; 2]>>);

    /// By which weights Thompson sampling shows arms from now on, the chance of each to be the best,
    /// and the interval that holds each arm's mean in 95 of 100 cases.
    #[pyfunction]
    fn bandit_weights(
        arms: &Bound<'_, PyAny>,
        seed: u64,
        top_two: bool,
        less_is_better: bool,
        floor: f64,
    ) -> PyResult<Weights> {
        let arms: Vec<Statistic> = wire(arms, "list of arms")?;
        let beliefs = arms.iter().map(Posterior::of).collect::<Option<Vec<_>>>();
        let beliefs =
            beliefs.ok_or_else(|| visitor("an arm has no variance: wait for more data"))?;
        let sampled = Thompson { seed, top_two, less_is_better, floor, ..Thompson::default() };
        let sampled = sampled.weights(&beliefs);
        let intervals = beliefs.iter().map(|belief| belief.interval(0.05)).collect();
        Ok((sampled.weights, sampled.best, intervals))
    }

    type Signed = (String, String, String, BTreeMap<String, Vec<u8>>, Vec<String>);

    /// Compiles an authored bundle and signs it under a seed of 32 bytes: the manifest, the signature
    /// and the public key in base 64, the parts by their hashes, and what does not work.
    #[pyfunction]
    fn compile_bundle(
        authored: &Bound<'_, PyAny>,
        models: BTreeMap<String, Vec<u8>>,
        seed: [u8; 32],
    ) -> PyResult<Signed> {
        let wire: BundleWire = wire(authored, "bundle")?;
        let files: Vec<_> =
            models.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        let compiled = compile(&wire, &files);
        let manifest = compiled.manifest(hex).to_json();
        let key = SigningKey::from_bytes(&seed);
        let signature = BASE64_STANDARD.encode(key.sign(&manifest).to_bytes());
        let public_key = BASE64_STANDARD.encode(key.verifying_key().as_bytes());
        let problems = compiled.problems.iter().map(ToString::to_string).collect();
        let parts = compiled.parts.into_iter().map(|part| (hex(&part.bytes), part.bytes)).collect();
        let manifest = String::from_utf8(manifest).map_err(bundle)?;
        Ok((manifest, signature, public_key, parts, problems))
    }

    /// A value as core has it after it came in, given back.
    #[pyfunction]
    fn through<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let read: Value<'static> = crate::values::read(value)?;
        write(value.py(), &read)
    }
}
