//! New rows as a model reads them.

use crate::progress::Ticker;
use crate::table::{Source, TableError, nearest};
use rapport_core::model::{LevelHash, Model, ModelError, Notation, Row, Signal, SignalKind};
use rapport_core::training::reading::{
    DateOrder, DecimalMark, Sketch, Stray, days, is_missing, number, says_nothing,
};
use std::collections::HashMap;
use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};

/// Where each signal of a model stands in a file, and how its cells are written there.
pub struct Reader<'a> {
    model: &'a Model,
    columns: Vec<Column<'a>>,
}

struct Column<'a> {
    name: &'a str,
    place: usize,
    kind: CellKind,
    /// Cells that are neither missing nor what the column holds, and the first of them.
    strays: u64,
    first_stray: Option<Stray>,
}

enum CellKind {
    Number(DecimalMark),
    Date(DateOrder),
    /// Level index of every known text's hash.
    Level(HashMap<LevelHash, f64>),
}

/// Why a model cannot score a file.
#[derive(Debug, thiserror::Error)]
pub enum ScoringError {
    #[error("cannot read the model {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is no usable model: {source}", path.display())]
    Model { path: PathBuf, source: ModelError },
    #[error(
        "the model's signals have no names, so columns cannot be matched to them: score with a model that keeps names"
    )]
    Nameless,
    #[error("{}: the model reads the column “{name}”, which is not there{near}", path.display())]
    NoColumn { path: PathBuf, name: String, near: String },
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Opens a model file.
pub fn open(path: &Path) -> Result<Model, ScoringError> {
    let bytes = std::fs::read(path)
        .map_err(|source| ScoringError::Read { path: path.to_owned(), source })?;
    Model::open(&bytes).map_err(|source| ScoringError::Model { path: path.to_owned(), source })
}

impl<'a> Reader<'a> {
    /// Finds the model's signals among the columns of a file. Cells are read as in training; where
    /// training could not tell, one look through the file says how its numbers and dates are written.
    pub fn new(
        model: &'a Model,
        source: &Source,
        ticker: &mut Ticker,
    ) -> Result<Reader<'a>, ScoringError> {
        let mut columns = Vec::new();
        for signal in model.signals() {
            if signal.name.is_empty() {
                return Err(ScoringError::Nameless);
            }
            let place = source.header.iter().position(|column| *column == signal.name);
            let place = place.ok_or_else(|| ScoringError::NoColumn {
                path: source.path.clone(),
                name: signal.name.clone(),
                near: nearest(&signal.name, &source.header),
            })?;
            let (name, kind) = (signal.name.as_str(), CellKind::of(signal));
            columns.push(Column { name, place, kind, strays: 0, first_stray: None });
        }
        let untold = |signal: &Signal| {
            signal.notation == Notation::Untold
                && !matches!(signal.kind, SignalKind::Category { .. })
        };
        let mut looked_at: Vec<(&mut Column, Sketch)> = columns
            .iter_mut()
            .zip(model.signals())
            .filter(|(_, signal)| untold(signal))
            .map(|(column, _)| (column, Sketch::default()))
            .collect();
        if !looked_at.is_empty() {
            let mut rows = source.rows()?;
            loop {
                let row = rows.row;
                let Some(record) = rows.next()? else { break };
                for (column, sketch) in &mut looked_at {
                    sketch.see(record.get(column.place).unwrap_or(""));
                }
                ticker.tick(|| format!("looking at {}: row {row}", source.path.display()));
            }
        }
        for (column, sketch) in &mut looked_at {
            match &mut column.kind {
                CellKind::Number(mark) => *mark = sketch.decimal_mark(),
                CellKind::Date(order) => *order = sketch.date_order(),
                CellKind::Level(_) => {}
            }
        }
        Ok(Reader { model, columns })
    }

    /// Writes the cells of a record, the file's `number`-th, into a model's row.
    pub fn fill(&mut self, number: u64, record: &csv::StringRecord, row: &mut Row) {
        for (signal, column) in self.columns.iter_mut().enumerate() {
            let cell = record.get(column.place).unwrap_or("");
            let value = if is_missing(cell) { None } else { column.kind.value(cell) };
            if value.is_none() && !is_missing(cell) && !says_nothing(cell.trim()) {
                column.strays += 1;
                let text = cell.trim().to_owned();
                column.first_stray.get_or_insert(Stray { row: number, text });
            }
            self.model.set(row, signal, value.unwrap_or(f64::NAN));
        }
    }

    /// Says on standard error which cells could not be read.
    pub fn report(&self) {
        for Column { name, kind, strays, first_stray, .. } in &self.columns {
            let Some(Stray { row, text }) = first_stray else { continue };
            let more = match strays - 1 {
                0 => String::new(),
                1 => ", as does one further cell of the column".to_owned(),
                more => format!(", as do {more} further cells of the column"),
            };
            eprintln!(
                "note: row {row}, column “{name}”: “{text}” is no {kind} and counts as missing{more}"
            );
        }
    }
}

impl CellKind {
    /// As in training, where it could tell.
    fn of(signal: &Signal) -> CellKind {
        match &signal.kind {
            SignalKind::Number | SignalKind::NonZero => CellKind::Number(match signal.notation {
                Notation::DecimalComma => DecimalMark::Comma,
                _ => DecimalMark::Point,
            }),
            SignalKind::Date => CellKind::Date(match signal.notation {
                Notation::MonthFirst => DateOrder::MonthFirst,
                _ => DateOrder::DayFirst,
            }),
            SignalKind::Category { levels } => CellKind::Level(
                levels.iter().map(|level| LevelHash::of(level)).zip((0..).map(f64::from)).collect(),
            ),
        }
    }

    /// The value of a cell that is not missing.
    fn value(&self, cell: &str) -> Option<f64> {
        match self {
            CellKind::Number(mark) => number(cell, *mark),
            CellKind::Date(order) => days(cell, *order),
            CellKind::Level(levels) => {
                Some(levels.get(&LevelHash::of(cell)).copied().unwrap_or(levels.len() as f64))
            }
        }
    }
}

impl Display for CellKind {
    fn fmt(&self, out: &mut Formatter) -> std::fmt::Result {
        out.write_str(match self {
            CellKind::Number(DecimalMark::Point) => "number with a decimal point",
            CellKind::Number(DecimalMark::Comma) => "number with a decimal comma",
            CellKind::Date(DateOrder::DayFirst) => "date with the day first",
            CellKind::Date(DateOrder::MonthFirst) => "date with the month first",
            CellKind::Level(_) => "text",
        })
    }
}
