//! Foreign models, for the scripts that compare ours with the software that made them.
//!
//! `foreign margins FORMAT MODEL ROWS.f64 OUT.f64` gives the margins of rows;
//! `foreign store FORMAT MODEL compact|exact OUT.rpm [EXPORTED.txt]` packs a model, and writes what
//! was stored back as LightGBM's text. FORMAT is lightgbm, xgboost or onnx.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::panic)]

use std::fs;

use rapport_core::model::{
    Bands, Kind, LeadModel, Model, Packing, TreeModel, decode, encode, export, import,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["margins", format, model, rows, out] => {
            let model = Model::open(&packed(format, model, Packing::EXACT)).unwrap();
            fs::write(out, margins(&model, &fs::read(rows).unwrap())).unwrap();
        }
        ["store", format, model, packing, out, exported @ ..] => {
            let packing = if *packing == "compact" { Packing::COMPACT } else { Packing::EXACT };
            let bytes = packed(format, model, packing);
            fs::write(out, &bytes).unwrap();
            if let ([exported], Kind::Trees(stored)) = (exported, decode(&bytes).unwrap().kind) {
                fs::write(exported, export::lightgbm(&stored)).unwrap();
            }
        }
        _ => panic!("usage: foreign margins|store FORMAT MODEL …"),
    }
}

fn packed(format: &str, model: &str, packing: Packing) -> Vec<u8> {
    let trees = read(format, &fs::read(model).unwrap());
    let bands = Bands { not_below: 0.3, qualified_from: 0.7 };
    let lead = LeadModel { packing, ..LeadModel::of_trees("imported", trees, bands) };
    encode(&lead).unwrap_or_else(|error| panic!("{model}: {error}"))
}

fn read(format: &str, bytes: &[u8]) -> TreeModel {
    let trees = match format {
        "lightgbm" => import::lightgbm(bytes),
        "xgboost" => import::xgboost(bytes),
        _ => import::onnx(bytes),
    };
    trees.unwrap_or_else(|error| panic!("{error}"))
}

fn margins(model: &Model, rows: &[u8]) -> Vec<u8> {
    let values: Vec<f64> =
        rows.as_chunks().0.iter().map(|&chunk| f64::from_le_bytes(chunk)).collect();
    let mut row = model.row();
    let margin = |values: &[f64]| {
        model.fill(&mut row, values);
        model.predict(&row).0.to_le_bytes()
    };
    values.chunks(model.signals().len()).flat_map(margin).collect()
}
