//! Features and experiments for Node and tools, in JavaScript's own objects.

use rapport_core::experiment::{
    self, Asker, FlagProblem, HashVersion, Namespace, Range, chosen, compile_flags, equal_weights,
    query_override, ranges, redirect,
};
use rapport_core::targeting::Value;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

/// Features and experiments of GrowthBook's payload.
#[wasm_bindgen]
pub struct Flags {
    flags: experiment::Flags,
    problems: Vec<FlagProblem>,
}

#[wasm_bindgen]
impl Flags {
    /// Compiles a payload; what is wrong with it does nothing, and `problems` says what.
    #[wasm_bindgen(constructor)]
    pub fn new(payload: JsValue) -> Result<Flags, JsError> {
        let payload: Value<'static> = serde_wasm_bindgen::from_value(payload)?;
        let (flags, problems) = compile_flags(&payload);
        // What pages get is what was written.
        Ok(Self { flags: experiment::Flags::open(&flags.to_bytes())?, problems })
    }

    /// The bytes that pages open.
    pub fn bytes(&self) -> Vec<u8> {
        self.flags.to_bytes()
    }

    /// What of the payload does nothing, and why.
    pub fn problems(&self) -> Vec<String> {
        self.problems.iter().map(ToString::to_string).collect()
    }

    /// What a feature is for a visitor: see `Asker`.
    pub fn feature(&self, key: &str, context: JsValue) -> Result<JsValue, JsError> {
        let context: Value<'static> = serde_wasm_bindgen::from_value(context)?;
        shown(&Asker::new(&context).feature(&self.flags, key))
    }

    /// What the experiment of that number in the payload's `experiments` is for a visitor.
    pub fn experiment(&self, number: usize, context: JsValue) -> Result<JsValue, JsError> {
        let context: Value<'static> = serde_wasm_bindgen::from_value(context)?;
        shown(&Asker::new(&context).experiment(&self.flags, number))
    }
}

fn shown(value: &Value<'_>) -> Result<JsValue, JsError> {
    Ok(value.serialize(&Serializer::json_compatible())?)
}

/// Where a value falls under a seed; nowhere with a hash version that nobody knows.
#[wasm_bindgen(js_name = placeOf)]
pub fn place_of(seed: &str, value: &str, version: u32) -> Option<f64> {
    HashVersion::numbered(version).map(|version| version.place(seed, value))
}

/// The variations' ranges: the first one's start and end, the second one's, and so on.
#[wasm_bindgen(js_name = rangesOf)]
pub fn ranges_of(count: usize, coverage: f64, weights: Option<Vec<f64>>) -> Vec<f64> {
    let ranges = ranges(count, coverage, weights.as_deref());
    ranges.into_iter().flat_map(|Range(start, end)| [start, end]).collect()
}

/// The first range that holds a place.
#[wasm_bindgen(js_name = chosenOf)]
pub fn chosen_of(ranges: &[f64], place: f64) -> Option<usize> {
    let (ranges, _) = ranges.as_chunks::<2>();
    let ranges: Vec<Range> = ranges.iter().map(|[start, end]| Range(*start, *end)).collect();
    chosen(&ranges, place)
}

/// The variation that an address's query asks for.
#[wasm_bindgen(js_name = queryOverride)]
pub fn query_override_of(key: &str, address: &str, variations: usize) -> Option<usize> {
    query_override(key, address, variations)
}

/// Whether a visitor's value is in a share of a namespace.
#[wasm_bindgen(js_name = inNamespace)]
pub fn in_namespace(value: &str, seed: &str, from: f64, to: f64) -> bool {
    Namespace { seed: seed.into(), range: Range(from, to) }.holds(value)
}

/// Equal shares.
#[wasm_bindgen(js_name = equalWeights)]
pub fn equal_weights_of(count: usize) -> Vec<f64> {
    equal_weights(count)
}

/// Where a redirect leads.
#[wasm_bindgen(js_name = redirectTo)]
pub fn redirect_to(from: &str, to: &str, keep_query: bool) -> String {
    redirect(from, to, keep_query)
}
