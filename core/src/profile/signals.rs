//! The declared signals of a workspace, as hosts read them: `docs/bundle-format.md`, part `signals`.

use super::matcher::Matchers;
use crate::binary::Reader;

/// A set of signals, checked once. Indices into it are in the order of their ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Signals {
    pub(super) signals: Vec<Signal>,
    pub(super) matchers: Matchers,
    names: String,
}

/// One named feature of a profile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// Stable for ever: a changed definition gets a new one.
    pub id: u32,
    pub kind: Kind,
    /// Which events count; an index into the set's matchers.
    pub(super) matcher: u8,
    /// Which field is read; [`NO_PATH`] where the kind reads none.
    pub(super) path: u8,
    /// Where its name starts and ends.
    name: (u32, u32),
}

/// What a signal remembers of the events that match it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// How many events.
    Count,
    /// How many different values of a field: exact up to 6, then estimated by linear counting.
    Distinct,
    /// The sum of a number, kept in whole millionths.
    Sum,
    /// The largest number.
    Max,
    /// The latest number.
    Last,
    /// The first level of a category.
    FirstLevel,
    /// The latest level of a category.
    LastLevel,
    /// Days since the first event.
    SinceFirst,
    /// Days since the latest event.
    SinceLast,
    /// Seconds of attention; an event adds at most half an hour.
    Engaged,
    /// A count, or a sum where a field is named, that halves every `half_life` milliseconds.
    Decayed { half_life: i64 },
    /// How many events in the current visit.
    Session,
    /// How many visits with at least one event.
    Visits,
    /// How many events in the last `length` milliseconds, to a twelfth of it.
    Window { length: i64 },
    /// One signal divided by another, by their indices.
    Ratio { over: u16, under: u16 },
    /// A number that the server sets; no event moves it.
    Server,
    /// A level of a category that the server sets.
    ServerLevel,
}

/// What can be said about two profiles of one person that are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MergeRule {
    /// The merged value is what one fold over all events in order of time gives.
    Exact,
    /// The merged value is close to it.
    Approximate,
    /// Missing until the events are folded again.
    RefoldOnly,
}

impl Kind {
    /// What merging does to the signal. A ratio is judged by its operands: see [`Signals::merge_rule`].
    pub const fn merge_rule(self) -> MergeRule {
        match self {
            Self::Decayed { .. } | Self::Visits => MergeRule::Approximate,
            Self::Session => MergeRule::RefoldOnly,
            _ => MergeRule::Exact,
        }
    }

    /// Whether the signal's value is a level, not a number.
    pub const fn is_category(self) -> bool {
        matches!(self, Self::FirstLevel | Self::LastLevel | Self::ServerLevel)
    }

    /// Whether only the server sets it: a CRM's word, say, which no page can know.
    pub const fn is_servers(self) -> bool {
        matches!(self, Self::Server | Self::ServerLevel)
    }

    /// Whether the kind reads a field's number or level.
    pub(super) const fn reads_field(self) -> bool {
        matches!(
            self,
            Self::Distinct
                | Self::Sum
                | Self::Max
                | Self::Last
                | Self::FirstLevel
                | Self::LastLevel
                | Self::Engaged
        )
    }

    pub(super) const fn tag(self) -> u8 {
        match self {
            Self::Count => 0,
            Self::Distinct => 1,
            Self::Sum => 2,
            Self::Max => 3,
            Self::Last => 4,
            Self::FirstLevel => 5,
            Self::LastLevel => 6,
            Self::SinceFirst => 7,
            Self::SinceLast => 8,
            Self::Engaged => 9,
            Self::Decayed { .. } => 10,
            Self::Session => 11,
            Self::Visits => 12,
            Self::Window { .. } => 13,
            Self::Ratio { .. } => 14,
            Self::Server => 15,
            Self::ServerLevel => 16,
        }
    }
}

/// A set holds at most this many signals.
pub const MAX_SIGNALS: usize = 256;
pub(super) const NO_PATH: u8 = 255;
pub(super) const MAGIC: &[u8; 4] = b"RPS1";
/// Windows and half-lives lie between a minute and ten years.
pub(super) const SPAN: core::ops::RangeInclusive<i64> = 60_000..=315_576_000_000;

/// Why a `signals` part was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignalsError {
    #[error("these bytes are not a signals part of version 1: they do not start with RPS1")]
    Magic,
    #[error("the signals part is damaged: its checksum does not match")]
    Checksum,
    #[error("the signals part is malformed: {0}")]
    Malformed(&'static str),
}

