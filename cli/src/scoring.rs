//! New rows as a model reads them.

use crate::progress::Ticker;
use crate::table::{Source, TableError, nearest};
use rapport_core::model::{LevelHash, Model, ModelError, Row, SignalKind};
use rapport_core::training::reading::{DateOrder, DecimalMark, Sketch, days, is_missing, number};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Where each signal of a model stands in a file, and how its cells are written there.
pub struct Reader<'a> {
    model: &'a Model,
    columns: Vec<(usize, CellKind)>,
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
    /// Finds the model's signals among the columns of a file, and looks once through the file where
    /// numbers or dates could be written in more than one way.
    pub fn new(
        model: &'a Model,
        source: &Source,
        ticker: &mut Ticker,
    ) -> Result<Reader<'a>, ScoringError> {
        let mut places = Vec::new();
        for signal in model.signals() {
            if signal.name.is_empty() {
                return Err(ScoringError::Nameless);
            }
            let place = source.header.iter().position(|column| *column == signal.name);
            places.push(place.ok_or_else(|| ScoringError::NoColumn {
                path: source.path.clone(),
                name: signal.name.clone(),
                near: nearest(&signal.name, &source.header),
            })?);
        }
        let is_level = |kind: &SignalKind| matches!(kind, SignalKind::Category { .. });
        let mut sketches = vec![Sketch::default(); places.len()];
        if !model.signals().iter().all(|signal| is_level(&signal.kind)) {
            let mut rows = source.rows()?;
            loop {
                let row = rows.row;
                let Some(record) = rows.next()? else { break };
                for ((sketch, &place), signal) in
                    sketches.iter_mut().zip(&places).zip(model.signals())
                {
                    if !is_level(&signal.kind) {
                        sketch.see(record.get(place).unwrap_or(""));
                    }
                }
                ticker.tick(|| format!("looking at {}: row {row}", source.path.display()));
            }
        }
        let columns = places.into_iter().zip(model.signals()).zip(&sketches).map(
            |((place, signal), sketch)| {
                let kind = match &signal.kind {
                    SignalKind::Number | SignalKind::NonZero => {
                        CellKind::Number(sketch.decimal_mark())
                    }
                    SignalKind::Date => CellKind::Date(sketch.date_order()),
                    SignalKind::Category { levels } => CellKind::Level(
                        levels
                            .iter()
                            .map(|level| LevelHash::of(level))
                            .zip((0..).map(f64::from))
                            .collect(),
                    ),
                };
                (place, kind)
            },
        );
        let columns = columns.collect();
        Ok(Reader { model, columns })
    }

    /// Writes the cells of a record into a model's row.
    pub fn fill(&self, record: &csv::StringRecord, row: &mut Row) {
        for (signal, (place, kind)) in self.columns.iter().enumerate() {
            let cell = record.get(*place).unwrap_or("");
            let value = match kind {
                _ if is_missing(cell) => None,
                CellKind::Number(mark) => number(cell, *mark),
                CellKind::Date(order) => days(cell, *order),
                CellKind::Level(levels) => {
                    Some(levels.get(&LevelHash::of(cell)).copied().unwrap_or(levels.len() as f64))
                }
            };
            self.model.set(row, signal, value.unwrap_or(f64::NAN));
        }
    }
}
