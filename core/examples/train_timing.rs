//! Seconds that boosting takes, one thread, binning included: `train_timing TABLE TREES`.
//!
//! The table is plain text: a line with the number of levels of each column (0 for numbers), then a
//! line a row: the label, then a value each (a level's index, −1 where missing).
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use rapport_core::model::{Signal, SignalKind};
use rapport_core::training::bins::{BinSettings, Binned};
use rapport_core::training::boost::Boosting;
use rapport_core::training::grow::Shape;
use rapport_core::training::presets::wary;
use rapport_core::training::{Column, MISSING_LEVEL, Monotone, Table, Values};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(trees)) = (arguments.next(), arguments.next()) else {
        return println!("train_timing: give a table and a number of trees");
    };
    let (table, labels) = read(&std::fs::read_to_string(path).unwrap());
    let rows: Vec<u32> = (0..table.rows as u32).collect();
    // The way without a least hessian, and else what LightGBM does by default.
    let mut settings = wary(table.rows);
    settings.learning_rate = 0.1;
    settings.row_share = 1.0;
    settings.shape = Shape { max_depth: 30, max_leaves: 31, feature_share: 1.0 };
    let started = std::time::Instant::now();
    let binned = Binned::new(&table, BinSettings { max_cuts: 254, rare_below: 3 });
    let mut boosting = Boosting::new(&binned, &labels, &rows, settings, 1);
    (0..trees.parse().unwrap()).for_each(|_| boosting.round());
    println!("{}", started.elapsed().as_secs_f64());
}

fn read(text: &str) -> (Table, Vec<bool>) {
    let mut lines = text.lines();
    let levels: Vec<usize> =
        lines.next().unwrap().split(' ').map(|count| count.parse().unwrap()).collect();
    let rows: Vec<Vec<f32>> =
        lines.map(|line| line.split(' ').map(|value| value.parse().unwrap()).collect()).collect();
    let column = |(place, &levels): (usize, &usize)| {
        let values = rows.iter().map(|row| row[place + 1]);
        let level = |value: f32| if value < 0.0 { MISSING_LEVEL } else { value as u32 };
        let (kind, values) = if levels == 0 {
            (SignalKind::Number, Values::Number(values.collect()))
        } else {
            let levels = (0..levels).map(|level| level.to_string()).collect();
            (SignalKind::Category { levels }, Values::Level(values.map(level).collect()))
        };
        let signal = Signal::new("", kind);
        Column { signal, values, monotone: Monotone::Free }
    };
    let columns = levels.iter().enumerate().map(column).collect();
    (Table { columns, rows: rows.len() }, rows.iter().map(|row| row[0] == 1.0).collect())
}
