//! From a file of past leads to a table that a model can learn from.

use super::source::{Source, TableError};
use crate::progress::Ticker;
use rapport_core::model::{Signal, SignalKind};
use rapport_core::training::leak::identifiers;
use rapport_core::training::reading::{ColumnKind, Sketch, days, is_missing, number};
use rapport_core::training::{Column, MISSING_LEVEL, Monotone, Table, Values};
use std::collections::HashMap;

/// What is to be read.
pub struct TrainingTableRequest<'a> {
    pub target: &'a str,
    pub positive: Option<&'a str>,
    pub exclude: &'a [String],
    pub time_column: Option<&'a str>,
}

/// A table, its outcomes, and how it was read.
pub struct TrainingTable {
    pub table: Table,
    pub labels: Vec<bool>,
    /// Where a time column was named: its values, NaN where missing.
    pub times: Option<Vec<f64>>,
    pub positive: String,
    pub left_out: Vec<LeftOut>,
    pub notes: Vec<String>,
    /// Rows of the file, of which `labels.len()` are in the table.
    pub rows_in_file: u64,
}

/// A column that the model does not get to see.
#[derive(Debug, Clone, serde::Serialize)]
pub struct LeftOut {
    pub column: String,
    pub why: String,
}

/// More rows than this are thinned out evenly: further ones cost time and memory, and teach nothing.
pub const MOST_ROWS: u64 = 300_000;

impl TrainingTable {
    /// Reads the file twice: once to learn what its columns are, once for the values.
    pub fn read(
        source: &Source,
        request: &TrainingTableRequest,
        ticker: &mut Ticker,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let target = source.column(request.target)?;
        let time = request.time_column.map(|name| source.column(name)).transpose()?;
        let mut excluded = vec![false; source.header.len()];
        for name in request.exclude {
            excluded[source.column(name)?] = true;
        }
        let sketches = sketch(source, ticker)?;
        let target_sketch = &sketches[target];
        if target_sketch.rows == 0 {
            return Err(TableError::NoRows { path: source.path.clone() }.into());
        }
        let positive = positive_label(target_sketch, request)?;
        let mut reading = Reading { columns: Vec::new(), left_out: Vec::new(), notes: Vec::new() };
        for (place, sketch) in sketches.iter().enumerate() {
            if place != target && Some(place) != time && !excluded[place] {
                reading.decide(place, &source.header[place], sketch);
            }
        }
        if target_sketch.missing > 0 {
            reading.notes.push(format!(
                "{} rows without a value in “{}” were left out",
                target_sketch.missing, request.target
            ));
        }
        let known = target_sketch.rows - target_sketch.missing;
        if known > MOST_ROWS {
            reading
                .notes
                .push(format!("learnt from about {MOST_ROWS} rows drawn evenly from {known}"));
        }
        let time = time.map(|place| (place, sketches[place].kind()));
        if let (Some((_, kind)), Some(name)) = (&time, request.time_column)
            && !matches!(kind, ColumnKind::Number { .. } | ColumnKind::Date { .. })
        {
            return Err(format!(
                "column “{name}” holds neither dates nor different numbers, so it cannot order rows in time: name another with --time-column"
            )
            .into());
        }
        reading.fill(source, target, time, positive, known, ticker)
    }
}

impl TrainingTable {
    /// Takes away record numbers: they name rows, and say nothing of new ones.
    pub fn leave_out_identifiers(&mut self) {
        for place in identifiers(&self.table).into_iter().rev() {
            let column = self.table.columns.remove(place).signal.name;
            let why = "its whole numbers differ in every row: a counter or record number".into();
            self.left_out.push(LeftOut { column, why });
        }
    }
}

struct Reading {
    columns: Vec<Draft>,
    left_out: Vec<LeftOut>,
    notes: Vec<String>,
}

struct Draft {
    place: usize,
    kind: ColumnKind,
    column: Column,
    levels: HashMap<String, u32>,
}

impl Reading {
    fn decide(&mut self, place: usize, name: &str, sketch: &Sketch) {
        let kind = sketch.kind();
        let signal_kind = match &kind {
            ColumnKind::Number { strays, first_stray, .. } => {
                self.note_strays(name, "number", *strays, first_stray.as_ref());
                SignalKind::Number
            }
            ColumnKind::Date { strays, first_stray, .. } => {
                self.note_strays(name, "date", *strays, first_stray.as_ref());
                SignalKind::Date
            }
            ColumnKind::Category { levels } => SignalKind::Category { levels: levels.clone() },
            ColumnKind::FreeText { distinct } => {
                let why = format!(
                    "its {distinct} or more texts hardly repeat: an identifier or free text"
                );
                self.left_out.push(LeftOut { column: name.to_owned(), why });
                return;
            }
            ColumnKind::Constant => {
                self.left_out.push(LeftOut {
                    column: name.to_owned(),
                    why: "it holds one value only".into(),
                });
                return;
            }
        };
        let levels = match &signal_kind {
            SignalKind::Category { levels } => levels.iter().cloned().zip(0..).collect(),
            _ => HashMap::new(),
        };
        let values = match &signal_kind {
            SignalKind::Category { .. } => Values::Level(Vec::new()),
            _ => Values::Number(Vec::new()),
        };
        let signal = Signal { notation: sketch.notation(), ..Signal::new(name, signal_kind) };
        self.columns.push(Draft {
            place,
            kind,
            column: Column { signal, values, monotone: Monotone::Free },
            levels,
        });
    }

