//! The build for Node, conformance and tools: takes and gives JavaScript objects.

use rapport_core::bundle::{BundleWire, PartKind, compile};
use rapport_core::decide::{Decision, Engine, Want};
use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::model::{Model, SignalKind};
use rapport_core::profile::Profile;
use rapport_core::scoring::Band;
use serde::Serialize;
use std::collections::BTreeMap;
use wasm_bindgen::prelude::*;

/// Decides on events in JSON's shape, as a server does.
#[wasm_bindgen]
pub struct Decider {
    engine: Engine,
}

#[wasm_bindgen]
impl Decider {
    /// Opens a bundle's parts; says what is wrong with them.
    #[wasm_bindgen(constructor)]
    pub fn new(signals: &[u8], model: &[u8], words: &[u8]) -> Result<Decider, JsError> {
        Ok(Self { engine: Engine::open(signals, model, words)? })
    }

    /// Folds a visitor's events, in order, and decides at `now` in milliseconds since 1970.
    pub fn decide(
        &mut self,
        events: JsValue,
        now: f64,
        reasons: usize,
    ) -> Result<JsValue, JsError> {
        let events: Vec<EventWire> = serde_wasm_bindgen::from_value(events)?;
        let now = Millis(now as i64);
        let mut profile = self.engine.new_profile();
        for event in &events {
            let bytes = event.encode(event.client_time()?.unwrap_or(now))?;
            self.engine.fold(&mut profile, &Event::decode(&bytes)?, now);
        }
        let decision = self.engine.decide(&profile, now, Want { reasons, next_change: false });
        Ok(serde_wasm_bindgen::to_value(&self.view(&profile, &decision))?)
    }
}

impl Decider {
    fn view(&self, profile: &Profile, decision: &Decision) -> DecisionView {
        let text = |reason| {
            let mut text = String::new();
            self.engine.describe(profile, decision, reason, &mut text);
            text
        };
        let reasons = decision.reasons.iter().map(|reason| ReasonView {
            signal: reason.id,
            text: text(reason),
            points: reason.points,
        });
        DecisionView {
            score: decision.score,
            probability: decision.probability,
            band: match decision.band {
                Band::Not => "not",
                Band::Undecided => "undecided",
                Band::Qualified => "qualified",
            },
            base: decision.base,
            reasons: reasons.collect(),
            rest: decision.rest,
        }
    }
}

#[derive(Serialize)]
struct DecisionView {
    score: u8,
    probability: f64,
    band: &'static str,
    base: u8,
    reasons: Vec<ReasonView>,
    rest: i32,
}

#[derive(Serialize)]
struct ReasonView {
    signal: u32,
    text: String,
    points: i32,
}

/// A compiled bundle's parts, and what could not be compiled.
#[derive(Serialize)]
struct Parts {
    #[serde(with = "serde_bytes")]
    signals: Vec<u8>,
    #[serde(with = "serde_bytes")]
    model: Vec<u8>,
    #[serde(with = "serde_bytes")]
    words: Vec<u8>,
    /// Empty where the bundle has none.
    #[serde(with = "serde_bytes")]
    flags: Vec<u8>,
    problems: Vec<String>,
}

/// Compiles an authored bundle; `models` maps names to the bytes of model files.
#[wasm_bindgen(js_name = compileBundle)]
pub fn compile_bundle(bundle: JsValue, models: JsValue) -> Result<JsValue, JsError> {
    let wire: BundleWire = serde_wasm_bindgen::from_value(bundle)?;
    let models: BTreeMap<String, serde_bytes::ByteBuf> = serde_wasm_bindgen::from_value(models)?;
    let models: Vec<(&str, &[u8])> =
        models.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let compiled = compile(&wire, &models);
    let bytes = |kind| compiled.part(kind).map(|part| part.bytes.clone()).unwrap_or_default();
    let parts = Parts {
        signals: bytes(PartKind::Signals),
        model: bytes(PartKind::Model),
        words: bytes(PartKind::Words),
        flags: bytes(PartKind::Flags),
        problems: compiled.problems.iter().map(ToString::to_string).collect(),
    };
    Ok(serde_wasm_bindgen::to_value(&parts)?)
}

/// One input of a model.
#[derive(Serialize)]
struct InputView<'a> {
    id: u32,
    name: &'a str,
    /// Absent for numbers and dates.
    #[serde(skip_serializing_if = "Option::is_none")]
    levels: Option<&'a [String]>,
}

/// What a model file reads, in order.
#[wasm_bindgen(js_name = describeModel)]
pub fn describe_model(bytes: &[u8]) -> Result<JsValue, JsError> {
    let model = Model::open(bytes)?;
    let inputs: Vec<InputView> = model
        .signals()
        .iter()
        .map(|signal| InputView {
            id: signal.id,
            name: &signal.name,
            levels: match &signal.kind {
                SignalKind::Category { levels } => Some(levels),
                _ => None,
            },
        })
        .collect();
    Ok(serde_wasm_bindgen::to_value(&inputs)?)
}
