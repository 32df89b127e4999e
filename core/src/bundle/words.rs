//! What reasons say, as hosts read it: `docs/bundle-format.md`, part `words`.

use crate::binary::Reader;

/// The words of one locale, checked once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Words {
    rule: PluralRule,
    /// All strings, one behind the other: the phrases, then label and forms of each signal, then
    /// the levels; and where each of them ends.
    text: String,
    ends: Vec<u32>,
    /// Id and unit of each signal that has words.
    signals: Vec<(u32, u8)>,
    /// Hashes of the levels that have names, ascending.
    levels: Vec<u32>,
}

/// A signal's value, ready to be put in words.
#[derive(Debug, Clone, Copy)]
pub struct Said {
    /// The signal's stable id.
    pub id: u32,
    /// NaN where missing, and for categories.
    pub value: f64,
    /// The level of a category.
    pub level: Option<u32>,
}

/// How a language tells one from many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "wire",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[repr(u8)]
pub enum PluralRule {
    /// English, German, Dutch, Spanish, Italian: 1 stands alone.
    #[default]
    OneOther = 0,
    /// French, Brazilian Portuguese: 0 and 1 stand together.
    ZeroOneOther = 1,
    /// Polish, Russian, Czech and their kin: 2 to 4 stand apart.
    OneFewOther = 2,
    /// Japanese, Chinese, Korean, Vietnamese: all alike.
    Other = 3,
}

/// The forms of a signal's words, in the order of the file.
#[cfg(feature = "wire")]
pub(super) const FORM_NAMES: [&str; FORMS] = ["zero", "one", "few", "other", "missing"];
const FORMS: usize = 5;
/// Strings of one signal.
const STRINGS: usize = 1 + FORMS;
const ZERO: usize = 0;
const ONE: usize = 1;
const FEW: usize = 2;
const OTHER: usize = 3;
const MISSING: usize = 4;

/// What every locale says about durations and about what it must not say.
#[cfg(feature = "wire")]
pub(super) const PHRASE_NAMES: [&str; PHRASES] = [
    "second_one",
    "second_few",
    "second_other",
    "minute_one",
    "minute_few",
    "minute_other",
    "hour_one",
    "hour_few",
    "hour_other",
    "day_one",
    "day_few",
    "day_other",
    "moment",
    "unknown",
    "private_signal",
    "private_level",
];
const PHRASES: usize = 16;
const MOMENT: usize = 12;
const UNKNOWN: usize = 13;
const PRIVATE_SIGNAL: usize = 14;
const PRIVATE_LEVEL: usize = 15;

pub(super) const MAGIC: &[u8; 4] = b"RPW1";
/// In a template: the value, the level, and, before a character `U+0100 + index`, another signal's value.
pub(super) const SLOT_VALUE: char = '\u{1}';
pub(super) const SLOT_LEVEL: char = '\u{2}';
pub(super) const SLOT_SIGNAL: char = '\u{3}';
/// Where the characters that stand for other signals start.
pub(super) const SIGNAL_BASE: u32 = 0x100;

/// Why a `words` part was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    #[error("these bytes are not a words part of version 1: they do not start with RPW1")]
    Magic,
    #[error("the words part is damaged: its checksum does not match")]
    Checksum,
    #[error("the words part is malformed: {0}")]
    Malformed(&'static str),
}

impl Words {
    /// Reads and checks a `words` part.
    ///
    /// # Errors
    /// Refuses foreign, damaged and malformed bytes.
    #[cfg_attr(target_arch = "wasm32", inline(never))] // apart: pages compile what they run
    pub fn open(bytes: &[u8]) -> Result<Self, WordsError> {
        let mut reader = Reader::new(bytes);
        if reader.take(4) != MAGIC {
            return Err(WordsError::Magic);
        }
        if !reader.proves_the_rest() {
            return Err(WordsError::Checksum);
        }
        let words = Self::read(&mut reader);
        reader.end().map(|()| words).map_err(|fault| WordsError::Malformed(fault.what()))
    }

    /// Appends what a value says: "visited pricing 3 times in 2 days". `other` gives the value of
    /// another signal, by its index, where a template asks for it.
    pub fn say(&self, said: Said, other: &dyn Fn(usize) -> Said, out: &mut String) {
        let Some(at) = self.find(said.id) else {
            self.put(PRIVATE_SIGNAL, out);
            return;
        };
        let form = self.form(at, said);
        if form.is_empty() {
            self.put(label_of(at), out);
            out.push_str(": ");
            self.value(said, out);
            return;
        }
        let mut rest = form.chars();
        while let Some(next) = rest.next() {
            match next {
                SLOT_VALUE | SLOT_LEVEL => self.value(said, out),
                SLOT_SIGNAL => {
                    let index = rest.next().map_or(0, u32::from).wrapping_sub(SIGNAL_BASE);
                    self.value(other(index as usize), out);
                }
                _ => put(out, next),
            }
        }
    }

    /// What people call a signal.
    pub fn label(&self, id: u32) -> &str {
        self.string(self.find(id).map_or(PRIVATE_SIGNAL, label_of))
    }

    fn find(&self, id: u32) -> Option<usize> {
        self.signals.iter().position(|(known, _)| *known == id)
    }

    #[inline(never)] // in half a dozen places
    fn put(&self, index: usize, out: &mut String) {
        out.push_str(self.string(index));
    }

