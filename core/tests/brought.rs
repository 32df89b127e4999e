//! Models that customers bring: sampled explanations, and what a fault costs.
#![cfg(feature = "wire")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use rapport_core::bundle::{BundleWire, PartKind, compile};
use rapport_core::decide::{Brought, Decider, Engine, Frame, ScoredBy, Want};
use rapport_core::event::Millis;
use rapport_core::model::{
    AdditiveModel, Bands, BroughtModel, Effect, Group, LeadModel, Margin, Model, Node, Packing,
    Rule, Runtime, Signal, SignalKind, Term, Tree, TreeModel, encode, frame,
};
use rapport_core::scoring::{Answer, Background, Scorer, ScorerFault, explain, margin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const BANDS: Bands = Bands { not_below: 0.3, qualified_from: 0.7 };

/// A scorer that is a function.
struct By<F>(F);

impl<F: Fn(&[f64]) -> Result<f64, ScorerFault> + Send + Sync> Scorer for By<F> {
    fn probability(&self, row: &[f64]) -> Result<f64, ScorerFault> {
        (self.0)(row)
    }
}

fn logistic(margin: f64) -> f64 {
    1.0 / (1.0 + (-margin).exp())
}

/// Every row of so many signals that are 0 or 1.
fn all_rows(signals: u32) -> Vec<Vec<f64>> {
    let bit = |row: usize, signal: u32| (row >> signal & 1) as f64;
    (0..1 << signals).map(|row| (0..signals).map(|signal| bit(row, signal)).collect()).collect()
}

/// Trees over signals that are 0 or 1, whose training data held every row once: averages by covers are
/// averages over all rows.
fn forest() -> TreeModel {
    let split = |signal, left, right, cover| Node::Split {
        signal,
        rule: Rule::AtMost(0.5),
        missing_left: true,
        left,
        right,
        cover,
    };
    let leaf = |value, cover| Node::Leaf { value, cover };
    let tree = |[a, b, c]: [u16; 3], leaves: [f64; 4]| Tree {
        nodes: vec![
            split(a, 1, 2, 16.0),
            split(b, 3, 4, 8.0),
            split(c, 5, 6, 8.0),
            leaf(leaves[0], 4.0),
            leaf(leaves[1], 4.0),
            leaf(leaves[2], 4.0),
            leaf(leaves[3], 4.0),
        ],
    };
    let trees = vec![
        tree([0, 1, 2], [-1.0, 0.5, 0.25, 1.5]),
        tree([3, 0, 1], [0.75, -0.5, 0.0, 1.0]),
        tree([2, 3, 0], [0.1, -0.4, 0.9, -1.1]),
    ];
    let signals = (0..4).map(|n| Signal::new(format!("s{n}"), SignalKind::Number)).collect();
    TreeModel { signals, trees, base_margin: -0.3 }
}

#[test]
fn sampled_contributions_are_the_exact_ones_within_their_stated_error_and_add_up() {
    let exact =
        LeadModel { packing: Packing::EXACT, ..LeadModel::of_trees("exact", forest(), BANDS) };
    let exact = Model::open(&encode(&exact).unwrap()).unwrap();
    let scorer = {
        let trees = forest();
        By(move |row: &[f64]| Ok(logistic(margin_of(&trees, row))))
    };
    let background = Background::new(&scorer, &all_rows(4)).unwrap();
    assert!((background.base().0 - exact.base_margin().0).abs() < 1e-9);
    let (mut within_one, mut all) = (0, 0);
    for values in all_rows(4) {
        let mut row = exact.row();
        exact.fill(&mut row, &values);
        let truth = explain(&exact, &row).unwrap();
        let at = margin(&scorer, &values).unwrap();
        let sampled = background.explain(&scorer, &values, at).unwrap();
        let sum: f64 = sampled.explanation.contributions.iter().sum();
        assert!((background.base().0 + sum - at.0).abs() < 1e-9, "{values:?}");
        for (signal, sample) in sampled.explanation.contributions.iter().enumerate() {
            let (off, error) =
                ((sample - truth.contributions[signal]).abs(), sampled.errors[signal]);
            assert!(off <= 4.0 * error + 1e-6, "{values:?} {signal}: {off} beside {error}");
            all += 1;
            within_one += usize::from(off <= error + 1e-6);
        }
    }
    // Of normal errors 68 % lie within one.
    assert!(within_one * 100 >= all * 60, "{within_one} of {all}");
}

fn margin_of(model: &TreeModel, row: &[f64]) -> f64 {
    let leaf = |tree: &Tree| {
        let mut at = 0;
        loop {
            match &tree.nodes[at] {
                Node::Leaf { value, .. } => return *value,
                Node::Split { signal, left, right, .. } => {
                    at = if row[usize::from(*signal)] <= 0.5 { *left } else { *right } as usize;
                }
            }
        }
    };
    model.base_margin + model.trees.iter().map(leaf).sum::<f64>()
}

#[test]
fn what_only_adds_up_is_explained_without_error() {
    let scorer = By(|row: &[f64]| Ok(logistic(0.5 * row[0] - 0.25 * row[1] - 0.1)));
    let background = Background::new(&scorer, &[vec![0.0, 0.0], vec![2.0, 4.0]]).unwrap();
    let row = [3.0, 4.0];
    let at = margin(&scorer, &row).unwrap();
    let sampled = background.explain(&scorer, &row, at).unwrap();
    let [a, b] = sampled.explanation.contributions[..] else { panic!() };
    assert!((a - 1.0).abs() < 1e-9 && (b + 0.5).abs() < 1e-9, "{a} {b}");
    assert!(sampled.errors.iter().all(|error| *error < 1e-9), "{:?}", sampled.errors);
}

#[test]
fn the_same_row_is_explained_alike_however_often() {
    let scorer = By(|row: &[f64]| Ok(logistic(row[0] * row[1] - row[2] * row[0])));
    let background = Background::new(&scorer, &[vec![0.0; 3], vec![1.0, 2.0, 3.0]]).unwrap();
    let row = [1.5, -1.0, 0.5];
    let at = margin(&scorer, &row).unwrap();
    let once = background.explain(&scorer, &row, at).unwrap();
    assert_eq!(once, background.explain(&scorer, &row, at).unwrap());
    assert!(once.errors.iter().any(|error| *error > 0.0));
}

#[test]
fn an_explanation_of_many_signals_asks_about_as_often_as_one_of_few() {
    let asked = AtomicUsize::new(0);
    let scorer = By(|row: &[f64]| {
        asked.fetch_add(1, Ordering::Relaxed);
        Ok(logistic(row.iter().sum::<f64>() / 100.0))
    });
    for signals in [3, 50, 200] {
        let rows: Vec<_> = (0..64).map(|at| vec![f64::from(at); signals]).collect();
        let background = Background::new(&scorer, &rows).unwrap();
        let row = vec![-1.0; signals];
        asked.store(0, Ordering::Relaxed);
        background.explain(&scorer, &row, margin(&scorer, &row).unwrap()).unwrap();
        assert!(asked.load(Ordering::Relaxed) <= 2100, "{signals}: {asked:?}");
    }
}

/// Signals, words and the parts of two models: what was brought, and the workspace's own.
struct Parts {
    signals: Vec<u8>,
    words: Vec<u8>,
    own: Vec<u8>,
    brought: Vec<u8>,
}

fn parts() -> Parts {
    let wire: BundleWire = serde_json::from_str(
        r#"{"workspace": "acme", "environment": "live", "models": [{"name": "own"}], "signals": [
            {"id": 7, "name": "views", "label": "Views", "kind": "count"},
            {"id": 8, "name": "away", "label": "Away", "kind": "since_last"}]}"#,
    )
    .unwrap();
    let own = AdditiveModel {
        signals: vec![Signal::new("views", SignalKind::Number)],
        bias: -3.0,
        groups: vec![Group::uncapped(vec![Term {
            signal: 0,
            effect: Effect::PerUnit { points: 0.5, from: 0.0, to: 10.0 },
            missing: 0.0,
            usual: 0.0,
        }])],
    };
    let own = encode(&LeadModel::of_logistic("own", own, BANDS)).unwrap();
    let compiled = compile(&wire, &[("own", &own)]);
    assert!(compiled.problems.is_empty(), "{:?}", compiled.problems);
    let part = |kind| compiled.part(kind).unwrap().bytes.clone();
    let with_id = |name: &str, id| Signal { id, ..Signal::new(name, SignalKind::Number) };
    let brought = BroughtModel {
        runtime: Runtime::Onnx,
        frame: frame("theirs", vec![with_id("away", 8), with_id("views", 7)], BANDS).unwrap(),
        missing: vec![99.0, f64::NAN],
        background: vec![vec![99.0, 0.0]],
        file: b"theirs".to_vec(),
    };
    Parts {
        signals: part(PartKind::Signals),
        words: part(PartKind::Words),
        own: part(PartKind::Model),
        brought: brought.encode(),
    }
}

