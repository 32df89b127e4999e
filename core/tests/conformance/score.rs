//! Scores, explanations and imports against other software, and their exact bits against the
//! record in `conformance/bits/` (`RAPPORT_BLESS=1` writes it).

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use super::{folder, passed, suite};
use rapport_core::model::{Bands, LeadModel, Model, Packing, encode, import};
use rapport_core::scoring::{Explainer, points, score};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[test]
fn scores_agree() {
    let mut models = Models::default();
    let mut bits = Bits::of("score");
    for case in cases("score") {
        let model = models.open(&case);
        let mut row = model.row();
        model.fill(&mut row, &values(&case));
        let scored = score(model, &row);
        let (name, expect) = (&case["name"], &case["expect"]);
        near(name, &expect["margin"], scored.margin.0, &expect["within"]);
        near(name, &expect["probability"], scored.probability.0, &expect["within"]);
        assert_eq!(expect["score"], scored.score.0, "{name}");
        assert_eq!(expect["band"], scored.band.name(), "{name}");
        bits.check(
            name,
            json!({"margin": hex(scored.margin.0), "probability": hex(scored.probability.0)}),
        );
    }
    bits.close();
}

#[test]
fn explanations_agree() {
    let mut models = Models::default();
    let mut bits = Bits::of("explain");
    for case in cases("explain") {
        let model = models.open(&case);
        let mut row = model.row();
        model.fill(&mut row, &values(&case));
        let mut explainer = Explainer::new(model);
        let explanation = explainer.explain(model, &row).unwrap();
        let (name, expect) = (&case["name"], &case["expect"]);
        near(name, &expect["base"], explanation.base.0, &expect["within"]);
        let expected = expect["contributions"].as_array().unwrap();
        assert_eq!(expected.len(), explanation.contributions.len(), "{name}");
        for (expected, ours) in expected.iter().zip(&explanation.contributions) {
            near(name, expected, *ours, &expect["within"]);
        }
        let points = points(model, explanation);
        let sum: i32 = points.points.iter().map(|&points| i32::from(points)).sum();
        assert_eq!(i32::from(points.base.0) + sum, i32::from(points.score.0), "{name}");
        let contributions: Vec<String> =
            explanation.contributions.iter().map(|&phi| hex(phi)).collect();
        bits.check(
            name,
            json!({"contributions": contributions, "base": points.base.0, "score": points.score.0, "points": points.points}),
        );
    }
    bits.close();
}

#[test]
fn imports_agree() {
    let bands = Bands { not_below: 0.3, qualified_from: 0.7 };
    let cases = cases("import");
    for case in &cases {
        let (name, expect) = (&case["name"], &case["expect"]);
        let bytes = std::fs::read(folder().join(case["model"].as_str().unwrap())).unwrap();
        let imported = match case["format"].as_str().unwrap() {
            "lightgbm" => import::lightgbm(&bytes),
            "xgboost" => import::xgboost(&bytes),
            _ => import::onnx(&bytes),
        };
        match (imported, expect["refused"].as_str()) {
            (Ok(trees), None) => {
                let lead = LeadModel {
                    packing: Packing::EXACT,
                    ..LeadModel::of_trees("imported", trees, bands)
                };
                let model = Model::open(&encode(&lead).unwrap()).unwrap();
                let mut row = model.row();
                model.fill(&mut row, &values(case));
                near(name, &expect["margin"], model.predict(&row).0, &expect["within"]);
            }
            (Err(error), Some(words)) => {
                assert!(error.to_string().contains(words), "{name}: {error}");
            }
            (Ok(_), Some(words)) => panic!("{name} was imported, not refused for {words}"),
            (Err(error), None) => panic!("{name}: {error}"),
        }
    }
    passed("import", cases.len());
}

pub fn cases(name: &str) -> Vec<Value> {
    let documents = suite(name).into_iter().map(|(_, document)| document);
    documents
        .flat_map(|mut document| document["cases"].as_array_mut().map(std::mem::take).unwrap())
        .collect()
}

/// A case's row: numbers, null where missing, and the infinities by name.
fn values(case: &Value) -> Vec<f64> {
    let value = |value: &Value| match value {
        Value::Null => f64::NAN,
        Value::String(text) => text.parse().unwrap(),
        number => number.as_f64().unwrap(),
    };
    case["row"].as_array().unwrap().iter().map(value).collect()
}

fn near(name: &Value, expected: &Value, ours: f64, within: &Value) {
    let (expected, within) = (expected.as_f64().unwrap(), within.as_f64().unwrap());
    assert!((expected - ours).abs() <= within, "{name}: {ours}, expected {expected}");
}

fn hex(number: f64) -> String {
    format!("{:016x}", number.to_bits())
}

/// Opened models by path.
#[derive(Default)]
pub struct Models(BTreeMap<String, Model>);

impl Models {
    pub fn open(&mut self, case: &Value) -> &Model {
        let path = case["model"].as_str().unwrap();
        self.0.entry(path.to_owned()).or_insert_with(|| {
            Model::open(&std::fs::read(folder().join(path)).unwrap())
                .unwrap_or_else(|error| panic!("{path}: {error}"))
        })
    }
}

/// The record of exact results of one suite, by case name.
pub struct Bits {
    suite: String,
    path: std::path::PathBuf,
    recorded: Map<String, Value>,
    found: Map<String, Value>,
    bless: bool,
}

impl Bits {
    pub fn of(suite: &str) -> Bits {
        let path = folder().join(format!("bits/{suite}.json"));
        let bless = std::env::var_os("RAPPORT_BLESS").is_some();
        let text = if bless { "{}".to_owned() } else { std::fs::read_to_string(&path).unwrap() };
        let suite = suite.to_owned();
        Bits {
            suite,
            path,
            recorded: serde_json::from_str(&text).unwrap(),
            found: Map::new(),
            bless,
        }
    }

    pub fn check(&mut self, name: &Value, found: Value) {
        let name = name.as_str().unwrap();
        if !self.bless {
            assert_eq!(self.recorded.get(name), Some(&found), "{name}: not the recorded bits");
        }
        assert!(self.found.insert(name.to_owned(), found).is_none(), "two cases are called {name}");
    }

    pub fn close(self) {
        if self.bless {
            let lines: Vec<String> =
                self.found.iter().map(|(name, bits)| format!("{}: {bits}", json!(name))).collect();
            std::fs::create_dir_all(self.path.parent().unwrap()).unwrap();
            std::fs::write(&self.path, format!("{{\n{}\n}}\n", lines.join(",\n"))).unwrap();
        } else {
            assert_eq!(self.found.len(), self.recorded.len(), "the record has cases that are gone");
            passed(&self.suite, self.found.len());
        }
    }
}
