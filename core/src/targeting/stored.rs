//! Compiled conditions as bytes: `docs/flags-format.md`.

use super::condition::{Condition, Test};
use super::letters::Letters;
use super::network::Network;
use super::operator::{Operator, Relation};
use super::pattern::{Pattern, Place, Step};
use super::{Members, Value};
use crate::binary::{Packed, Reader, nested, packed_members};
use crate::event::Millis;
use std::borrow::Cow;

packed_members! {
    Pattern { steps, ranges }
    Members { texts, numbers, others }
}

/// Implements [`Packed`] for an enumeration: a byte that names the variant, then its members.
macro_rules! packed_variants {
    ($kind:ident, else $instead:expr; $($tag:literal => $variant:ident $({ $($member:ident),+ })? $(( $($item:ident),+ ))?),+ $(,)?) => {
        impl Packed for $kind {
            #[cfg(feature = "wire")]
            fn pack(&self, out: &mut Vec<u8>) {
                match self {
                    $( Self::$variant $({ $($member),+ })? $(( $($item),+ ))? => {
                        out.push($tag);
                        $( $( $member.pack(out); )+ )?
                        $( $( $item.pack(out); )+ )?
                    } )+
                }
            }

            fn unpack(reader: &mut Reader<'_>) -> Self {
                nested(reader, || $instead, |reader| match reader.u8() {
                    $( $tag => {
                        $( $( let $member = Packed::unpack(reader); )+ )?
                        $( $( let $item = Packed::unpack(reader); )+ )?
                        Self::$variant $({ $($member),+ })? $(( $($item),+ ))?
                    } )+
                    _ => {
                        reader.invalid("nobody knows a kind that it names");
                        $instead
                    }
                })
            }
        }
    };
}
pub(crate) use packed_variants;

packed_variants!(Condition, else Condition::EVERYBODY;
    0 => All(all),
    1 => Any(any),
    2 => Not(one),
    3 => At { attribute, path, test },
);

packed_variants!(Test, else Test::All(Vec::new());
    0 => Is(value),
    1 => IsInAnyCase(text),
    2 => All(operators),
);

packed_variants!(Operator, else Operator::Never;
    0 => Never,
    1 => Same { value, negated },
    2 => Compares { relation, value },
    3 => Version { relation, version },
    4 => Exists(wanted),
    5 => In { members, negated },
    6 => InGroup { group, negated },
    7 => Not(test),
    8 => Size(test),
    9 => SomeItem(test),
    10 => SomeItemHas(condition),
    11 => EachFound(tests),
    12 => Matches { pattern, negated },
    13 => Kind(kind),
    14 => InNetwork { networks, negated },
    15 => Time { at, after },
    16 => InAnyCase { texts, members, negated },
);

packed_variants!(Relation, else Relation::Equal;
    0 => Equal, 1 => NotEqual, 2 => Less, 3 => AtMost, 4 => Greater, 5 => AtLeast,
);

packed_variants!(Step, else Step::Found;
    0 => Found,
    1 => Take { first, end },
    2 => Fork(left, right),
    3 => Place(place),
);

packed_variants!(Place, else Place::Start;
    0 => Start, 1 => End, 2 => LineStart, 3 => LineEnd, 4 => WordEdge, 5 => NoWordEdge,
);

impl Packed for Letters {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        Self(Packed::unpack(reader))
    }
}

impl Packed for Network {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bits.to_le_bytes());
        out.push(self.length);
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        let (low, high) = (reader.number(8), reader.number(8));
        let bits = u128::from(high) << 64 | u128::from(low);
        Self { bits, length: reader.u8().min(128) }
    }
}

impl Packed for Millis {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        Self(reader.i64())
    }
}

/// A value: 0 null, 1 false, 2 true, 3 a number, 4 a text, 5 a list, 6 a map.
impl Packed for Value<'static> {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        self.write(out);
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        Value::read_as(reader, |text| Cow::Owned(text.to_owned()))
    }
}

impl<'a> Value<'a> {
    /// Appends the value's bytes.
    #[cfg(feature = "wire")]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let count = |count: usize, out: &mut Vec<u8>| {
            out.extend_from_slice(&(count as u32).to_le_bytes());
        };
        match self {
            Self::Null => out.push(0),
            Self::Bool(flag) => out.push(1 + u8::from(*flag)),
            Self::Number(number) => {
                out.push(3);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Self::Text(text) => {
                out.push(4);
                count(text.len(), out);
                out.extend_from_slice(text.as_bytes());
            }
            Self::List(items) => {
                out.push(5);
                count(items.len(), out);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(members) => {
                out.push(6);
                count(members.len(), out);
                for (name, value) in members {
                    count(name.len(), out);
                    out.extend_from_slice(name.as_bytes());
                    value.write(out);
                }
            }
        }
    }

    /// Reads a value; its texts stay where they are.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Self {
        Self::read_as(reader, Cow::Borrowed)
    }

    /// Reads a value with its texts as `keep` keeps them.
    fn read_as<'b>(reader: &mut Reader<'b>, keep: fn(&'b str) -> Cow<'a, str>) -> Self {
        nested(
            reader,
            || Self::Null,
            |reader| match reader.u8() {
                0 => Self::Null,
                1 => Self::Bool(false),
                2 => Self::Bool(true),
                3 => Self::Number(reader.f64()),
                4 => Self::Text(keep(reader.wide_str())),
                5 => {
                    let mut items = Vec::new();
                    for _ in 0..reader.count(1) {
                        items.push(Self::read_as(reader, keep));
                    }
                    Self::List(items)
                }
                6 => {
                    let mut members = Vec::new();
                    for _ in 0..reader.count(5) {
                        members.push((keep(reader.wide_str()), Self::read_as(reader, keep)));
                    }
                    Self::Map(members)
                }
                _ => {
                    reader.invalid("nobody knows a kind of value that it names");
                    Self::Null
                }
            },
        )
    }
}
