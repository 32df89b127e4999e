//! Statistics of experiments for Node and tools, in JavaScript's own objects.

use rapport_core::bandit::{Posterior, Thompson};
use rapport_core::stats::{Comparison, Statistic};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

/// How a treatment differs from its control: see `Comparison` in core.
#[wasm_bindgen(js_name = compareVariations)]
pub fn compare_variations(question: JsValue) -> Result<JsValue, JsError> {
    let question: Comparison = serde_wasm_bindgen::from_value(question)?;
    Ok(serde_wasm_bindgen::to_value(&question.answer()?)?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Arms {
    arms: Vec<Statistic>,
    #[serde(default = "one")]
    seed: u64,
    #[serde(default)]
    top_two: bool,
    #[serde(default)]
    less_is_better: bool,
    #[serde(default)]
    floor: f64,
}

#[derive(Serialize)]
struct Weights {
    weights: Vec<f64>,
    best: Vec<f64>,
    /// Holds each arm's mean in 95 of 100 cases.
    intervals: Vec<Option<[f64; 2]>>,
}

/// By which weights Thompson sampling shows these arms from now on, and the chance of each to be the best.
#[wasm_bindgen(js_name = banditWeights)]
pub fn bandit_weights(question: JsValue) -> Result<JsValue, JsError> {
    let Arms { arms, seed, top_two, less_is_better, floor } =
        serde_wasm_bindgen::from_value(question)?;
    let beliefs = arms.iter().map(Posterior::of).collect::<Option<Vec<_>>>();
    let beliefs =
        beliefs.ok_or_else(|| JsError::new("an arm has no variance: wait for more data"))?;
    let sampled = Thompson { seed, top_two, less_is_better, floor, ..Thompson::default() };
    let sampled = sampled.weights(&beliefs);
    let intervals = beliefs.iter().map(|belief| belief.interval(0.05)).collect();
    let weights = Weights { weights: sampled.weights, best: sampled.best, intervals };
    Ok(serde_wasm_bindgen::to_value(&weights)?)
}

const fn one() -> u64 {
    1
}
