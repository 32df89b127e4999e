//! ONNX models in a page and at the edge: bytes in, a probability out.
#![cfg(target_arch = "wasm32")]

use rapport_core::model::{BroughtModel, Runtime, decode};
use rapport_core::scoring::Scorer;
use rapport_onnx::OnnxModel;
use wasm_bindgen::prelude::*;

/// A brought model, opened.
#[wasm_bindgen]
pub struct Onnx {
    model: OnnxModel,
    /// What is told instead of what is missing.
    missing: Vec<f64>,
}

#[wasm_bindgen]
impl Onnx {
    /// Opens a brought model; throws what is wrong with it.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8]) -> Result<Onnx, JsError> {
        let brought = BroughtModel::decode(bytes)?;
        if brought.runtime != Runtime::Onnx {
            return Err(JsError::new("this is no ONNX model"));
        }
        let frame = decode(&brought.frame)?;
        let model = OnnxModel::open(&brought.file, frame.signals())?;
        Ok(Onnx { model, missing: brought.missing })
    }

    /// The probability of a row of the model's signals; throws why there is none.
    pub fn probability(&self, mut row: Vec<f64>) -> Result<f64, JsError> {
        for (value, instead) in row.iter_mut().zip(&self.missing) {
            if value.is_nan() {
                *value = *instead;
            }
        }
        Ok(self.model.probability(&row)?)
    }
}