fn decider(
    parts: &Parts,
    probability: impl Fn(&[f64]) -> Result<f64, ScorerFault> + Send + Sync + 'static,
) -> Decider {
    let Parts { signals, words, own, brought } = parts;
    let scorer: Arc<dyn Scorer> = Arc::new(By(probability));
    let runs = |runtime, file: &[u8], signals: &[Signal]| {
        assert_eq!((runtime, file, signals.len()), (Runtime::Onnx, b"theirs".as_slice(), 2));
        Ok(Arc::clone(&scorer))
    };
    let brought = Brought::open(signals, brought, words, &runs).unwrap();
    Decider::new(Engine::open(signals, own, words).unwrap(), Some(Ok(brought)))
}

const WANT: Want = Want { reasons: 3, next_change: true };
const NOW: Millis = Millis(1_700_000_000_000);

fn visitor(engine: &Engine, views: usize) -> rapport_core::profile::Profile {
    let mut profile = engine.new_profile();
    for at in 0..views {
        let wire: rapport_core::event::EventWire = serde_json::from_str(&format!(
            r#"{{"type": "page", "anonymousId": "a", "messageId": "m{at}"}}"#
        ))
        .unwrap();
        let bytes = wire.encode(NOW).unwrap();
        engine.fold(&mut profile, &rapport_core::event::Event::decode(&bytes).unwrap(), NOW);
    }
    profile
}

