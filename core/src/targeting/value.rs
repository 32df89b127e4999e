//! Values of attributes, and how JavaScript compares them: conditions mean what they mean in the
//! language that GrowthBook's condition language comes from, on every host.

use std::borrow::Cow;
use std::cmp::Ordering;
#[cfg(feature = "wire")]
use std::collections::BTreeMap;

/// A value as JSON has it. Members of a map stand in the order in which JavaScript names them.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
    /// Null, and whatever is absent.
    #[default]
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
    List(Vec<Value<'a>>),
    Map(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// The absent value.
pub(super) const ABSENT: &Value<'static> = &Value::Null;

impl<'a> Value<'a> {
    /// A map of these members: of equal names the last value counts, at the place of the first;
    /// names that are array indices come first, in ascending order, as JavaScript has it.
    #[cfg(feature = "wire")]
    pub fn map(members: Vec<(Cow<'a, str>, Self)>) -> Self {
        let mut kept: BTreeMap<Cow<'a, str>, (usize, Self)> = BTreeMap::new();
        for (at, (name, value)) in members.into_iter().enumerate() {
            let first = kept.get(&name).map_or(at, |(first, _)| *first);
            kept.insert(name, (first, value));
        }
        let mut kept: Vec<_> = kept.into_iter().collect();
        kept.sort_by_key(|(name, (at, _))| (array_index(name).map_or(u64::MAX, u64::from), *at));
        Self::Map(kept.into_iter().map(|(name, (_, value))| (name, value)).collect())
    }

    /// Conditions as one, by `$and` or `$or`: of none there is none, and one stands for itself.
    pub fn joined(operator: &'static str, mut conditions: Vec<Self>) -> Option<Self> {
        match conditions.len() {
            0 | 1 => conditions.pop(),
            _ => Some(Self::Map(vec![(operator.into(), Self::List(conditions))])),
        }
    }

    /// The member of that name, if this is a map that has it.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => {
                members.iter().find(|(other, _)| other == name).map(|(_, value)| value)
            }
            Self::List(items) => items.get(array_index(name)? as usize),
            _ => None,
        }
    }

    /// What stands at a dotted path; null where anything on the way is absent.
    pub fn at(&self, path: &str) -> &Self {
        path.split('.').try_fold(self, |value, name| value.member(name)).unwrap_or(ABSENT)
    }

    /// What `typeof` says, with `null` and `array` told apart.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Map(_) => "object",
        }
    }

    /// `Boolean(value)`.
    pub fn truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(flag) => *flag,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::List(_) | Self::Map(_) => true,
        }
    }

    /// `Number(value)`; NaN where that is no number.
    pub fn to_number(&self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Bool(flag) => f64::from(u8::from(*flag)),
            Self::Number(number) => *number,
            Self::Text(text) => super::number::parse(text),
            Self::List(_) => super::number::parse(&self.to_text()),
            Self::Map(_) => f64::NAN,
        }
    }

    /// `String(value)`.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Null => "null".into(),
            Self::Bool(flag) => if *flag { "true" } else { "false" }.into(),
            Self::Number(number) => super::number::text(*number).into(),
            Self::Text(text) => Cow::Borrowed(text),
            Self::List(items) => {
                let mut joined = String::new();
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        joined.push(',');
                    }
                    if *item != Self::Null {
                        joined.push_str(&item.to_text());
                    }
                }
                joined.into()
            }
            Self::Map(_) => "[object Object]".into(),
        }
    }

    /// `===`: two lists or maps are never the same one.
    pub fn is(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(left), Value::Bool(right)) => left == right,
            (Self::Number(left), Value::Number(right)) => left == right,
            (Self::Text(left), Value::Text(right)) => left == right,
            _ => false,
        }
    }

    /// Whether both are written alike as JSON.
    pub fn written_like(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Self::List(left), Value::List(right)) => {
                left.len() == right.len()
                    && left.iter().zip(right).all(|(left, right)| left.written_like(right))
            }
            (Self::Map(left), Value::Map(right)) => {
                left.len() == right.len()
                    && left.iter().zip(right).all(|((name, left), (other, right))| {
                        name == other && left.written_like(right)
                    })
            }
            // What is no number is written as null.
            (Self::Number(number), Value::Null) => !number.is_finite(),
            (Self::Null, Value::Number(number)) => !number.is_finite(),
            (Self::Number(left), Value::Number(right)) => {
                left == right || !left.is_finite() && !right.is_finite()
            }
            _ => self.is(other),
        }
    }

    /// How `<` and `>` order both: texts by their UTF-16 code units, all else as numbers; `None`
    /// where either is no number.
    pub fn order(&self, other: &Value<'_>) -> Option<Ordering> {
        let text =
            |value: &Value<'_>| matches!(value, Value::Text(_) | Value::List(_) | Value::Map(_));
        if text(self) && text(other) {
            return Some(utf16_order(&self.to_text(), &other.to_text()));
        }
        self.to_number().partial_cmp(&other.to_number())
    }

    /// The same value, borrowed from nothing.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(flag),
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::List(items) => Value::List(items.into_iter().map(Self::into_owned).collect()),
            Self::Map(members) => Value::Map(
                members
                    .into_iter()
                    .map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()))
                    .collect(),
            ),
        }
    }
}

