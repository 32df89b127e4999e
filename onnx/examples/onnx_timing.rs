//! Times one row natively; `cargo xtask bench models` runs it.
//!
//! `onnx_timing MODEL.onnx ROWS.json` prints microseconds a probability, best of many rounds.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used)]

use rapport_core::model::{Signal, SignalKind};
use rapport_core::scoring::Scorer;
use rapport_onnx::OnnxModel;
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let mut paths = std::env::args().skip(1);
    let file = std::fs::read(paths.next().expect("usage: onnx_timing MODEL ROWS")).unwrap();
    let card =
        std::fs::read_to_string(paths.next().expect("usage: onnx_timing MODEL ROWS")).unwrap();
    let card: serde_json::Value = serde_json::from_str(&card).unwrap();
    let rows: Vec<Vec<f64>> = card["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect())
        .collect();
    let width = card["signals"].as_array().unwrap().len();
    let signals: Vec<Signal> =
        (0..width).map(|at| Signal::new(format!("n{at}"), SignalKind::Number)).collect();
    let model = OnnxModel::open(&file, &signals).unwrap();
    let mut best = f64::INFINITY;
    for _ in 0..200 {
        let start = Instant::now();
        for _ in 0..10 {
            for row in &rows {
                black_box(model.probability(black_box(&row[..width])).unwrap());
            }
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / (10 * rows.len()) as f64);
    }
    println!("{best}");
}
