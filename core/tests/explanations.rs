//! Contributions are exact: compared with all subsets on small trees and with the classic
//! algorithm on large, deep and lopsided ones.
#![allow(clippy::unwrap_used, clippy::panic)]

mod oracle;

use oracle::{Growth, Random, brute_force, classic, expected, forest, margin, row};
use rapport_core::model::{Bands, Kind, LeadModel, Model, Packing, TreeModel, decode, encode};
use rapport_core::scoring::{Explainer, explain};

const BANDS: Bands = Bands { not_below: 0.3, qualified_from: 0.7 };

/// The model as hosts use it, and as stored.
fn stored(trees: TreeModel, packing: Packing) -> (Model, TreeModel) {
    let bytes =
        encode(&LeadModel { packing, ..LeadModel::of_trees("test", trees, BANDS) }).unwrap();
    let Kind::Trees(trees) = decode(&bytes).unwrap().kind else { panic!("trees stay trees") };
    (Model::open(&bytes).unwrap(), trees)
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn small_trees_agree_with_all_subsets() {
    let mut random = Random::new(1);
    for depth in 1..=7 {
        for packing in [Packing::COMPACT, Packing::EXACT] {
            let growth = Growth { trees: 9, depth, splits: 40, numbers: 5, categories: 2 };
            let (model, trees) = stored(forest(&mut random, growth), packing);
            for _ in 0..20 {
                let values = row(&mut random, &trees.signals);
                let mut filled = model.row();
                model.fill(&mut filled, &values);
                let explanation = explain(&model, &filled).unwrap();
                let difference =
                    largest_difference(&explanation.contributions, &brute_force(&trees, &values));
                assert!(difference < 2e-7, "depth {depth}: {difference}");
                assert!((explanation.base.0 - expected(&trees, &values, &|_| false)).abs() < 1e-12);
                assert!((explanation.margin.0 - margin(&trees, &values)).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn deep_and_lopsided_trees_agree_with_the_classic_algorithm() {
    let mut random = Random::new(2);
    for (depth, splits, numbers) in
        [(6, 63, 40), (8, 255, 40), (12, 200, 60), (30, 80, 60), (30, 120, 12)]
    {
        let growth = Growth { trees: 11, depth, splits, numbers, categories: 5 };
        let (model, trees) = stored(forest(&mut random, growth), Packing::COMPACT);
        let mut explainer = Explainer::new(&model);
        let mut filled = model.row();
        for _ in 0..4 {
            let values = row(&mut random, &trees.signals);
            model.fill(&mut filled, &values);
            let explanation = explainer.explain(&model, &filled).unwrap();
            let difference =
                largest_difference(&explanation.contributions, &classic(&trees, &values));
            assert!(difference < 5e-7, "depth {depth}: {difference}");
            let sum: f64 = explanation.contributions.iter().sum();
            assert!((explanation.base.0 + sum - explanation.margin.0).abs() < 1e-6);
        }
    }
}

#[test]
fn a_model_without_covers_refuses_to_explain_and_says_why() {
    let mut random = Random::new(3);
    let growth = Growth { trees: 3, depth: 4, splits: 9, numbers: 5, categories: 1 };
    let (model, _) =
        stored(forest(&mut random, growth), Packing { covers: false, ..Packing::COMPACT });
    assert!(!model.explains());
    let refusal = explain(&model, &model.row()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "this model file was packed without covers, so it cannot explain: pack it again with them"
    );
}