#[test]
fn a_brought_model_scores_and_explains_as_a_trained_one_and_states_its_error() {
    let mut decider = decider(&parts(), |row| {
        assert!(row[0].is_finite(), "a missing value is told as the card says: {row:?}");
        Ok(logistic(row[1] - 0.01 * row[0]))
    });
    let profile = visitor(decider.engine(), 2);
    let decided = decider.decide(&profile, NOW, WANT);
    assert_eq!((decided.by, decided.fault), (ScoredBy::Live, None));
    let decision = decided.decision;
    assert_eq!(decision.score, 88);
    assert_eq!(decider.band_of(decision.score), decision.band);
    let points: i32 = decision.reasons.iter().map(|reason| reason.points).sum();
    assert_eq!(i32::from(decision.base) + points + decision.rest, i32::from(decision.score));
    assert_eq!(decision.reasons.len(), decided.errors.len());
    assert_eq!(decision.reasons[0].id, 7);
    assert!(decision.next_change_at.is_some());
}

#[test]
fn a_model_that_runs_elsewhere_decides_as_one_that_runs_here() {
    let says = |row: &[f64]| Ok(logistic(row[1] * row[1] - 0.01 * row[0] * row[1]));
    let parts = parts();
    let model = BroughtModel::decode(&parts.brought).unwrap();
    let mut frame = Frame::open(&parts.signals, &model, &parts.words).unwrap();
    let there = Background::new(&By(says), &model.background).unwrap();
    let mut decider = decider(&parts, says);
    for reasons in [0, 3] {
        let want = Want { reasons, next_change: false };
        let profile = visitor(decider.engine(), 2);
        let row = frame.row(&profile, NOW);
        let background = (reasons > 0).then_some(&there);
        let sent = Answer::of(&By(says), &row, background).unwrap().numbers();
        let answer = Answer::read(&sent, frame.signals().len()).unwrap();
        let decided = frame.decide(&profile, NOW, reasons, answer);
        assert_eq!(decided, decider.decide(&profile, NOW, want));
        assert_eq!(decided.errors.is_empty(), reasons == 0);
    }
}

