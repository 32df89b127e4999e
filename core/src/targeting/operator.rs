//! What a condition can ask of one value.

use super::condition::{Scope, Test};
use super::letters::Letters;
use super::members::one_of;
use super::network::Network;
use super::pattern::Pattern;
use super::{Condition, Members, Value, version};
use crate::event::Millis;
use core::cmp::Ordering;

/// One question about a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// Holds of nothing: an operator that nobody knows, or one whose operand makes no sense.
    Never,
    /// `$eq`, or `$ne` where negated.
    Same { value: Value<'static>, negated: bool },
    /// `$lt`, `$lte`, `$gt`, `$gte`.
    Compares { relation: Relation, value: Value<'static> },
    /// `$veq`, `$vne`, `$vlt`, `$vlte`, `$vgt`, `$vgte`, with a padded version.
    Version { relation: Relation, version: Box<str> },
    /// `$exists`.
    Exists(bool),
    /// `$in`, `$nin`.
    In { members: Members, negated: bool },
    /// `$ini`, `$nini`; the members are those that are no texts.
    InAnyCase { texts: Vec<Letters>, members: Members, negated: bool },
    /// `$inGroup`, `$notInGroup`; the number is that of a saved group, none where there is no such.
    InGroup { group: Option<u16>, negated: bool },
    /// `$not`.
    Not(Box<Test>),
    /// `$size`.
    Size(Box<Test>),
    /// `$elemMatch` with operators.
    SomeItem(Box<Test>),
    /// `$elemMatch` with a condition.
    SomeItemHas(Box<Condition>),
    /// `$all`, `$alli`.
    EachFound(Vec<Test>),
    /// `$regex`, `$regexi`, `$notRegex`, `$notRegexi`.
    Matches { pattern: Pattern, negated: bool },
    /// `$type`.
    Kind(Box<str>),
    /// `$cidr`, `$notCidr`.
    InNetwork { networks: Vec<Network>, negated: bool },
    /// `$before` where `after` is false, `$after` (at that time or later) where it is true.
    Time { at: Millis, after: bool },
}

/// How two values stand to one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Relation {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Relation {
    const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}

impl Operator {
    pub(super) fn holds(&self, value: &Value<'_>, groups: &[Members]) -> bool {
        match self {
            Self::Never => false,
            Self::Same { value: wanted, negated } => value.is(wanted) != *negated,
            Self::Compares { relation, value: bound } => {
                value.order(bound).is_some_and(|order| relation.holds(order))
            }
            Self::Version { relation, version } => {
                relation.holds((*version::padded_value(value)).cmp(version))
            }
            Self::Exists(wanted) => (*value != Value::Null) == *wanted,
            Self::In { members, negated } => members.meets(value) != *negated,
            Self::InAnyCase { texts, members, negated } => {
                let holds = |item: &Value<'_>| match item {
                    Value::Text(text) => texts.iter().any(|letters| letters.are(text)),
                    _ => members.holds(item),
                };
                one_of(value, &holds) != *negated
            }
            Self::InGroup { group, negated } => {
                let group = group.and_then(|number| groups.get(usize::from(number)));
                group.is_some_and(|members| members.meets(value)) != *negated
            }
            Self::Not(test) => !test.holds(value, groups),
            Self::Size(test) => items(value)
                .is_some_and(|items| test.holds(&Value::Number(items.len() as f64), groups)),
            Self::SomeItem(test) => some(value, &|item| item.truthy() && test.holds(item, groups)),
            Self::SomeItemHas(condition) => {
                some(value, &|item| item.truthy() && condition.holds(Scope::Item(item), groups))
            }
            Self::EachFound(tests) => {
                items(value).is_some()
                    && tests.iter().all(|test| some(value, &|item| test.holds(item, groups)))
            }
            Self::Matches { pattern, negated } => pattern.found_in(&value.to_text()) != *negated,
            Self::Kind(kind) => value.kind() == &**kind,
            Self::InNetwork { networks, negated } => match value {
                Value::Text(address) => {
                    networks.iter().any(|network| network.holds(address)) != *negated
                }
                _ => *negated,
            },
            Self::Time { at, after } => time(value).is_some_and(|time| (time >= *at) == *after),
        }
    }
}

fn items<'v, 'a>(value: &'v Value<'a>) -> Option<&'v [Value<'a>]> {
    if let Value::List(items) = value { Some(items) } else { None }
}

fn some(value: &Value<'_>, holds: &dyn Fn(&Value<'_>) -> bool) -> bool {
    items(value).is_some_and(|items| items.iter().any(holds))
}

/// A time: milliseconds since 1970, or ISO 8601.
fn time(value: &Value<'_>) -> Option<Millis> {
    match value {
        Value::Number(millis) => Some(Millis(*millis as i64)),
        Value::Text(text) => Millis::parse(text),
        _ => None,
    }
}
