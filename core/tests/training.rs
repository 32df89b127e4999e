//! What the trainer promises, on tables small enough to see through.
#![cfg(feature = "train")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::unreachable, clippy::disallowed_methods)]

use rapport_core::model::{LeadModel, Model, Node, Rule, Signal, SignalKind, TreeModel, encode};
use rapport_core::training::bins::{BinSettings, Binned};
use rapport_core::training::boost::Boosting;
use rapport_core::training::calibrate::{BandSettings, bands};
use rapport_core::training::leak::{Evidence, When, identifiers, leaks};
use rapport_core::training::metrics::{AtThresholds, Metrics, auc, recall_near};
use rapport_core::training::presets::presets;
use rapport_core::training::{
    Column, Job, MISSING_LEVEL, Monotone, OneByOne, Settings, Table, TrainError, Trained, Values,
    Workers, mean_model, probabilities, train, train_on_earlier,
};

const SETTINGS: Settings =
    Settings { seed: 1, bands: BandSettings { fpr: 0.05, undecided: 0.2 }, max_trees: None };

#[test]
fn the_same_seed_gives_the_same_bytes_however_the_work_is_spread() {
    let (table, labels) = leads(400);
    let bytes = |workers: &dyn Workers, seed| {
        let settings = Settings { seed, ..SETTINGS };
        let trained = train(&table, &labels, settings, workers, &mut |_| {}).unwrap();
        encode(&trained.into_model("leads", settings)).unwrap()
    };
    assert_eq!(bytes(&OneByOne, 1), bytes(&Backwards, 1));
    assert_ne!(bytes(&OneByOne, 1), bytes(&OneByOne, 2));
}

#[test]
fn unseen_rows_are_ranked_nearly_as_well_as_their_true_chances_rank_them() {
    let (table, labels) = leads(4000);
    let (learn, judge): (Vec<u32>, Vec<u32>) = (0..4000).partition(|row| row % 2 == 0);
    let trained = fit(&table.select(&learn), &pick(&labels, &learn));
    let judged = table.select(&judge);
    let truth: Vec<f64> = judge.iter().map(|&row| chance(row as usize)).collect();
    let found = probabilities(&open(trained), &judged);
    let labels = pick(&labels, &judge);
    let (best, reached) = (auc(&labels, &truth), auc(&labels, &found));
    assert!(reached > best - 0.02, "{reached} where {best} is possible");
    assert!(Metrics::of(&labels, &found).ece < 0.04);
}

#[test]
fn packing_a_model_costs_less_than_a_hundred_thousandth_of_its_auc() {
    let (table, labels) = leads(2000);
    let trained = fit(&table, &labels);
    let authored: Vec<f64> =
        (0..table.rows).map(|row| margin(&trained.model, &table, row)).collect();
    let packed = probabilities(&open(trained), &table);
    assert!((auc(&labels, &authored) - auc(&labels, &packed)).abs() < 1e-5);
}

#[test]
fn the_authored_trees_say_what_the_boosting_said() {
    let (table, labels) = leads(500);
    let binned = Binned::new(&table, BinSettings { max_cuts: 254, rare_below: 3 });
    let learn: Vec<u32> = (0..400).collect();
    for way in presets(500) {
        let mut boosting = Boosting::new(&binned, &labels, &learn, way, 7);
        (0..30).for_each(|_| boosting.round());
        let model = mean_model(&table, &binned, &[(boosting.base, &boosting.trees)]);
        for row in 0..500 {
            let difference = margin(&model, &table, row) - boosting.margins[row];
            assert!(difference.abs() < 1e-9, "row {row}: {difference}");
        }
    }
}

#[test]
fn a_missing_value_goes_where_missing_values_of_the_past_belong() {
    let value = |row: usize| if row.is_multiple_of(3) { f32::NAN } else { (row % 50) as f32 };
    let labels: Vec<bool> = (0..900).map(|row: usize| row.is_multiple_of(3)).collect();
    let table = Table { columns: vec![number("visits", (0..900).map(value))], rows: 900 };
    let model = open(fit(&table, &labels));
    let probe =
        Table { columns: vec![number("visits", [f32::NAN, 0.0, 49.0].into_iter())], rows: 3 };
    let [missing, low, high] = probabilities(&model, &probe)[..] else { panic!() };
    assert!(missing > 0.9 && low < 0.1 && high < 0.1, "{missing} {low} {high}");
}