/// UTF-8 orders as code points do; UTF-16 puts what lies beyond U+FFFF before U+E000.
fn utf16_order(left: &str, right: &str) -> Ordering {
    left.encode_utf16().cmp(right.encode_utf16())
}

/// The index of an array that a name is, up to 2³² − 2.
fn array_index(name: &str) -> Option<u32> {
    let plain = !name.is_empty()
        && name.len() <= 10
        && name.bytes().all(|byte| byte.is_ascii_digit())
        && (name.len() == 1 || !name.starts_with('0'));
    if !plain {
        return None;
    }
    let number = name.bytes().fold(0_u64, |number, byte| number * 10 + u64::from(byte - b'0'));
    u32::try_from(number).ok().filter(|&index| index < u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value<'_> {
        Value::Text(text.into())
    }

    #[test]
    fn values_turn_into_numbers_and_texts_as_in_javascript() {
        for (value, number, written) in [
            (Value::Null, 0.0, "null"),
            (Value::Bool(true), 1.0, "true"),
            (text(" 12.5 "), 12.5, " 12.5 "),
            (text(""), 0.0, ""),
            (Value::List(vec![]), 0.0, ""),
            (Value::List(vec![text("7")]), 7.0, "7"),
        ] {
            assert_eq!((value.to_number(), &*value.to_text()), (number, written));
        }
        let list = Value::List(vec![Value::Null, Value::Number(1.5), Value::List(vec![text("a")])]);
        assert_eq!(list.to_text(), ",1.5,a");
        assert!(list.to_number().is_nan());
        assert!(Value::Map(vec![]).to_number().is_nan());
    }

    #[test]
    fn texts_are_ordered_by_their_utf16_units() {
        assert_eq!(text("\u{1F600}").order(&text("\u{FF5E}")), Some(Ordering::Less));
        assert_eq!(text("10").order(&text("9")), Some(Ordering::Less));
        assert_eq!(text("10").order(&Value::Number(9.0)), Some(Ordering::Greater));
        assert_eq!(text("ten").order(&Value::Number(9.0)), None);
    }

    #[test]
    fn members_stand_as_javascript_names_them() {
        let member = |name: &'static str, value: f64| (Cow::from(name), Value::Number(value));
        let map = Value::map(vec![
            member("b", 1.0),
            member("2", 2.0),
            member("1", 3.0),
            member("b", 4.0),
        ]);
        let Value::Map(members) = map else { return };
        let names: Vec<_> = members.iter().map(|(name, _)| &**name).collect();
        assert_eq!((names, members[2].1.to_number()), (vec!["1", "2", "b"], 4.0));
    }
}