    fn note_strays(
        &mut self,
        name: &str,
        what: &str,
        strays: u64,
        first: Option<&rapport_core::training::reading::Stray>,
    ) {
        if let Some(first) = first.filter(|_| strays > 0) {
            self.notes.push(format!(
                "column “{name}”: {strays} cells are no {what} and were read as missing, the first in row {} (“{}”)",
                first.row, first.text
            ));
        }
    }

    fn fill(
        mut self,
        source: &Source,
        target: usize,
        time: Option<(usize, ColumnKind)>,
        positive: String,
        known: u64,
        ticker: &mut Ticker,
    ) -> Result<TrainingTable, Box<dyn std::error::Error>> {
        let mut labels = Vec::new();
        let mut times = time.as_ref().map(|_| Vec::new());
        let mut rows = source.rows()?;
        let mut seen = 0_u64;
        while let Some(record) = rows.next()? {
            let outcome = record.get(target).unwrap_or("").trim();
            if is_missing(outcome) {
                continue;
            }
            // Every row's turn comes evenly: one is kept whenever the kept share lags behind.
            seen += 1;
            if known > MOST_ROWS && seen * MOST_ROWS / known == (seen - 1) * MOST_ROWS / known {
                continue;
            }
            labels.push(same(outcome, &positive));
            for draft in &mut self.columns {
                draft.push(record.get(draft.place).unwrap_or(""));
            }
            if let (Some(times), Some((place, kind))) = (&mut times, &time) {
                times.push(instant(record.get(*place).unwrap_or(""), kind));
            }
            ticker.tick(|| format!("reading {}: row {seen} of {known}", source.path.display()));
        }
        let columns = self.columns.into_iter().map(|draft| draft.column).collect();
        Ok(TrainingTable {
            table: Table { columns, rows: labels.len() },
            labels,
            times,
            positive,
            left_out: self.left_out,
            notes: self.notes,
            rows_in_file: rows.row,
        })
    }
}

impl Draft {
    fn push(&mut self, cell: &str) {
        match &mut self.column.values {
            Values::Number(values) => values.push(instant(cell, &self.kind) as f32),
            Values::Level(values) => values.push(if is_missing(cell) {
                MISSING_LEVEL
            } else {
                self.levels.get(cell.trim()).copied().unwrap_or(self.levels.len() as u32)
            }),
        }
    }
}

/// A cell of a number or date column, NaN where missing or stray.
fn instant(cell: &str, kind: &ColumnKind) -> f64 {
    if is_missing(cell) {
        return f64::NAN;
    }
    match kind {
        ColumnKind::Number { mark, .. } => number(cell, *mark),
        ColumnKind::Date { order, .. } => days(cell, *order),
        _ => None,
    }
    .unwrap_or(f64::NAN)
}

fn sketch(source: &Source, ticker: &mut Ticker) -> Result<Vec<Sketch>, TableError> {
    let mut sketches = vec![Sketch::default(); source.header.len()];
    let mut rows = source.rows()?;
    loop {
        let row = rows.row;
        let Some(record) = rows.next()? else { return Ok(sketches) };
        for (sketch, cell) in sketches.iter_mut().zip(record) {
            sketch.see(cell);
        }
        ticker.tick(|| format!("looking at {}: row {row}", source.path.display()));
    }
}

/// The value of the target that counts as positive: the one asked for, else the one that says yes,
/// else the rarer of two.
pub fn positive_label(target: &Sketch, request: &TrainingTableRequest) -> Result<String, String> {
    let mut levels: Vec<(&str, u64)> = target.levels().collect();
    levels.sort_by_key(|level| std::cmp::Reverse(level.1));
    let listed = || {
        let shown: Vec<String> =
            levels.iter().take(5).map(|(text, count)| format!("“{text}” ({count} rows)")).collect();
        let more = if levels.len() > 5 {
            format!(" and {} more", levels.len() - 5)
        } else {
            String::new()
        };
        format!("{}{more}", shown.join(", "))
    };
    let name = request.target;
    if let [only] = levels.as_slice() {
        return Err(format!(
            "target “{name}” has one value only, “{}” ({} rows): give rows of both outcomes",
            only.0, only.1
        ));
    }
    if levels.is_empty() {
        return Err(format!("target “{name}” is empty in every row"));
    }
    if let Some(wanted) = request.positive {
        return match levels.iter().find(|level| same(level.0, wanted)) {
            Some(level) => Ok(level.0.to_owned()),
            None => Err(format!("target “{name}” never is “{wanted}”: it holds {}", listed())),
        };
    }
    const YES: [&str; 12] = [
        "1",
        "yes",
        "true",
        "y",
        "t",
        "converted",
        "won",
        "closed won",
        "success",
        "positive",
        "ja",
        "oui",
    ];
    if levels.len() == 2 {
        let yes =
            levels.iter().find(|level| YES.iter().any(|yes| same(&level.0.to_lowercase(), yes)));
        return yes.or(levels.get(1)).map(|level| level.0.to_owned()).ok_or_else(String::new);
    }
    Err(format!(
        "target “{name}” has {} values, {}: say with --positive which one a model is to predict",
        levels.len(),
        listed()
    ))
}

/// Whether two cells say the same: as text, or as numbers.
pub fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim(), b.trim());
    a == b || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
}
