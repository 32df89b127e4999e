//! Sets of plain values: lists in conditions, and saved groups.

use super::Value;

/// A set of values, found by bisection, so that a group of a hundred thousand costs no more than
/// seventeen looks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Members {
    pub(super) texts: Vec<Box<str>>,
    pub(super) numbers: Vec<f64>,
    /// Bit 0 null, bit 1 false, bit 2 true.
    pub(super) others: u8,
}

impl Members {
    /// The set of these; lists and maps are in no set, as they are never the same.
    #[cfg(feature = "wire")]
    pub fn new(values: &[Value<'_>]) -> Self {
        let (mut texts, mut numbers, mut others): (Vec<Box<str>>, Vec<f64>, u8) =
            Default::default();
        for value in values {
            match value {
                Value::Text(text) => texts.push(Box::from(&**text)),
                // −0 and 0 are the same to JavaScript.
                Value::Number(number) => numbers.push(*number + 0.0),
                _ => others |= bit(value),
            }
        }
        texts.sort_unstable();
        texts.dedup();
        numbers.sort_unstable_by(f64::total_cmp);
        numbers.dedup();
        Self { texts, numbers, others }
    }

    /// Whether the set holds the value.
    pub fn holds(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Text(text) => self.texts.binary_search_by(|member| (**member).cmp(text)).is_ok(),
            Value::Number(number) => {
                self.numbers.binary_search_by(|member| member.total_cmp(&(number + 0.0))).is_ok()
            }
            _ => self.others & bit(value) != 0,
        }
    }

    /// Whether it holds the value or, of a list, one of its items.
    pub(super) fn meets(&self, value: &Value<'_>) -> bool {
        one_of(value, &|item| self.holds(item))
    }
}

/// Whether something holds of the value or, of a list, of one of its items.
pub(super) fn one_of(value: &Value<'_>, holds: &dyn Fn(&Value<'_>) -> bool) -> bool {
    match value {
        Value::List(items) => items.iter().any(holds),
        _ => holds(value),
    }
}

fn bit(value: &Value<'_>) -> u8 {
    match value {
        Value::Null => 1,
        Value::Bool(false) => 2,
        Value::Bool(true) => 4,
        _ => 0,
    }
}