    fn string(&self, index: usize) -> &str {
        let end = |index: usize| self.ends.get(index).map_or(0, |end| *end as usize);
        let start = index.checked_sub(1).map_or(0, end);
        self.text.get(start..end(index)).unwrap_or_default()
    }

    /// The template for a value; empty where the signal has none.
    fn form(&self, at: usize, said: Said) -> &str {
        let choices = match said.level {
            Some(_) => [OTHER, OTHER, OTHER],
            None if said.value.is_nan() => [MISSING, MISSING, MISSING],
            None if said.value == 0.0 => [ZERO, self.plural(0.0), OTHER],
            None => [self.plural(shown(said.value)), OTHER, OTHER],
        };
        let forms = choices.into_iter().map(|form| self.string(label_of(at) + 1 + form));
        forms.into_iter().find(|form| !form.is_empty()).unwrap_or_default()
    }

    /// The form that a number takes; one with decimals is many.
    fn plural(&self, number: f64) -> usize {
        let whole = number.abs() as u64;
        let exact = whole as f64 == number;
        let few = exact && (2..=4).contains(&(whole % 10)) && !(12..=14).contains(&(whole % 100));
        match self.rule {
            PluralRule::OneOther | PluralRule::OneFewOther if number == 1.0 => ONE,
            PluralRule::ZeroOneOther if (0.0..2.0).contains(&number) => ONE,
            PluralRule::OneFewOther if few => FEW,
            _ => OTHER,
        }
    }

    fn value(&self, said: Said, out: &mut String) {
        if let Some(level) = said.level {
            let known = self.levels.iter().position(|known| *known == level);
            let first = label_of(self.signals.len());
            self.put(known.map_or(PRIVATE_LEVEL, |known| first + known), out);
        } else if said.value.is_nan() {
            self.put(UNKNOWN, out);
        } else {
            match self.signals.iter().find(|(id, _)| *id == said.id) {
                Some((_, 1)) => self.duration(said.value, out),
                Some((_, 2)) => self.duration(said.value * 86_400.0, out),
                Some((_, 3)) => {
                    put_number(out, said.value * 100.0);
                    put(out, '%');
                }
                _ => put_number(out, said.value),
            }
        }
    }

    /// Seconds in the largest unit that keeps two of it: "45 seconds", "5 minutes", "2 days".
    fn duration(&self, seconds: f64, out: &mut String) {
        let (unit, count) = match seconds.abs() {
            s if s < 1.0 => {
                self.put(MOMENT, out);
                return;
            }
            s if s < 59.5 => (0, s),
            s if s < 89.5 * 60.0 => (1, s / 60.0),
            s if s < 35.5 * 3600.0 => (2, s / 3600.0),
            s => (3, s / 86_400.0),
        };
        let count = libm::round(count);
        let form = self.plural(count);
        let pick = |form: usize| self.string(unit * 3 + form - ONE);
        let template = if pick(form).is_empty() { pick(OTHER) } else { pick(form) };
        for next in template.chars() {
            if next == SLOT_VALUE { put_number(out, count) } else { put(out, next) }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        let rule = match reader.u8() {
            0 => PluralRule::OneOther,
            1 => PluralRule::ZeroOneOther,
            2 => PluralRule::OneFewOther,
            rule => {
                if rule != 3 {
                    reader.invalid("the plural rule is unknown");
                }
                PluralRule::Other
            }
        };
        let (text, ends, signals, levels) = Default::default();
        let mut words = Self { rule, text, ends, signals, levels };
        words.read_strings(PHRASES, reader);
        for _ in 0..reader.u16() {
            words.signals.push((reader.u32(), reader.u8()));
            words.read_strings(STRINGS, reader);
        }
        for _ in 0..reader.u16() {
            let hash = reader.u32();
            if words.levels.last().is_some_and(|last| *last >= hash) {
                reader.invalid("the levels do not ascend");
            }
            words.levels.push(hash);
            words.read_strings(1, reader);
        }
        words
    }

    fn read_strings(&mut self, count: usize, reader: &mut Reader<'_>) {
        for _ in 0..count {
            self.text.push_str(reader.short_str());
            self.ends.push(self.text.len() as u32);
        }
    }
}

/// Where the strings of a signal start: its label, then its forms.
fn label_of(at: usize) -> usize {
    PHRASES + at * STRINGS
}

/// A number as people see it: whole from 10 on and where it nearly is, otherwise with one decimal.
fn shown(number: f64) -> f64 {
    let tenths = libm::round(number * 10.0) / 10.0;
    if tenths.abs() >= 10.0 { libm::round(number) } else { tenths }
}

/// Appends a number as [`shown`] rounds it; without the standard formatter, which would cost the
/// page ten kilobytes.
pub(crate) fn put_number(out: &mut String, number: f64) {
    let number = shown(number);
    if number < 0.0 {
        put(out, '-');
    }
    let tenths = libm::round(number.abs() * 10.0) as u64;
    put_whole(out, tenths / 10);
    if !tenths.is_multiple_of(10) {
        put(out, '.');
        put_whole(out, tenths % 10);
    }
}

/// Appends a whole number in decimal digits.
pub(crate) fn put_whole(out: &mut String, number: u64) {
    if number >= 10 {
        put_whole(out, number / 10);
    }
    put(out, char::from(b'0' + (number % 10) as u8));
}

/// [`String::push`], once for all.
#[inline(never)]
fn put(out: &mut String, character: char) {
    out.push(character);
}
