//! Turns somebody's table of leads into one whose columns are our signals.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{Read, Write};

/// Which column is which signal: `examples/demo/xeducation-mapping.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Mapping {
    pub target: Target,
    /// What people write where they know nothing.
    pub missing: Vec<String>,
    pub columns: Vec<Column>,
}

/// What is to be predicted.
#[derive(Debug, Clone, Deserialize)]
pub struct Target {
    pub column: String,
}

/// Where one signal's values come from.
#[derive(Debug, Clone, Deserialize)]
pub struct Column {
    pub signal: String,
    /// The column that holds the signal …
    pub column: Option<String>,
    /// … or the two whose quotient, rounded, it is; 0 where both are 0.
    pub ratio: Option<[String; 2]>,
    /// Their words for ours; other words stay.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    #[serde(default)]
    pub zero_is_missing: bool,
}

/// Why a table does not map.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    #[error("cannot read the table: {0}")]
    Table(#[from] csv::Error),
    #[error("the table has no column `{0}`, which the mapping reads")]
    NoColumn(String),
    #[error("the mapping gives `{0}` neither a column nor a ratio")]
    NoSource(String),
}

impl Mapping {
    /// Writes the mapped table: one column a signal, then the target's as it was.
    ///
    /// # Errors
    /// Names the column that is missing; passes on what reading and writing report.
    pub fn apply(&self, input: impl Read, output: impl Write) -> Result<(), MappingError> {
        let mut reader = csv::Reader::from_reader(input);
        let head = reader.headers()?.clone();
        let find = |name: &str| {
            let name = name.trim();
            head.iter()
                .position(|column| column.trim() == name)
                .ok_or_else(|| MappingError::NoColumn(name.to_owned()))
        };
        let mut sources = Vec::new();
        for column in &self.columns {
            sources.push(match (&column.column, &column.ratio) {
                (Some(name), _) => Source::Column(find(name)?),
                (None, Some([over, under])) => Source::Ratio(find(over)?, find(under)?),
                (None, None) => return Err(MappingError::NoSource(column.signal.clone())),
            });
        }
        let target = find(&self.target.column)?;
        let mut writer = csv::Writer::from_writer(output);
        let names = self.columns.iter().map(|column| column.signal.as_str());
        writer.write_record(names.chain([self.target.column.as_str()]))?;
        for record in reader.records() {
            let record = record?;
            let cell = |index: usize| {
                let cell = record.get(index).unwrap_or_default().trim();
                if self.missing.iter().any(|missing| missing == cell) { "" } else { cell }
            };
            let mut row: Vec<String> = Vec::with_capacity(sources.len() + 1);
            for (column, source) in self.columns.iter().zip(&sources) {
                row.push(match source {
                    Source::Column(index) => column.say(cell(*index)),
                    Source::Ratio(over, under) => quotient(cell(*over), cell(*under)),
                });
            }
            row.push(cell(target).to_owned());
            writer.write_record(&row)?;
        }
        writer.flush().map_err(csv::Error::from)?;
        Ok(())
    }
}

enum Source {
    Column(usize),
    Ratio(usize, usize),
}

impl Column {
    fn say(&self, cell: &str) -> String {
        if self.zero_is_missing && cell.parse() == Ok(0.0) {
            return String::new();
        }
        self.values.get(cell).map_or(cell, String::as_str).to_owned()
    }
}

/// The quotient of two cells, rounded; nothing where one of them is no number.
fn quotient(over: &str, under: &str) -> String {
    let (Ok(over), Ok(under)) = (over.parse::<f64>(), under.parse::<f64>()) else {
        return String::new();
    };
    if under == 0.0 { "0".to_owned() } else { (over / under).round().to_string() }
}
