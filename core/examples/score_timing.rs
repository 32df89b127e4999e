//! Times scoring and explanation natively, and prepares what the peers need; `cargo xtask bench score` runs it.
//!
//! `score_timing FOLDER` reads model.rpm, rows.f64 and, once shap ran, shap.f64; it writes exported.txt,
//! exported_rows.f64 and prints one JSON object.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use rapport_core::model::{Kind, Model, decode, export};
use rapport_core::scoring::{Explainer, score};

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("usage: score_timing FOLDER"));
    let read = |name: &str| fs::read(folder.join(name));
    let bytes = read("model.rpm").unwrap();
    let model = Model::open(&bytes).unwrap();
    let width = model.signals().len();
    let values = floats(&read("rows.f64").unwrap());
    let rows: Vec<&[f64]> = values.chunks(width).collect();

    let Kind::Trees(stored) = decode(&bytes).unwrap().kind else { panic!("trees") };
    fs::write(folder.join("exported.txt"), export::lightgbm(&stored)).unwrap();
    let exported = rows.iter().flat_map(|row| export::lightgbm_row(&stored, row));
    let exported: Vec<u8> = exported.flat_map(f64::to_le_bytes).collect();
    fs::write(folder.join("exported_rows.f64"), exported).unwrap();

    let load_us = best(50, &[&[]], |_| {
        black_box(Model::open(black_box(&bytes)).unwrap());
    });
    let slices: Vec<&[&[f64]]> = rows.chunks(100).collect();
    let mut row = model.row();
    let score_us = best(100, &slices, |rows| {
        for values in rows {
            model.fill(&mut row, values);
            black_box(score(&model, &row));
        }
    }) / 100.0;
    let fill_us = best(40, &slices, |rows| {
        for values in rows {
            model.fill(black_box(&mut row), values);
        }
    }) / 100.0;
    let mut explainer = Explainer::new(&model);
    let explain_us = best(40, &slices[..10], |rows| {
        for values in rows {
            model.fill(&mut row, values);
            black_box(explainer.explain(&model, &row).unwrap());
        }
    }) / 100.0;
    let mut difference = None;
    if let Ok(theirs) = read("shap.f64") {
        for (values, theirs) in rows.iter().zip(floats(&theirs).chunks(width)) {
            model.fill(&mut row, values);
            let ours = &explainer.explain(&model, &row).unwrap().contributions;
            let most = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            difference = Some(most.max(difference.unwrap_or(0.0)));
        }
    }
    let difference = difference.map_or("null".to_owned(), |most| format!("{most:e}"));
    println!(
        "{{\"model_bytes\": {}, \"load_us\": {load_us:.1}, \"score_us\": {score_us:.4}, \"fill_us\": {fill_us:.4}, \
         \"explain_us\": {explain_us:.3}, \"explain_max_abs_diff\": {difference}}}",
        bytes.len()
    );
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks::<8>().0.iter().map(|&chunk| f64::from_le_bytes(chunk)).collect()
}

/// Microseconds a slice: the mean over slices of each one's fastest round, as a busy machine
/// disturbs long rounds.
fn best(rounds: usize, slices: &[&[&[f64]]], mut work: impl FnMut(&[&[f64]])) -> f64 {
    let mut least = vec![f64::INFINITY; slices.len()];
    for _ in 0..rounds {
        for (slice, least) in slices.iter().zip(&mut least) {
            let start = Instant::now();
            work(slice);
            *least = least.min(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    least.iter().sum::<f64>() / slices.len() as f64
}
