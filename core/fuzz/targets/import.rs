#![no_main]
//! Foreign models: what imports must pack, or say why not.

use libfuzzer_sys::fuzz_target;
use rapport_core::model::import::{lightgbm, onnx, xgboost};
use rapport_core::model::{Bands, LeadModel, Model, Packing, encode};

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    let imported = match kind % 3 {
        0 => lightgbm(bytes),
        1 => xgboost(bytes),
        _ => onnx(bytes),
    };
    let Ok(trees) = imported else { return };
    let bands = Bands { not_below: 0.2, qualified_from: 0.8 };
    let model = LeadModel { packing: Packing::EXACT, ..LeadModel::of_trees("m", trees, bands) };
    if let Ok(file) = encode(&model) {
        Model::open(&file).unwrap();
    }
});