#[test]
fn each_fault_costs_its_own_call_which_the_workspaces_own_model_answers() {
    let parts = parts();
    let fails = |row: &[f64]| match row[1] as u8 {
        1 => Err(ScorerFault::Trap("unreachable".into())),
        2 => Ok(1.5),
        3 => Ok(f64::NAN),
        _ => Ok(0.9),
    };
    let mut decider = decider(&parts, fails);
    let mut own = Engine::open(&parts.signals, &parts.own, &parts.words).unwrap();
    for (views, code) in [(1, "trap"), (2, "nonsense"), (3, "nonsense")] {
        let profile = visitor(&own, views);
        let decided = decider.decide(&profile, NOW, WANT);
        assert_eq!(decided.by, ScoredBy::Fallback);
        assert_eq!(decided.fault.map(|fault| fault.code()), Some(code));
        assert_eq!(decided.decision, own.decide(&profile, NOW, WANT));
        let fine = decider.decide(&visitor(&own, 4), NOW, Want { reasons: 0, next_change: false });
        assert_eq!((fine.by, fine.fault, fine.decision.score), (ScoredBy::Live, None, 90));
    }
}

#[test]
fn a_fault_while_explaining_costs_the_reasons_and_not_the_score() {
    let mut decider = decider(&parts(), |row| match (row[0] as i64, row[1] as i64) {
        (99, 0) | (0, 2) => Ok(0.8),
        _ => Err(ScorerFault::Fuel(1000)),
    });
    let profile = visitor(decider.engine(), 2);
    let decided = decider.decide(&profile, NOW, WANT);
    assert_eq!((decided.by, decided.decision.score), (ScoredBy::Live, 80));
    assert_eq!(decided.fault, Some(ScorerFault::Fuel(1000)));
    assert!(decided.decision.reasons.is_empty());
    assert_eq!(decided.decision.base, 80);
}

#[test]
fn certainty_is_a_score_of_nothing_or_all() {
    for (probability, score) in [(0.0, 0), (1.0, 100)] {
        let scorer = By(move |_: &[f64]| Ok(probability));
        let at: Margin = margin(&scorer, &[]).unwrap();
        assert!(at.0.is_finite());
        let mut decider = decider(&parts(), move |_| Ok(probability));
        let profile = decider.engine().new_profile();
        assert_eq!(decider.decide(&profile, NOW, WANT).decision.score, score);
    }
}

#[test]
fn trees_of_unknown_training_data_explain_once_rows_weigh_them() {
    let file = std::fs::read("../conformance/models/ensemble.onnx").unwrap();
    let mut trees = rapport_core::model::import::onnx(&file).unwrap();
    let rows: Vec<Vec<f64>> =
        (0..8).map(|row| vec![f64::from(row) / 4.0 - 1.0; trees.signals.len()]).collect();
    trees.weigh(&rows);
    let model = LeadModel { packing: Packing::EXACT, ..LeadModel::of_trees("t", trees, BANDS) };
    let model = Model::open(&encode(&model).unwrap()).unwrap();
    assert!(model.explains());
    for values in &rows {
        let mut row = model.row();
        model.fill(&mut row, values);
        let explained = explain(&model, &row).unwrap();
        let sum: f64 = explained.contributions.iter().sum();
        assert!((explained.base.0 + sum - explained.margin.0).abs() < 1e-5);
    }
}
