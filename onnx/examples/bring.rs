//! Packs the exports of the tests as brought models, for hosts that read those: `bring TO`.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/made/mod.rs"]
mod made;

use made::Export;
use rapport_core::model::{Bands, BroughtModel, Runtime, frame};
use rapport_onnx::marked;
use std::path::PathBuf;

fn main() {
    let to = PathBuf::from(std::env::args().nth(1).expect("usage: bring TO"));
    std::fs::create_dir_all(&to).unwrap();
    for export in Export::all() {
        let is_logit = (export.name == "logit").then_some(true);
        let bands = Bands { not_below: 0.25, qualified_from: 0.75 };
        let brought = BroughtModel {
            runtime: Runtime::Onnx,
            frame: frame(&export.name, export.signals.clone(), bands).unwrap(),
            background: vec![export.rows[0].0.clone()],
            missing: vec![f64::NAN; export.signals.len()],
            file: marked(&export.file, None, is_logit),
        };
        std::fs::write(to.join(format!("{}.rpb", export.name)), brought.encode()).unwrap();
    }
}