impl Signals {
    /// Reads and checks a `signals` part.
    ///
    /// # Errors
    /// Refuses foreign, damaged and malformed bytes.
    pub fn open(bytes: &[u8]) -> Result<Self, SignalsError> {
        let mut reader = Reader::new(bytes);
        if reader.take(4) != MAGIC {
            return Err(SignalsError::Magic);
        }
        if !reader.proves_the_rest() {
            return Err(SignalsError::Checksum);
        }
        let matchers = Matchers::read(&mut reader);
        let mut set = Self { signals: Vec::new(), matchers, names: String::new() };
        set.read(&mut reader);
        reader.end().map(|()| set).map_err(|fault| SignalsError::Malformed(fault.what()))
    }

    /// How many signals there are.
    pub fn len(&self) -> usize {
        self.signals.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.signals.is_empty()
    }

    /// The signal at an index.
    pub fn get(&self, index: usize) -> Option<&Signal> {
        self.signals.get(index)
    }

    /// All signals, in the order of their indices.
    pub fn iter(&self) -> core::slice::Iter<'_, Signal> {
        self.signals.iter()
    }

    /// Where the signal with this id stands.
    pub fn index_of(&self, id: u32) -> Option<usize> {
        self.signals.iter().position(|signal| signal.id == id)
    }

    /// What tables and models call a signal; empty where it is private.
    pub fn name(&self, index: usize) -> &str {
        let name = self.get(index).map_or((0, 0), |signal| signal.name);
        self.names.get(name.0 as usize..name.1 as usize).unwrap_or_default()
    }

    /// Where the public signal of this name stands.
    pub fn index_of_name(&self, name: &str) -> Option<usize> {
        (0..self.len()).find(|index| !name.is_empty() && self.name(*index) == name)
    }

    /// What merging two profiles does to the signal at an index.
    pub fn merge_rule(&self, index: usize) -> MergeRule {
        match self.get(index).map(|signal| signal.kind) {
            Some(Kind::Ratio { over, under }) => {
                let rule = |index: u16| {
                    self.get(usize::from(index))
                        .map_or(MergeRule::RefoldOnly, |signal| signal.kind.merge_rule())
                };
                rule(over).max(rule(under))
            }
            Some(kind) => kind.merge_rule(),
            None => MergeRule::RefoldOnly,
        }
    }

    /// Reads the signals behind the matchers, to the end.
    fn read(&mut self, reader: &mut Reader<'_>) {
        let count = usize::from(reader.u16());
        if count > MAX_SIGNALS {
            reader.invalid("there are too many signals");
        }
        for _ in 0..count {
            let id = reader.u32();
            let (tag, matcher, path) = (reader.u8(), reader.u8(), reader.u8());
            let kind = read_kind(tag, reader);
            let start = self.names.len() as u32;
            self.names.push_str(reader.short_str());
            let reads = path != NO_PATH;
            let path_fits = match kind {
                Kind::Decayed { .. } => !reads || self.matchers.has_path(path),
                _ if kind.reads_field() => self.matchers.has_path(path),
                _ => !reads,
            };
            let last = self.signals.last().map_or(0, |signal| signal.id);
            if id <= last || !self.matchers.holds(matcher) || !path_fits {
                reader.invalid("a signal's id, matcher or path does not fit");
            }
            self.signals.push(Signal {
                id,
                kind,
                matcher,
                path,
                name: (start, self.names.len() as u32),
            });
        }
        let plain = |index: u16| {
            let signal = self.get(usize::from(index));
            signal.is_some_and(|signal| !signal.kind.is_category() && signal.kind.tag() != 14)
        };
        let sound = self.signals.iter().all(|signal| match signal.kind {
            Kind::Ratio { over, under } => plain(over) && plain(under),
            _ => true,
        });
        if !sound {
            reader.invalid("a ratio is not of two plain numbers");
        }
    }
}

fn read_kind(tag: u8, reader: &mut Reader<'_>) -> Kind {
    match tag {
        0 => Kind::Count,
        1 => Kind::Distinct,
        2 => Kind::Sum,
        3 => Kind::Max,
        4 => Kind::Last,
        5 => Kind::FirstLevel,
        6 => Kind::LastLevel,
        7 => Kind::SinceFirst,
        8 => Kind::SinceLast,
        9 => Kind::Engaged,
        10 => Kind::Decayed { half_life: read_span(reader) },
        11 => Kind::Session,
        12 => Kind::Visits,
        13 => Kind::Window { length: read_span(reader) },
        15 => Kind::Server,
        16 => Kind::ServerLevel,
        _ => {
            if tag != 14 {
                reader.invalid("a kind of signal is unknown");
            }
            Kind::Ratio { over: reader.u16(), under: reader.u16() }
        }
    }
}

fn read_span(reader: &mut Reader<'_>) -> i64 {
    let span = reader.i64();
    if !SPAN.contains(&span) {
        reader.invalid("a span is shorter than a minute or longer than ten years");
    }
    span
}