#[test]
fn an_unseen_level_is_not_a_missing_one() {
    // Missing is always positive, "rare" levels, each seen once, never are.
    let level = |row: usize| match row % 4 {
        0 => MISSING_LEVEL,
        1 => 0,
        2 => 1,
        _ => 2 + row as u32,
    };
    let labels: Vec<bool> =
        (0..1000).map(|row| row % 4 == 0 || (row % 4 == 1 && row % 8 == 1)).collect();
    let table = Table { columns: vec![category("source", 1002, (0..1000).map(level))], rows: 1000 };
    let model = open(fit(&table, &labels));
    let probe = category("source", 1002, [MISSING_LEVEL, 5000].into_iter());
    let [missing, unseen] = probabilities(&model, &Table { columns: vec![probe], rows: 2 })[..]
    else {
        panic!()
    };
    assert!(missing > 0.9 && unseen < 0.2, "{missing} {unseen}");
}

#[test]
fn a_signal_that_may_only_raise_the_margin_never_lowers_it() {
    let (mut table, labels) = leads(800);
    table.columns[0].monotone = Monotone::Falling;
    let falling = steps(&open(fit(&table, &labels)), &table);
    assert!(falling.iter().all(|step| *step <= 0.0));
    table.columns[0].monotone = Monotone::Rising;
    let rising = steps(&open(fit(&table, &labels)), &table);
    assert!(rising.iter().all(|step| *step >= 0.0) && rising.iter().any(|step| *step > 0.0));
}

#[test]
fn a_small_model_keeps_to_its_number_of_trees_and_to_depth_eight() {
    let (table, labels) = leads(600);
    let settings = Settings { max_trees: Some(20), ..SETTINGS };
    let model = train(&table, &labels, settings, &OneByOne, &mut |_| {}).unwrap().model;
    assert!(model.trees.len() <= 20);
    assert!(model.trees.iter().all(|tree| tree.nodes.len() < 1 << 9));
}

#[test]
fn too_few_rows_of_a_class_are_refused_with_their_counts() {
    let (table, mut labels) = leads(40);
    labels.fill(false);
    labels[3] = true;
    let refused = train(&table, &labels, SETTINGS, &OneByOne, &mut |_| {}).unwrap_err();
    assert!(matches!(refused, TrainError::TooFew { positives: 1, negatives: 39 }));
    let nothing = Table { columns: Vec::new(), rows: 40 };
    labels[..20].fill(true);
    let refused = train(&nothing, &labels, SETTINGS, &OneByOne, &mut |_| {}).unwrap_err();
    assert!(matches!(refused, TrainError::NoColumns));
}

#[test]
fn later_rows_are_judged_by_a_model_that_never_saw_them() {
    // In the last fifth, the outcome turns round.
    let rows = 1000;
    let table = Table { columns: vec![number("x", (0..rows).map(|row| (row % 10) as f32))], rows };
    let labels: Vec<bool> = (0..rows).map(|row| (row % 10 > 4) == (row < 800)).collect();
    let times: Vec<f64> = (0..rows).map(|row| row as f64).collect();
    let later = train_on_earlier(&table, &labels, &times, SETTINGS, &OneByOne).unwrap();
    assert_eq!((later.earlier_rows, later.later_rows), (800, 200));
    assert!(later.metrics.auc < 0.01);
}

#[test]
fn a_copy_of_the_outcome_is_found_whatever_its_name() {
    let (mut table, labels) = leads(1000);
    assert_eq!(leaks(&table, &labels, &OneByOne), []);
    let noisy = |row: usize| if row % 25 == 7 { 0.5 } else { f32::from(u8::from(labels[row])) };
    table.columns.push(number("column 17", (0..1000).map(noisy)));
    let found = leaks(&table, &labels, &OneByOne);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].column, "column 17");
    assert!(matches!(found[0].evidence, Evidence::TellsAlone { auc } if auc > 0.95));
}

#[test]
fn a_column_that_only_successes_fill_is_found_though_most_leave_it_empty() {
    let (mut table, labels) = leads(1000);
    let filled =
        |row: usize| if labels[row] && row.is_multiple_of(3) { row as f32 } else { f32::NAN };
    table.columns.push(number("a", (0..1000).map(filled)));
    let found = leaks(&table, &labels, &OneByOne);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(matches!(
        found[0].evidence,
        Evidence::OneClass { when: When::Filled, positive: true, share: 1.0, .. }
    ));
}

