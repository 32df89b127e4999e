//! What all cells of a column, seen once and in order, say about it. Bounded memory.

use super::{DateOrder, DecimalMark, days, is_missing, number, says_nothing};
use crate::model::Notation;
use std::collections::BTreeMap;

/// What was seen of a column.
#[derive(Debug, Clone, Default)]
pub struct Sketch {
    pub rows: u64,
    pub missing: u64,
    /// Cells that say nothing as numbers or dates, among those that are not missing.
    vague: u64,
    points: u64,
    commas: u64,
    day_first: u64,
    month_first: u64,
    /// Whether some number, or some date, says another with the other mark or order.
    mark_matters: bool,
    order_matters: bool,
    /// Up to [`MOST_LEVELS`] texts and how often each occurs.
    levels: BTreeMap<String, u64>,
    overflow: u64,
    not_a_number: Option<Stray>,
    not_a_date: Option<Stray>,
}

/// A cell that does not fit its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Counted from 1, the header left out.
    pub row: u64,
    pub text: String,
}

/// How cells of a column are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Number(DecimalMark),
    Date(DateOrder),
    Text,
}

/// What a column is to a model.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnKind {
    Number {
        mark: DecimalMark,
        strays: u64,
        first_stray: Option<Stray>,
    },
    Date {
        order: DateOrder,
        strays: u64,
        first_stray: Option<Stray>,
    },
    /// Levels by falling count, ties by text.
    Category {
        levels: Vec<String>,
    },
    /// Nearly every row has a text of its own.
    FreeText {
        distinct: usize,
    },
    /// One value, or none.
    Constant,
}

/// More texts than this are not told apart.
pub const MOST_LEVELS: usize = 10_000;
/// Cells in a hundred that may be strays in a column of numbers or dates.
const STRAYS_IN_100: u64 = 5;

impl Sketch {
    /// Takes in the next cell.
    pub fn see(&mut self, cell: &str) {
        self.rows += 1;
        if is_missing(cell) {
            self.missing += 1;
            return;
        }
        let text = cell.trim();
        if says_nothing(text) {
            self.vague += 1;
        } else {
            let (point, comma) =
                (number(text, DecimalMark::Point), number(text, DecimalMark::Comma));
            self.points += u64::from(point.is_some());
            self.commas += u64::from(comma.is_some());
            self.mark_matters |= point != comma;
            if point.is_none() && comma.is_none() {
                self.not_a_number
                    .get_or_insert_with(|| Stray { row: self.rows, text: text.to_owned() });
                let (day, month) =
                    (days(text, DateOrder::DayFirst), days(text, DateOrder::MonthFirst));
                self.day_first += u64::from(day.is_some());
                self.month_first += u64::from(month.is_some());
                self.order_matters |= day != month;
                if day.is_none() && month.is_none() {
                    self.not_a_date
                        .get_or_insert_with(|| Stray { row: self.rows, text: text.to_owned() });
                }
            }
        }
        if let Some(count) = self.levels.get_mut(text) {
            *count += 1;
        } else if self.levels.len() < MOST_LEVELS {
            self.levels.insert(text.to_owned(), 1);
        } else {
            self.overflow += 1;
        }
    }

    /// How cells of a column that is known to hold numbers are written.
    #[must_use]
    pub fn decimal_mark(&self) -> DecimalMark {
        if self.commas > self.points { DecimalMark::Comma } else { DecimalMark::Point }
    }

    /// How cells of a column that is known to hold dates are written.
    #[must_use]
    pub fn date_order(&self) -> DateOrder {
        if self.month_first > self.day_first { DateOrder::MonthFirst } else { DateOrder::DayFirst }
    }

    /// How the column is written, where its cells depend on it.
    #[must_use]
    pub fn notation(&self) -> Notation {
        match self.kind() {
            ColumnKind::Number { mark: DecimalMark::Point, .. } if self.mark_matters => {
                Notation::DecimalPoint
            }
            ColumnKind::Number { mark: DecimalMark::Comma, .. } if self.mark_matters => {
                Notation::DecimalComma
            }
            ColumnKind::Date { order: DateOrder::DayFirst, .. } if self.order_matters => {
                Notation::DayFirst
            }
            ColumnKind::Date { order: DateOrder::MonthFirst, .. } if self.order_matters => {
                Notation::MonthFirst
            }
            _ => Notation::Untold,
        }
    }

    /// Texts seen and how often, in order of text.
    pub fn levels(&self) -> impl Iterator<Item = (&str, u64)> {
        self.levels.iter().map(|(text, count)| (text.as_str(), *count))
    }

    /// What the column is.
    #[must_use]
    pub fn kind(&self) -> ColumnKind {
        let seen = self.rows - self.missing;
        let telling = seen - self.vague;
        if seen == 0 || (self.levels.len() == 1 && self.missing == 0) {
            return ColumnKind::Constant;
        }
        let mostly = |count: u64| {
            telling > 0 && (telling - count.min(telling)) * 100 <= telling * STRAYS_IN_100
        };
        let numbers = self.points.max(self.commas);
        if mostly(numbers) {
            let (strays, first_stray) = (telling - numbers, self.not_a_number.clone());
            return ColumnKind::Number { mark: self.decimal_mark(), strays, first_stray };
        }
        let dates = self.day_first.max(self.month_first);
        if mostly(dates) {
            let (strays, first_stray) = (telling - dates, self.not_a_date.clone());
            return ColumnKind::Date { order: self.date_order(), strays, first_stray };
        }
        let distinct = self.levels.len();
        if self.overflow * 2 > seen || (distinct > 50 && distinct as u64 * 2 > seen) {
            return ColumnKind::FreeText { distinct };
        }
        let mut levels: Vec<(u64, &String)> =
            self.levels.iter().map(|(text, count)| (*count, text)).collect();
        levels.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        ColumnKind::Category { levels: levels.into_iter().map(|(_, text)| text.clone()).collect() }
    }
}
