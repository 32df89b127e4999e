//! Shown base + points = shown score on rows made by the rule of `conformance/README.md`.

use super::score::{Bits, Models, cases};
use rapport_core::model::{Signal, SignalKind};
use rapport_core::scoring::{Explainer, points};
use serde_json::json;

#[test]
fn points_add_up_on_100_000_rows() {
    let mut models = Models::default();
    let mut bits = Bits::of("points");
    let mut all = 0;
    for case in cases("points") {
        let model = models.open(&case);
        let mut explainer = Explainer::new(model);
        let mut row = model.row();
        let mut random = Xorshift(case["seed"].as_u64().unwrap() as u32);
        let mut digest = 0x811c_9dc5_u32;
        for at in 0..case["rows"].as_u64().unwrap() {
            let values: Vec<f64> =
                model.signals().iter().map(|signal| made(signal, &mut random)).collect();
            model.fill(&mut row, &values);
            let shown = points(model, explainer.explain(model, &row).unwrap());
            let (base, score) = (i32::from(shown.base.0), i32::from(shown.score.0));
            let points = shown.points.iter().map(|&points| i32::from(points));
            assert_eq!(base + points.clone().sum::<i32>(), score, "{}: row {at}", case["name"]);
            for word in [base, score].into_iter().chain(points) {
                digest = (digest ^ word as u32).wrapping_mul(0x0100_0193);
            }
            all += 1;
        }
        bits.check(&case["name"], json!(format!("{digest:08x}")));
    }
    bits.close();
    assert_eq!(all, 100_000);
}

fn made(signal: &Signal, random: &mut Xorshift) -> f64 {
    match random.next() % 40 {
        0..4 => return f64::NAN,
        4 => return f64::INFINITY,
        5 => return f64::NEG_INFINITY,
        _ => {}
    }
    if let SignalKind::Category { levels } = &signal.kind {
        return f64::from(random.next() % (levels.len() as u32 + 1));
    }
    let number = (f64::from(random.next() % 8001) - 4000.0) / 1000.0;
    number * [1.0, 1.0, 10.0, 1000.0][random.next() as usize % 4]
}

struct Xorshift(u32);

impl Xorshift {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}
