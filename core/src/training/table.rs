//! A table to train on: columns of values, in the order of the model's signals.

use crate::model::{Signal, SignalKind};

/// Columns of equal length.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: usize,
}

/// One column: what it is, and a value a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub signal: Signal,
    pub values: Values,
    pub monotone: Monotone,
}

/// The values of a column, as a model will see them (numbers in `f32`).
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers, or days since 1970-01-01; NaN is missing.
    Number(Vec<f32>),
    /// Level indices; [`MISSING_LEVEL`] is missing, an index past the levels is an unseen level.
    Level(Vec<u32>),
}

/// A missing value of a category.
pub const MISSING_LEVEL: u32 = u32::MAX;

/// The direction in which a number may move the margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Monotone {
    #[default]
    Free,
    Rising,
    Falling,
}

impl Table {
    /// The rows at `rows`, in that order.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Table {
        let columns = self.columns.iter().map(|column| column.select(rows)).collect();
        Table { columns, rows: rows.len() }
    }
}

impl Column {
    pub(super) fn value(&self, row: usize) -> f64 {
        match &self.values {
            Values::Number(values) => values.get(row).map_or(f64::NAN, |value| f64::from(*value)),
            Values::Level(values) => match values.get(row) {
                None | Some(&MISSING_LEVEL) => f64::NAN,
                Some(&level) => f64::from(level.min(self.levels())),
            },
        }
    }

    fn levels(&self) -> u32 {
        match &self.signal.kind {
            SignalKind::Category { levels } => u32::try_from(levels.len()).unwrap_or(u32::MAX),
            SignalKind::Number | SignalKind::NonZero | SignalKind::Date => 0,
        }
    }

    fn select(&self, rows: &[u32]) -> Column {
        let values = match &self.values {
            Values::Number(values) => {
                Values::Number(rows.iter().map(|&row| values[row as usize]).collect())
            }
            Values::Level(values) => {
                Values::Level(rows.iter().map(|&row| values[row as usize]).collect())
            }
        };
        Column { signal: self.signal.clone(), values, monotone: self.monotone }
    }
}
