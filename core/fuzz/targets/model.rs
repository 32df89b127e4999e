#![no_main]
//! Model files: what opens must score, explain and pack again.

use libfuzzer_sys::fuzz_target;
use rapport_core::binary::crc32;
use rapport_core::model::{Model, decode, encode};
use rapport_core::scoring::{explain, points, score};

fuzz_target!(|bytes: &[u8]| {
    if bytes.len() < 12 {
        return;
    }
    let mut file = bytes.to_vec();
    let length = u32::try_from(file.len() + 4).unwrap();
    file[8..12].copy_from_slice(&length.to_le_bytes());
    file.extend(crc32(&file).to_le_bytes());
    let Ok(model) = Model::open(&file) else { return };
    for value in [0.0, 1.0, -1e300, f64::NAN] {
        let mut row = model.row();
        model.fill(&mut row, &vec![value; model.signals().len()]);
        score(&model, &row);
        if let Ok(explanation) = explain(&model, &row) {
            points(&model, &explanation);
        }
    }
    if let Ok(authored) = decode(&file) {
        let _ = encode(&authored);
    }
});
