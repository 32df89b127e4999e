//! Trains the model of the scoring figures: `score_model FOLDER`; `cargo xtask bench score` runs it.
//!
//! Reads columns.txt (a line a column: how many levels, 0 for numbers, and its name), table.f64 (a row
//! after the other, its label first) and values.f64 (rows to score); writes model.rpm, and rows.f64:
//! those values as the model reads them.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used)]

use rapport_core::model::{Bands, LeadModel, Model, Signal, SignalKind, encode};
use rapport_core::training::bins::{BinSettings, Binned};
use rapport_core::training::boost::{BoostSettings, Boosting, LevelOrder};
use rapport_core::training::grow::Shape;
use rapport_core::training::presets::presets;
use rapport_core::training::split::Penalties;
use rapport_core::training::{Column, MISSING_LEVEL, Monotone, Table, Values, mean_model};
use std::fs;
use std::path::PathBuf;

const TREES: usize = 100;

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("usage: score_model FOLDER"));
    let floats = |name: &str| -> Vec<f64> {
        let bytes = fs::read(folder.join(name)).unwrap();
        bytes.as_chunks::<8>().0.iter().map(|&chunk| f64::from_le_bytes(chunk)).collect()
    };
    let columns = fs::read_to_string(folder.join("columns.txt")).unwrap();
    let signals: Vec<Signal> = columns.lines().map(signal).collect();
    let table = floats("table.f64");
    let rows: Vec<&[f64]> = table.chunks(signals.len() + 1).collect();
    let labels: Vec<bool> = rows.iter().map(|row| row[0] == 1.0).collect();
    let columns = signals.iter().enumerate().map(|(place, signal)| column(signal, place, &rows));
    let table = Table { columns: columns.collect(), rows: rows.len() };

    let binned = Binned::new(&table, BinSettings { max_cuts: 126, rare_below: 3 });
    let all: Vec<u32> = (0..table.rows as u32).collect();
    let mut boosting = Boosting::new(&binned, &labels, &all, settings(table.rows), 1);
    (0..TREES).for_each(|_| boosting.round());
    let trees = mean_model(&table, &binned, &[(boosting.base, &boosting.trees)]);
    let splits = trees.trees.iter().map(|tree| tree.nodes.len() / 2).sum::<usize>();
    println!("{} signals, {TREES} trees, {splits} splits", trees.signals.len());
    let bands = Bands { not_below: 0.05, qualified_from: 0.5 };
    let bytes = encode(&LeadModel::of_trees("bank", trees, bands)).unwrap();
    fs::write(folder.join("model.rpm"), &bytes).unwrap();

    let model = Model::open(&bytes).unwrap();
    let values = floats("values.f64");
    let rows = values.chunks(signals.len()).flat_map(|row| {
        model.signals().iter().map(|read| {
            let place = signals.iter().position(|signal| signal.name == read.name).unwrap();
            as_read(row[place], read).to_le_bytes()
        })
    });
    fs::write(folder.join("rows.f64"), rows.flatten().collect::<Vec<u8>>()).unwrap();
}

/// Trees as large as those that LightGBM grows with `num_leaves=64, max_depth=6, min_data_in_leaf=20`.
fn settings(rows: usize) -> BoostSettings {
    let joint = presets(rows)[2];
    BoostSettings {
        learning_rate: 0.06,
        shape: Shape { max_depth: 6, max_leaves: 64, feature_share: 1.0 },
        penalties: Penalties { l2: 0.0, min_hessian: 2.0, ..joint.penalties },
        row_share: 1.0,
        level_order: LevelOrder::Fixed { prior_rows: 10.0 },
        ..joint
    }
}

fn signal(line: &str) -> Signal {
    let (levels, name) = line.split_once(' ').unwrap();
    let levels: Vec<String> =
        (0..levels.parse::<usize>().unwrap()).map(|level| level.to_string()).collect();
    let kind = if levels.is_empty() { SignalKind::Number } else { SignalKind::Category { levels } };
    Signal::new(name, kind)
}

fn column(signal: &Signal, place: usize, rows: &[&[f64]]) -> Column {
    let values = rows.iter().map(|row| row[place + 1]);
    let level = |value: f64| if value.is_nan() { MISSING_LEVEL } else { value as u32 };
    let values = match signal.kind {
        SignalKind::Category { .. } => Values::Level(values.map(level).collect()),
        _ => Values::Number(values.map(|value| value as f32).collect()),
    };
    Column { signal: signal.clone(), values, monotone: Monotone::Free }
}

/// A value as the model reads it: it may have left out levels, and so moved others.
fn as_read(value: f64, signal: &Signal) -> f64 {
    match &signal.kind {
        SignalKind::Category { levels } if !value.is_nan() => {
            let name = value.to_string();
            levels.iter().position(|level| *level == name).unwrap_or(levels.len()) as f64
        }
        _ => value,
    }
}
