//! Sets of plain values: lists in conditions, and saved groups.

use super::Value;
use crate::order::ordered;

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
    pub fn new(values: &[Value<'_>], any_case: bool) -> Self {
        let (mut texts, mut numbers, mut others): (Vec<Box<str>>, Vec<f64>, u8) =
            Default::default();
        for value in values {
            match value {
                Value::Text(text) if any_case => texts.push(text.to_lowercase().into()),
                Value::Text(text) => texts.push(Box::from(&**text)),
                Value::Number(number) => numbers.push(*number),
                _ => others |= bit(value),
            }
        }
        let order = ordered(texts.len(), &|left, right| texts[left] < texts[right]);
        let mut texts: Vec<Box<str>> = order.into_iter().map(|at| texts[at].clone()).collect();
        texts.dedup();
        let order = ordered(numbers.len(), &|left, right| numbers[left] < numbers[right]);
        let mut numbers: Vec<f64> = order.into_iter().map(|at| numbers[at]).collect();
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

    /// Whether it holds the value or, of a list, one of its items; `any_case` where the set was made so.
    pub(super) fn meets(&self, value: &Value<'_>, any_case: bool) -> bool {
        match value {
            Value::List(items) => items.iter().any(|item| self.meets_one(item, any_case)),
            _ => self.meets_one(value, any_case),
        }
    }

    fn meets_one(&self, value: &Value<'_>, any_case: bool) -> bool {
        match value {
            Value::Text(text) if any_case => self.holds(&Value::Text(text.to_lowercase().into())),
            _ => self.holds(value),
        }
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
