//! Real exports give what onnxruntime gives.
#![allow(clippy::unwrap_used, clippy::panic)]

mod made;

use made::Export;
use rapport_core::scoring::Scorer;
use rapport_onnx::{OnnxModel, marked};

/// What onnxruntime's own `float` leaves uncertain.
const NEAR: f64 = 1e-6;

fn open(export: &Export) -> OnnxModel {
    // That of `logit` is named nowhere in its graph.
    let file = match export.name.as_str() {
        "logit" => marked(&export.file, None, Some(true)),
        _ => export.file.clone(),
    };
    OnnxModel::open(&file, &export.signals)
        .unwrap_or_else(|error| panic!("{}: {error}", export.name))
}

#[test]
fn every_export_gives_onnxruntimes_probabilities() {
    let exports = Export::all();
    assert!(exports.len() >= 15, "{} exports", exports.len());
    for export in exports {
        let model = open(&export);
        for (row, expected) in &export.rows {
            let found = model
                .probability(row)
                .unwrap_or_else(|fault| panic!("{}: {fault} for {row:?}", export.name));
            assert!((found - expected).abs() < NEAR, "{}: {found}, not {expected}", export.name);
        }
    }
}

#[test]
fn chains_run_without_tract_and_the_rest_in_it() {
    let in_tract: Vec<String> = Export::all()
        .iter()
        .filter(|export| !open(export).is_exact())
        .map(|e| e.name.clone())
        .collect();
    assert_eq!(in_tract, ["attention", "embedding"]);
}

#[test]
fn a_row_gives_the_same_bits_whatever_came_before_and_beside_it() {
    for export in Export::all() {
        let model = open(&export);
        let first: Vec<u64> =
            export.rows.iter().map(|(row, _)| model.probability(row).unwrap().to_bits()).collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for ((row, _), bits) in export.rows.iter().zip(&first).rev() {
                        assert_eq!(model.probability(row).unwrap().to_bits(), *bits);
                    }
                });
            }
        });
    }
}

#[test]
fn a_row_of_another_length_or_with_a_hole_costs_that_call_only() {
    let export = Export::read("mlp");
    let model = open(&export);
    assert_eq!(model.probability(&[1.0]).unwrap_err().code(), "shape");
    let mut hole = export.rows[0].0.clone();
    hole[2] = f64::NAN;
    assert_eq!(model.probability(&hole).unwrap_err().code(), "nonsense");
    let embedding = Export::read("embedding");
    assert_eq!(open(&embedding).probability(&[1.0, f64::NAN]).unwrap_err().code(), "trap");
    assert!(model.probability(&export.rows[0].0).is_ok());
}
