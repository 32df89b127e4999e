//! ONNX models in a page and at the edge: a page's profile becomes a decision, an edge's row an answer.
#![cfg(target_arch = "wasm32")]

mod page;

use rapport_core::model::{BroughtModel, Runtime, Signal, decode};
use rapport_core::scoring::{Answer, Background, Scorer, ScorerFault};
use rapport_onnx::OnnxModel;
use std::sync::Arc;
use wasm_bindgen::prelude::*;

/// A brought model, opened.
#[wasm_bindgen]
pub struct Onnx {
    model: Arc<dyn Scorer>,
    /// What is told instead of what is missing.
    missing: Vec<f64>,
    rows: Vec<Vec<f64>>,
    /// The rows with what the model says of them, once somebody has asked why.
    background: Option<Background>,
}

#[wasm_bindgen]
impl Onnx {
    /// Opens a brought model; throws what is wrong with it.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8]) -> Result<Onnx, JsError> {
        let BroughtModel { runtime, frame, missing, background: rows, file } =
            BroughtModel::decode(bytes)?;
        let model = opened(runtime, &file, decode(&frame)?.signals())?;
        Ok(Onnx { model, missing, rows, background: None })
    }

    /// The probability of a row of the model's signals; throws why there is none.
    pub fn probability(&self, mut row: Vec<f64>) -> Result<f64, JsError> {
        self.tell(&mut row);
        Ok(self.model.probability(&row)?)
    }

    /// The answer to a row, with the reasons where `why`, in the numbers of core's `Answer`; throws why
    /// there is none.
    pub fn answer(&mut self, mut row: Vec<f64>, why: bool) -> Result<Vec<f64>, JsError> {
        self.tell(&mut row);
        if why && self.background.is_none() {
            self.background = Some(Background::new(&*self.model, &self.rows)?);
        }
        let background = self.background.as_ref().filter(|_| why);
        Ok(Answer::of(&*self.model, &row, background)?.numbers())
    }

    /// Puts in what is told of what is missing.
    fn tell(&self, row: &mut [f64]) {
        for (value, instead) in row.iter_mut().zip(&self.missing) {
            if value.is_nan() {
                *value = *instead;
            }
        }
    }
}

/// What runs a file that reads these signals.
fn opened(
    runtime: Runtime,
    file: &[u8],
    signals: &[Signal],
) -> Result<Arc<dyn Scorer>, ScorerFault> {
    match runtime {
        Runtime::Onnx => Ok(Arc::new(OnnxModel::open(file, signals)?)),
        Runtime::Wasm => Err(ScorerFault::Absent(runtime.word())),
    }
}
