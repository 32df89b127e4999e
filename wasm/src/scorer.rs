//! Models on rows of values, for Node, conformance and tools.

use rapport_core::model::{Bands, LeadModel, Model, Packing, Row, encode, import};
use rapport_core::scoring::{Explainer, points, score};
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// A model with its working memory.
#[wasm_bindgen]
pub struct Scorer {
    model: Model,
    row: Row,
    explainer: Explainer,
}

#[derive(Serialize)]
struct ScoredView {
    margin: f64,
    probability: f64,
    score: u8,
    band: &'static str,
}

#[derive(Serialize)]
struct ExplainedView<'a> {
    /// The margin where nothing is known, and what each signal adds to it.
    base: f64,
    contributions: &'a [f64],
    /// The same in whole points of the score, from that of a visitor of whom nothing is known.
    base_score: u8,
    score: u8,
    points: &'a [i16],
}

#[wasm_bindgen]
impl Scorer {
    /// Opens a model file; says what is wrong with it.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8]) -> Result<Scorer, JsError> {
        let model = Model::open(bytes)?;
        Ok(Self { row: model.row(), explainer: Explainer::new(&model), model })
    }

    /// How many values a row has.
    pub fn width(&self) -> usize {
        self.model.signals().len()
    }

    /// Margin, probability, score and band of a row; NaN is missing.
    pub fn score(&mut self, row: &[f64]) -> Result<JsValue, JsError> {
        self.model.fill(&mut self.row, row);
        let scored = score(&self.model, &self.row);
        Ok(serde_wasm_bindgen::to_value(&ScoredView {
            margin: scored.margin.0,
            probability: scored.probability.0,
            score: scored.score.0,
            band: scored.band.name(),
        })?)
    }

    /// What each signal of a row contributes, exactly, and in points that add up.
    pub fn explain(&mut self, row: &[f64]) -> Result<JsValue, JsError> {
        self.model.fill(&mut self.row, row);
        let explanation = self.explainer.explain(&self.model, &self.row)?;
        let points = points(&self.model, explanation);
        Ok(serde_wasm_bindgen::to_value(&ExplainedView {
            base: explanation.base.0,
            contributions: &explanation.contributions,
            base_score: points.base.0,
            score: points.score.0,
            points: &points.points,
        })?)
    }
}

/// Turns a foreign tree model (`lightgbm`, `xgboost` or `onnx`) into a model file that decides as
/// it does, or says why not.
#[wasm_bindgen(js_name = importModel)]
pub fn import_model(
    format: &str,
    bytes: &[u8],
    not_below: f64,
    qualified_from: f64,
) -> Result<Vec<u8>, JsError> {
    let trees = match format {
        "lightgbm" => import::lightgbm(bytes)?,
        "xgboost" => import::xgboost(bytes)?,
        "onnx" => import::onnx(bytes)?,
        _ => return Err(JsError::new("the format is none of lightgbm, xgboost, onnx")),
    };
    let bands = Bands { not_below, qualified_from };
    let model =
        LeadModel { packing: Packing::EXACT, ..LeadModel::of_trees("imported", trees, bands) };
    Ok(encode(&model)?)
}
