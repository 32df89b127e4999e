//! Compiled conditions, and how they are judged.

use super::letters::Letters;
use super::operator::Operator;
use super::value::{ABSENT, Value};
use super::{Members, number};

/// What must hold of a visitor, or of an item in one of the visitor's lists.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All hold; so it is with none.
    All(Vec<Condition>),
    /// At least one holds, or there is none.
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// A test of what stands at a dotted path; of a visitor's attributes the first name of the path
    /// is the number of the attribute.
    At {
        attribute: Option<u16>,
        path: Box<str>,
        test: Test,
    },
}

/// What must hold of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// It is this value, give or take what JavaScript takes for the same.
    Is(Value<'static>),
    /// It is this text, in whatever case.
    IsInAnyCase(Letters),
    All(Vec<Operator>),
}

/// What a condition is about.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'s, 'v> {
    /// A visitor's attributes by their numbers; absent ones are null.
    Visitor(&'s [Value<'v>]),
    Item(&'s Value<'v>),
    /// What a feature is: an object whose `value` it is.
    Outcome(&'s Value<'v>),
}

impl<'s, 'v> Scope<'s, 'v> {
    fn at(self, attribute: Option<u16>, path: &str) -> &'s Value<'v> {
        let start = match (self, attribute) {
            (Self::Visitor(attributes), Some(number)) => {
                attributes.get(usize::from(number)).unwrap_or(ABSENT)
            }
            (Self::Item(item), _) => item,
            (Self::Outcome(value), _) => {
                return match path.split_once('.') {
                    None if path == "value" => value,
                    Some(("value", rest)) => value.at(rest),
                    _ => ABSENT,
                };
            }
            (Self::Visitor(_), None) => ABSENT,
        };
        if path.is_empty() && attribute.is_some() { start } else { start.at(path) }
    }
}

impl Condition {
    /// Holds of everybody.
    pub const EVERYBODY: Self = Self::All(Vec::new());

    /// Whether it holds. `groups` are the saved groups by their numbers.
    pub fn holds(&self, scope: Scope<'_, '_>, groups: &[Members]) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.holds(scope, groups)),
            Self::Any(any) => any.is_empty() || any.iter().any(|one| one.holds(scope, groups)),
            Self::Not(one) => !one.holds(scope, groups),
            Self::At { attribute, path, test } => test.holds(scope.at(*attribute, path), groups),
        }
    }
}

#[cfg(feature = "wire")]
impl Condition {
    /// The first test that fails where all must hold, for people: its attribute and the path below.
    pub fn failing(&self, scope: Scope<'_, '_>, groups: &[Members]) -> Option<(Option<u16>, &str)> {
        if self.holds(scope, groups) {
            return None;
        }
        match self {
            Self::All(several) | Self::Any(several) => {
                several.iter().find_map(|one| one.failing(scope, groups))
            }
            Self::Not(one) => one.first(),
            Self::At { attribute, path, .. } => Some((*attribute, path)),
        }
    }

    fn first(&self) -> Option<(Option<u16>, &str)> {
        match self {
            Self::All(several) | Self::Any(several) => several.iter().find_map(Self::first),
            Self::Not(one) => one.first(),
            Self::At { attribute, path, .. } => Some((*attribute, path)),
        }
    }
}

impl Test {
    pub(super) fn holds(&self, value: &Value<'_>, groups: &[Members]) -> bool {
        match self {
            Self::Is(wanted) => is(wanted, value),
            Self::IsInAnyCase(text) => text.are(&value.to_text()),
            Self::All(operators) => operators.iter().all(|operator| operator.holds(value, groups)),
        }
    }
}

/// Whether a value is what a condition names: beside a text, a number or a truth it is taken for one.
fn is(wanted: &Value<'_>, value: &Value<'_>) -> bool {
    match wanted {
        Value::Text(text) => match value {
            Value::Text(value) => value == text,
            Value::Number(value) => number::text(*value) == **text,
            _ => value.to_text() == *text,
        },
        Value::Number(number) => value.to_number() == *number,
        Value::Bool(flag) => *value != Value::Null && value.truthy() == *flag,
        Value::Null => *value == Value::Null,
        Value::List(_) | Value::Map(_) => value.written_like(wanted),
    }
}
