//! Which events a signal counts: checked conditions, and one look at an event for all of them.

use crate::binary::{Reader, fnv1a32, level_hash};
use crate::event::{Event, EventKind, FieldValue, Visit};

/// The conditions of a signal set and the paths they read.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Matchers {
    /// Ascending, so that a path is found by bisection.
    paths: Vec<Box<str>>,
    matchers: Vec<Matcher>,
    /// Which path yields the event's name and which the channel.
    event_path: Option<u8>,
    channel_path: Option<u8>,
}

/// Holds where the event is of one of the kinds, has one of the names and meets every condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matcher {
    /// Bit `n` admits the event kind of number `n`.
    kinds: u8,
    /// Hashes of admitted names; none admits all.
    names: Vec<u32>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq)]
struct Condition {
    path: u8,
    negated: bool,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Exists,
    OneOf(Vec<u32>),
    Prefix { len: u8, hash: u32 },
    Contains(Box<str>),
    AtLeast(f64),
    AtMost(f64),
}

pub(super) const MAX_PATHS: usize = 64;
pub(super) const MAX_MATCHERS: usize = 255;
/// Yields the event's name, or the word of its kind where it has none.
pub(super) const PATH_EVENT: &str = "event";
/// Yields the channel that the visit came by.
pub(super) const PATH_CHANNEL: &str = "channel";

/// What one event holds at the paths that the signals read, and which matchers it meets.
pub(super) struct Look<'a> {
    slots: [Slot<'a>; MAX_PATHS],
    met: [u64; 4],
    pub(super) visit: Visit<'a>,
    /// Whether the event was sent by a page.
    pub(super) browsing: bool,
}

/// A value and its hash; `None` where the event does not hold the path.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    pub(super) value: Option<FieldValue<'a>>,
    pub(super) hash: u32,
}

impl<'a> Look<'a> {
    pub(super) fn meets(&self, matcher: u8) -> bool {
        self.met.get(usize::from(matcher / 64)).is_some_and(|word| word >> (matcher % 64) & 1 == 1)
    }

    pub(super) fn slot(&self, path: u8) -> Slot<'a> {
        self.slots.get(usize::from(path)).copied().unwrap_or(Slot { value: None, hash: 0 })
    }
}

impl Slot<'_> {
    /// The value as a number; truth is 1, and text counts where it is a plain decimal number,
    /// because forms send nothing but text.
    pub(super) fn number(&self) -> Option<f64> {
        match self.value? {
            FieldValue::Number(number) => Some(number),
            FieldValue::Bool(flag) => Some(f64::from(u8::from(flag))),
            FieldValue::Text(text) => decimal(text.trim()),
        }
    }

    /// The value as a level; numbers and blank text are none.
    pub(super) fn level(&self) -> Option<u32> {
        match self.value? {
            FieldValue::Text(text) if text.trim().is_empty() => None,
            FieldValue::Text(_) | FieldValue::Bool(_) => Some(self.hash),
            FieldValue::Number(_) => None,
        }
    }
}

/// How values are compared: text trimmed, truth as its word, numbers by their bits.
pub(super) fn value_hash(value: FieldValue<'_>) -> u32 {
    match value {
        FieldValue::Text(text) => level_hash(text),
        FieldValue::Bool(true) => fnv1a32(b"true"),
        FieldValue::Bool(false) => fnv1a32(b"false"),
        FieldValue::Number(number) => fnv1a32(&(number + 0.0).to_le_bytes()),
    }
}

impl Matchers {
    pub(super) fn holds(&self, matcher: u8) -> bool {
        usize::from(matcher) < self.matchers.len()
    }

    pub(super) fn has_path(&self, path: u8) -> bool {
        usize::from(path) < self.paths.len()
    }

    fn path_of(&self, path: &str) -> Option<usize> {
        self.paths.binary_search_by(|known| (**known).cmp(path)).ok()
    }

    /// Looks at an event once for all signals.
    pub(super) fn look<'a>(&self, event: &Event<'a>) -> Look<'a> {
        let visit = Visit::of(event);
        let mut look = Look {
            slots: [Slot { value: None, hash: 0 }; MAX_PATHS],
            met: [0; 4],
            visit,
            browsing: event.kind == EventKind::Page,
        };
        for field in event.fields() {
            look.browsing |= field.path.starts_with("context.page.");
            if let Some(slot) = self.path_of(field.path).and_then(|path| look.slots.get_mut(path))
                && slot.value.is_none()
            {
                *slot = Slot { value: Some(field.value), hash: value_hash(field.value) };
            }
        }
        let name = if event.name.is_empty() || event.kind != EventKind::Track {
            event.kind.word()
        } else {
            event.name
        };
        let channel = self.channel_path.and_then(|_| visit.channel()).map(|channel| channel.word());
        for (path, text) in [(self.event_path, Some(name)), (self.channel_path, channel)] {
            if let (Some(path), Some(text)) = (path, text)
                && let Some(slot) = look.slots.get_mut(usize::from(path))
            {
                let value = FieldValue::Text(text);
                *slot = Slot { value: Some(value), hash: value_hash(value) };
            }
        }
        let name = level_hash(event.name);
        for (index, matcher) in self.matchers.iter().enumerate() {
            if matcher.meets(event.kind, name, &look)
                && let Some(word) = look.met.get_mut(index / 64)
            {
                *word |= 1 << (index % 64);
            }
        }
        look
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let path_count = usize::from(reader.u8()?);
        let matcher_count = usize::from(reader.u8()?);
        if path_count > MAX_PATHS || matcher_count > MAX_MATCHERS {
            return None;
        }
        let mut matchers = Self::default();
        for _ in 0..path_count {
            let path = reader.short_str()?;
            if matchers.paths.last().is_some_and(|last| **last >= *path) {
                return None;
            }
            matchers.paths.push(path.into());
        }
        let find = |path: &str| matchers.path_of(path).and_then(|path| u8::try_from(path).ok());
        (matchers.event_path, matchers.channel_path) = (find(PATH_EVENT), find(PATH_CHANNEL));
        for _ in 0..matcher_count {
            matchers.matchers.push(Matcher::read(reader, path_count)?);
        }
        Some(matchers)
    }
}

