//! Which events a signal counts: checked conditions, and one look at an event for all of them.

use crate::binary::{Reader, fnv1a32, level_hash};
use crate::event::{Event, EventKind, FieldValue, Visit};
use core::cmp::Ordering;

/// The conditions of a signal set and the paths they read; both stay as bytes and are read in place.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Matchers {
    bytes: Vec<u8>,
    /// Where each path starts, in ascending order of the paths, so that one is found by bisection.
    paths: Vec<u16>,
    /// Where the matchers start, and how many there are.
    start: usize,
    count: u8,
    /// Which path yields the event's name and which the channel.
    event_path: Option<u8>,
    channel_path: Option<u8>,
}

pub(super) const MAX_PATHS: usize = 64;
pub(super) const MAX_MATCHERS: usize = 255;
/// Yields the event's name, or the word of its kind where it has none.
pub(super) const PATH_EVENT: &[u8] = b"event";
/// Yields the channel that the visit came by.
pub(super) const PATH_CHANNEL: &[u8] = b"channel";

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
    fn nothing() -> Self {
        Self {
            slots: [Slot { value: None, hash: 0 }; MAX_PATHS],
            met: [0; 4],
            visit: Visit::default(),
            browsing: false,
        }
    }

    /// Notes the value at a path; the first one counts.
    fn put(&mut self, path: usize, value: FieldValue<'a>) {
        if let Some(slot) = self.slots.get_mut(path)
            && slot.value.is_none()
        {
            *slot = Slot { value: Some(value), hash: value_hash(value) };
        }
    }

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
        matcher < self.count
    }

    pub(super) fn has_path(&self, path: u8) -> bool {
        usize::from(path) < self.paths.len()
    }

    fn path(&self, index: usize) -> Option<&[u8]> {
        let mut reader = Reader::new(self.bytes.get(usize::from(*self.paths.get(index)?)..)?);
        let len = reader.u8();
        Some(reader.take(usize::from(len)))
    }

    fn path_of(&self, path: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.paths.len());
        while low < high {
            let middle = (low + high) / 2;
            match self.path(middle)?.cmp(path.as_bytes()) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Looks at an event once for all signals.
    pub(super) fn look<'a>(&self, event: &Event<'a>) -> Look<'a> {
        let mut look = Look::nothing();
        look.browsing = event.kind == EventKind::Page;
        for field in event.fields() {
            look.browsing |= field.path.starts_with("context.page.");
            look.visit.note(&field);
            if let Some(path) = self.path_of(field.path) {
                look.put(path, field.value);
            }
        }
        if let Some(path) = self.event_path {
            let track = event.kind == EventKind::Track;
            look.put(
                usize::from(path),
                FieldValue::Text(if track { event.name } else { event.kind.word() }),
            );
        }
        if let (Some(path), Some(channel)) = (self.channel_path, look.visit.channel()) {
            look.put(usize::from(path), FieldValue::Text(channel.word()));
        }
        self.judge(event.kind, level_hash(event.name), &mut look);
        look
    }

    /// Which matchers an event meets; the reader that comes back knows whether the bytes are sound.
    fn judge(&self, kind: EventKind, name: u32, look: &mut Look<'_>) -> Reader<'_> {
        let mut reader = Reader::new(self.bytes.get(self.start..).unwrap_or_default());
        for index in 0..self.count {
            if meets(&mut reader, kind, name, look, self.paths.len())
                && let Some(word) = look.met.get_mut(usize::from(index / 64))
            {
                *word |= 1 << (index % 64);
            }
        }
        reader
    }

    /// Reads and checks the head of a `signals` part, and moves `reader` behind it.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let all = reader.rest();
        let (path_count, count) = (reader.u8(), reader.u8());
        if usize::from(path_count) > MAX_PATHS || usize::from(count) > MAX_MATCHERS {
            reader.invalid("there are too many paths or matchers");
        }
        let mut matchers = Self { bytes: all.to_vec(), count, ..Self::default() };
        let mut last: &[u8] = b"";
        for index in 0..path_count {
            let at = all.len() - reader.rest().len();
            let len = reader.u8();
            let path = reader.take(usize::from(len));
            if path <= last || at > usize::from(u16::MAX) {
                reader.invalid("the paths do not ascend, or are too long");
            }
            last = path;
            matchers.paths.push(at as u16);
            match path {
                PATH_EVENT => matchers.event_path = Some(index),
                PATH_CHANNEL => matchers.channel_path = Some(index),
                _ => {}
            }
        }
        matchers.start = all.len() - reader.rest().len();
        let judged = matchers.judge(EventKind::Track, 0, &mut Look::nothing());
        if judged.failed() {
            reader.invalid("a matcher is malformed");
        }
        reader.take(judged.position());
        matchers.bytes.truncate(all.len() - reader.rest().len());
        matchers
    }
}

/// Reads one matcher to its end, and says whether the event is of one of its kinds, has one of its
/// names and passes all of its conditions.
fn meets(
    reader: &mut Reader<'_>,
    kind: EventKind,
    name: u32,
    look: &Look<'_>,
    paths: usize,
) -> bool {
    let kinds = reader.u8();
    if !(1..32).contains(&kinds) {
        reader.invalid("a matcher is for no event");
    }
    let mut met = kinds >> (kind as u8) & 1 == 1;
    let names = reader.u8();
    met &= holds_hash(reader, names, name) || names == 0;
    for _ in 0..reader.u8() {
        let (path, test) = (reader.u8(), reader.u8());
        if usize::from(path) >= paths {
            reader.invalid("a condition reads a path that is not there");
        }
        let negated = test & 0x80 != 0;
        met &= passes(reader, test & 0x7f, &look.slot(path)) != negated;
    }
    met
}

/// Reads what a test compares with, and says whether the value passes it; an absent value never does.
fn passes(reader: &mut Reader<'_>, test: u8, slot: &Slot<'_>) -> bool {
    let text = match slot.value {
        Some(FieldValue::Text(text)) => text.as_bytes(),
        _ => &[],
    };
    let passed = match test {
        0 => true,
        1 => {
            let count = reader.u8();
            holds_hash(reader, count, slot.hash)
        }
        2 => {
            let (len, hash) = (reader.u8(), reader.u32());
            text.get(..usize::from(len)).is_some_and(|head| fnv1a32(head) == hash)
                && matches!(slot.value, Some(FieldValue::Text(_)))
        }
        3 => {
            let len = reader.u8();
            let part = reader.take(usize::from(len));
            if part.is_empty() {
                reader.invalid("a condition looks for nothing");
            }
            text.windows(part.len().max(1)).any(|window| window == part)
        }
        4 | 5 => {
            let bound = reader.f64();
            if !bound.is_finite() {
                reader.invalid("a condition compares with no number");
            }
            slot.number()
                .is_some_and(|number| if test == 4 { number >= bound } else { number <= bound })
        }
        _ => {
            reader.invalid("a condition is of an unknown kind");
            false
        }
    };
    passed && slot.value.is_some()
}

/// Reads `count` hashes, and says whether one of them is `hash`.
fn holds_hash(reader: &mut Reader<'_>, count: u8, hash: u32) -> bool {
    (0..count).fold(false, |found, _| found | (reader.u32() == hash))
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
