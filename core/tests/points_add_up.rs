//! Shown base + shown points = shown score, whatever the model and the row.
#![allow(clippy::unwrap_used, clippy::panic)]

mod oracle;

use oracle::{Growth, Random, forest, row};
use rapport_core::model::{Bands, Calibration, Knot, LeadModel, Margin, Model, Scale, encode};
use rapport_core::scoring::{Explainer, Explanation, points};

const BANDS: Bands = Bands { not_below: 0.3, qualified_from: 0.7 };

fn model(seed: u64, calibration: Calibration, scale: Scale) -> Model {
    let growth = Growth { trees: 12, depth: 5, splits: 20, numbers: 9, categories: 2 };
    let trees = forest(&mut Random::new(seed), growth);
    Model::open(
        &encode(&LeadModel { calibration, scale, ..LeadModel::of_trees("m", trees, BANDS) })
            .unwrap(),
    )
    .unwrap()
}

fn models() -> Vec<Model> {
    let bent = || {
        Scale::through([(0.0, 0.0), (0.1, 0.5), (1.0, 1.0)].map(|(x, y)| Knot { x, y }).to_vec())
            .unwrap()
    };
    let knots = [(-1.0, -4.0), (0.0, 0.1), (0.5, 5.0)].map(|(x, y)| Knot { x, y }).to_vec();
    vec![
        model(1, Calibration::NONE, Scale::PERCENT),
        model(2, Calibration::Platt { slope: 9.0, intercept: -1.0 }, bent()),
        model(3, Calibration::Knots(knots), Scale::PERCENT),
        model(4, Calibration::Beta { a: 3.0, b: 0.5, c: 0.0 }, bent()),
        model(5, Calibration::Share { zero: -0.3, one: 0.4 }, Scale::PERCENT),
    ]
}

fn adds_up(model: &Model, explanation: &Explanation) -> bool {
    let points = points(model, explanation);
    let sum: i32 = points.points.iter().map(|&points| i32::from(points)).sum();
    i32::from(points.base.0) + sum == i32::from(points.score.0)
}

#[test]
fn points_add_up_whatever_the_calibration() {
    let mut random = Random::new(8);
    for model in models() {
        let mut explainer = Explainer::new(&model);
        let mut filled = model.row();
        for _ in 0..4_000 {
            model.fill(&mut filled, &row(&mut random, model.signals()));
            assert!(adds_up(&model, explainer.explain(&model, &filled).unwrap()));
        }
    }
}

#[test]
fn points_add_up_for_contributions_of_any_size() {
    let mut random = Random::new(9);
    for model in models() {
        for _ in 0..2_000 {
            let sizes = [0.0, 1e-12, 0.01, 0.5, 30.0];
            let contributions: Vec<f64> =
                (0..11).map(|_| sizes[random.below(5)] * (random.unit() - 0.5)).collect();
            let base = Margin((random.unit() - 0.5) * 4.0);
            let margin = Margin(base.0 + contributions.iter().sum::<f64>());
            assert!(adds_up(&model, &Explanation { margin, base, contributions }));
        }
    }
}

#[test]
fn a_signal_that_contributes_nothing_gets_no_points() {
    let mut random = Random::new(10);
    let model = &models()[0];
    let mut explainer = Explainer::new(model);
    let mut filled = model.row();
    for _ in 0..2_000 {
        model.fill(&mut filled, &row(&mut random, model.signals()));
        let explanation = explainer.explain(model, &filled).unwrap();
        let shown = points(model, explanation).points;
        assert!(
            explanation
                .contributions
                .iter()
                .zip(shown)
                .all(|(&phi, points)| phi != 0.0 || points == 0)
        );
    }
}

#[test]
fn equal_remainders_go_to_the_greater_contribution_then_to_the_earlier_signal() {
    let model = model(5, Calibration::Share { zero: 0.0, one: 1.0 }, Scale::PERCENT);
    let explain = |contributions: &[f64]| {
        let margin = Margin(contributions.iter().sum());
        points(
            &model,
            &Explanation { margin, base: Margin(0.0), contributions: contributions.to_vec() },
        )
        .points
    };
    assert_eq!(explain(&[0.005, 0.005, 0.005, 0.005]), [1, 1, 0, 0]);
    assert_eq!(explain(&[0.005, 0.015, 0.005, 0.015]), [0, 2, 0, 2]);
}
