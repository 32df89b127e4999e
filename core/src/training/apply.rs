//! A finished model on the rows of a table.

use super::table::{Table, Values};
use crate::model::{LevelHash, Model, SignalKind};

/// The probability that `model` gives each row, signals and columns matched by name; a signal
/// without a column is missing.
#[must_use]
pub fn probabilities(model: &Model, table: &Table) -> Vec<f64> {
    // Where each signal stands in the table, and what each level index of the table is to the model.
    let places: Vec<Option<(usize, Vec<f64>)>> = model
        .signals()
        .iter()
        .enumerate()
        .map(|(signal, wanted)| {
            let place =
                table.columns.iter().position(|column| column.signal.name == wanted.name)?;
            let levels = match &table.columns[place].signal.kind {
                SignalKind::Category { levels } => {
                    levels.iter().map(|level| model.level(signal, LevelHash::of(level))).collect()
                }
                _ => Vec::new(),
            };
            Some((place, levels))
        })
        .collect();
    let unseen = |signal: usize| match &model.signals()[signal].kind {
        SignalKind::Category { levels } => levels.len() as f64,
        _ => f64::NAN,
    };
    let mut row = model.row();
    (0..table.rows)
        .map(|at| {
            for (signal, place) in places.iter().enumerate() {
                let Some((place, levels)) = place else { continue };
                let value = table.columns[*place].value(at);
                let value = match &table.columns[*place].values {
                    Values::Number(_) => value,
                    Values::Level(_) if value.is_nan() => value,
                    Values::Level(_) => {
                        levels.get(value as usize).copied().unwrap_or_else(|| unseen(signal))
                    }
                };
                model.set(&mut row, signal, value);
            }
            model.probability(model.predict(&row)).0
        })
        .collect()
}
