//! The engine alone as WebAssembly, for `xtask/src/bench/score.mjs`: plain exports, no bindings.
#![allow(clippy::unwrap_used, static_mut_refs)]

use std::hint::black_box;

use rapport_core::model::{Model, Row};
use rapport_core::scoring::{Explainer, score};

struct Engine {
    model: Model,
    row: Row,
    explainer: Explainer,
}

static mut ENGINE: Option<Engine> = None;

fn engine() -> &'static mut Engine {
    // SAFETY: WebAssembly without threads; every export runs to its end before the next starts.
    unsafe { ENGINE.as_mut().unwrap() }
}

/// Memory for the caller to write to, never given back.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut f64 {
    Box::leak(vec![0.0f64; bytes.div_ceil(8)].into_boxed_slice()).as_mut_ptr()
}

/// # Safety
/// `bytes` points to `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(bytes: *const u8, length: usize) -> usize {
    let model = Model::open(unsafe { std::slice::from_raw_parts(bytes, length) }).unwrap();
    let width = model.signals().len();
    unsafe { ENGINE = Some(Engine { row: model.row(), explainer: Explainer::new(&model), model }) };
    width
}

/// # Safety
/// `values` points to `rows` rows of the model's width.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn score_rows(values: *const f64, rows: usize) {
    let Engine { model, row, .. } = engine();
    let width = model.signals().len();
    for values in unsafe { std::slice::from_raw_parts(values, rows * width) }.chunks_exact(width) {
        model.fill(row, values);
        black_box(score(model, row));
    }
}

/// # Safety
/// `values` points to one row.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn score_row(values: *const f64) -> f64 {
    let Engine { model, row, .. } = engine();
    model.fill(row, unsafe { std::slice::from_raw_parts(values, model.signals().len()) });
    score(model, row).probability.0
}

/// # Safety
/// `values` points to `rows` rows of the model's width, `out` to as much room.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn explain_rows(values: *const f64, rows: usize, out: *mut f64) {
    let Engine { model, row, explainer } = engine();
    let width = model.signals().len();
    let values = unsafe { std::slice::from_raw_parts(values, rows * width) };
    let out = unsafe { std::slice::from_raw_parts_mut(out, rows * width) };
    for (values, out) in values.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        model.fill(row, values);
        if let Ok(explanation) = explainer.explain(model, row) {
            out.copy_from_slice(&explanation.contributions);
        }
    }
}