impl Matcher {
    fn meets(&self, kind: EventKind, name: u32, look: &Look<'_>) -> bool {
        self.kinds >> (kind as u8) & 1 == 1
            && (self.names.is_empty() || self.names.contains(&name))
            && self.conditions.iter().all(|condition| {
                let slot = look.slot(condition.path);
                condition.test.holds(&slot) != condition.negated
            })
    }

    fn read(reader: &mut Reader<'_>, path_count: usize) -> Option<Self> {
        let kinds = reader.u8().filter(|kinds| (1..32).contains(kinds))?;
        let names = read_hashes(reader)?;
        let count = reader.u8()?;
        let mut conditions = Vec::new();
        for _ in 0..count {
            let path = reader.u8().filter(|path| usize::from(*path) < path_count)?;
            let test = reader.u8()?;
            conditions.push(Condition {
                path,
                negated: test & 0x80 != 0,
                test: Test::read(test & 0x7f, reader)?,
            });
        }
        Some(Self { kinds, names, conditions })
    }
}

impl Test {
    fn holds(&self, slot: &Slot<'_>) -> bool {
        let Some(value) = slot.value else { return false };
        match (self, value) {
            (Self::Exists, _) => true,
            (Self::OneOf(hashes), _) => hashes.contains(&slot.hash),
            (Self::Prefix { len, hash }, FieldValue::Text(text)) => {
                text.as_bytes().get(..usize::from(*len)).is_some_and(|head| fnv1a32(head) == *hash)
            }
            (Self::Contains(part), FieldValue::Text(text)) => {
                holds_part(text.as_bytes(), part.as_bytes())
            }
            (Self::AtLeast(bound), _) => slot.number().is_some_and(|number| number >= *bound),
            (Self::AtMost(bound), _) => slot.number().is_some_and(|number| number <= *bound),
            _ => false,
        }
    }

    fn read(test: u8, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match test {
            0 => Self::Exists,
            1 => Self::OneOf(read_hashes(reader)?),
            2 => Self::Prefix { len: reader.u8()?, hash: reader.u32()? },
            3 => Self::Contains(reader.short_str().filter(|part| !part.is_empty())?.into()),
            4 => Self::AtLeast(reader.f64().filter(|bound| bound.is_finite())?),
            5 => Self::AtMost(reader.f64().filter(|bound| bound.is_finite())?),
            _ => return None,
        })
    }
}

/// Reads `-12.50` and its like with at most 15 digits: both parts of the quotient are exact then,
/// so that it is the nearest number, without the standard parser's tables.
fn decimal(text: &str) -> Option<f64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1.0, text), |digits| (-1.0, digits));
    let (mut number, mut scale, mut count, mut fraction) = (0.0, 1.0, 0, false);
    for byte in digits.bytes() {
        match byte {
            b'0'..=b'9' if count < 15 => {
                number = number * 10.0 + f64::from(byte - b'0');
                scale *= if fraction { 10.0 } else { 1.0 };
                count += 1;
            }
            b'.' if !fraction && count > 0 => fraction = true,
            _ => return None,
        }
    }
    (count > 0 && (!fraction || scale > 1.0)).then(|| sign * (number / scale))
}

fn read_hashes(reader: &mut Reader<'_>) -> Option<Vec<u32>> {
    let count = reader.u8()?;
    let mut hashes = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        hashes.push(reader.u32()?);
    }
    Some(hashes)
}

/// Whether `text` holds `part`; plain, because the standard search would cost the page two kilobytes.
fn holds_part(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len().max(1)).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_decimal_text_is_a_number_and_nothing_else_is() {
        for text in ["0", "-12.50", "350", "0.1", "999999999999.999"] {
            assert_eq!(decimal(text), text.parse().ok(), "{text}");
        }
        for text in ["", "-", ".5", "5.", "1e3", "0x10", "1,000", "12 people", "1234567890123456"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }
}