#[test]
fn record_numbers_are_told_from_amounts() {
    let amounts = (0..200).map(|row| ((row * 7919) % 1_000_003) as f32);
    let shuffled = (0..200).map(|row| 5_000.0 + ((row * 77) % 200) as f32);
    let columns = vec![
        number("amount", amounts),
        number("rising", (0..200).map(|row| (row * row) as f32)),
        number("close together", shuffled),
        number("visits", (0..200).map(|row| (row % 9) as f32)),
    ];
    assert_eq!(identifiers(&Table { columns, rows: 200 }), [1, 2]);
}

#[test]
fn metrics_agree_with_sums_done_by_hand() {
    let labels = [true, false, true, false];
    let p = [0.9, 0.6, 0.6, 0.1];
    let metrics = Metrics::of(&labels, &p);
    assert_eq!((metrics.n, metrics.prevalence, metrics.accuracy), (4, 0.5, 0.75));
    assert_eq!(metrics.auc, 0.875);
    // Precision 1 at the first half of the positives, 2/3 at the second.
    assert!((metrics.pr_auc - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
    assert!((metrics.brier - (0.01 + 0.36 + 0.16 + 0.01) / 4.0).abs() < 1e-12);
    assert!((metrics.ece - (0.1 + 0.2 + 0.1) / 4.0).abs() < 1e-12);
    let at = AtThresholds::of(&labels, &p, 0.3, 0.7);
    assert_eq!((at.fpr, at.recall, at.precision, at.accuracy), (0.0, 0.5, 1.0, 0.75));
    assert_eq!((at.coverage, at.decided_accuracy), (0.5, 1.0));
}

#[test]
fn bands_keep_the_wanted_false_positives_and_share_of_undecided() {
    let labels: Vec<bool> = (0..1000).map(|row| row % 4 == 0 || row > 900).collect();
    let p: Vec<f64> = (0..1000).map(|row| f64::from(row) / 1000.0).collect();
    let bands = bands(&labels, &p, BandSettings { fpr: 0.02, undecided: 0.2 });
    let at = AtThresholds::of(&labels, &p, bands.not_below, bands.qualified_from);
    assert!(at.fpr <= 0.02 && at.fpr > 0.017);
    assert!((at.coverage - 0.8).abs() < 0.002);
}

#[test]
fn the_wanted_false_positives_hold_on_rows_that_were_not_learnt_from() {
    let (table, labels) = leads(8000);
    let (learn, judge): (Vec<u32>, Vec<u32>) = (0..8000).partition(|row| row % 2 == 0);
    let trained = fit(&table.select(&learn), &pick(&labels, &learn));
    let bands = trained.bands;
    let p = probabilities(&open(trained), &table.select(&judge));
    let at = AtThresholds::of(&pick(&labels, &judge), &p, bands.not_below, bands.qualified_from);
    // 5 % are wanted; chance alone moves the share among 2,000 negatives by half a percent.
    assert!((0.035..0.065).contains(&at.fpr), "{}", at.fpr);
}

#[test]
fn recall_near_a_rate_is_the_mean_over_the_thresholds_around_it() {
    // Ten negatives, of which half are wanted: the fourth to the eighth are looked at.
    let order = "+-++---+------";
    let labels: Vec<bool> = order.chars().map(|sign| sign == '+').collect();
    let margins: Vec<f64> = (0..labels.len()).map(|row| -(row as f64)).collect();
    let by_hand = (3.0 + 4.0 * 4.0) / 4.0 / 5.0;
    assert!((recall_near(&labels, &margins, 0.5) - by_hand).abs() < 1e-12);
    assert_eq!(recall_near(&labels, &margins, 0.0), 0.0);
    assert_eq!(recall_near(&labels, &[0.0; 14], 0.5), 0.0, "ties are no merit");
}

/// Leads of two numbers and a category, of which about half convert.
fn leads(rows: usize) -> (Table, Vec<bool>) {
    let columns = vec![
        number("visits", (0..rows).map(|row| (noise(row, 1) * 20.0).floor() as f32)),
        number(
            "minutes",
            (0..rows).map(|row| if row % 9 == 0 { f32::NAN } else { noise(row, 2) as f32 }),
        ),
        category("source", 6, (0..rows).map(|row| (noise(row, 3) * 6.0) as u32)),
    ];
    (Table { columns, rows }, (0..rows).map(|row| noise(row, 4) < chance(row)).collect())
}

/// The chance that a lead of [`leads`] converts.
fn chance(row: usize) -> f64 {
    let visits = (noise(row, 1) * 20.0).floor() / 20.0;
    let minutes = if row.is_multiple_of(9) { 0.0 } else { noise(row, 2) };
    let source = if ((noise(row, 3) * 6.0) as u32).is_multiple_of(2) { 1.5 } else { -1.5 };
    1.0 / (1.0 + (-(4.0 * visits - 2.0 + source * (0.5 + minutes))).exp())
}

/// Uniform in [0, 1), from a row and a purpose.
fn noise(row: usize, purpose: u64) -> f64 {
    let mut x = (row as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    for _ in 0..3 {
        x = (x ^ (x >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    }
    (x >> 11) as f64 / (1_u64 << 53) as f64
}

fn number(name: &str, values: impl Iterator<Item = f32>) -> Column {
    column(name, SignalKind::Number, Values::Number(values.collect()))
}

fn category(name: &str, levels: usize, values: impl Iterator<Item = u32>) -> Column {
    let levels = (0..levels).map(|level| format!("level {level}")).collect();
    column(name, SignalKind::Category { levels }, Values::Level(values.collect()))
}

fn column(name: &str, kind: SignalKind, values: Values) -> Column {
    Column { signal: Signal::new(name, kind), values, monotone: Monotone::Free }
}

fn pick(labels: &[bool], rows: &[u32]) -> Vec<bool> {
    rows.iter().map(|&row| labels[row as usize]).collect()
}

fn fit(table: &Table, labels: &[bool]) -> Trained {
    let settings = Settings { max_trees: Some(60), ..SETTINGS };
    train(table, labels, settings, &OneByOne, &mut |_| {}).unwrap()
}

fn open(trained: Trained) -> Model {
    let model: LeadModel = trained.into_model("leads", SETTINGS);
    Model::open(&encode(&model).unwrap()).unwrap()
}

/// How the probability of the first row moves as its first number rises.
fn steps(model: &Model, table: &Table) -> Vec<f64> {
    let mut probe = table.select(&[0; 21]);
    probe.columns[0].values = Values::Number((0..21).map(|value| value as f32).collect());
    probabilities(model, &probe).windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// The margin by a plain walk over the authored trees.
fn margin(model: &TreeModel, table: &Table, row: usize) -> f64 {
    let value = |signal: &Signal| {
        let column = table.columns.iter().find(|column| column.signal.name == signal.name).unwrap();
        match (&column.values, &column.signal.kind, &signal.kind) {
            (Values::Number(values), ..) => f64::from(values[row]),
            (
                Values::Level(values),
                SignalKind::Category { levels },
                SignalKind::Category { levels: known },
            ) => match levels.get(values[row] as usize) {
                None if values[row] == MISSING_LEVEL => f64::NAN,
                None => known.len() as f64,
                Some(text) => {
                    known.iter().position(|level| level == text).unwrap_or(known.len()) as f64
                }
            },
            _ => unreachable!(),
        }
    };
    let values: Vec<f64> = model.signals.iter().map(value).collect();
    let leaf = |tree: &rapport_core::model::Tree| {
        let mut at = 0;
        loop {
            match &tree.nodes[at] {
                Node::Leaf { value, .. } => return *value,
                Node::Split { signal, rule, missing_left, left, right, .. } => {
                    let value = values[*signal as usize];
                    let goes_left = match rule {
                        _ if value.is_nan() => *missing_left,
                        Rule::AtMost(cut) => value <= *cut,
                        Rule::OneOf { levels, other_left } => {
                            let SignalKind::Category { levels: known } =
                                &model.signals[*signal as usize].kind
                            else {
                                unreachable!()
                            };
                            if value as usize >= known.len() {
                                *other_left
                            } else {
                                levels.contains(value as usize)
                            }
                        }
                    };
                    at = if goes_left { *left } else { *right } as usize;
                }
            }
        }
    };
    model.base_margin + model.trees.iter().map(leaf).sum::<f64>()
}

/// Workers that start with the last job.
struct Backwards;

impl Workers for Backwards {
    fn run<'a>(&self, jobs: Vec<Job<'a>>) {
        jobs.into_iter().rev().for_each(|job| job());
    }
}
