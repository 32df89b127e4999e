//! Profiles as bytes: `docs/profile-format.md`.

use super::state::{BUCKETS, Distinct, FEW, State, WORDS};
use super::{Kind, Profile, Signal, Signals, Visit};
use crate::binary::{Reader, crc32};
use crate::event::Millis;

const MAGIC: &[u8; 4] = b"RPP1";
const HEAD_BYTES: usize = 54;
/// An id, a tag, and the longest state.
const MAX_STATE_BYTES: usize = 4 + 1 + 28;
/// What a profile of 60 signals takes at most.
pub const MAX_PROFILE_BYTES_60: usize = HEAD_BYTES + 60 * MAX_STATE_BYTES;
const _: () = assert!(MAX_PROFILE_BYTES_60 <= 2048);

/// Why a stored profile was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    #[error("these bytes are not a profile of version 1: they do not start with RPP1")]
    Magic,
    #[error("the profile is damaged: its checksum does not match")]
    Checksum,
    #[error("the profile is malformed: {0}")]
    Malformed(&'static str),
    #[error(
        "the profile holds signal {0} as another kind than declared: a changed signal needs a new id"
    )]
    Kind(u32),
}

impl Profile {
    /// Reads a stored profile into a set of signals: equal ids carry over, signals that the
    /// profile does not hold are missing, and what is no longer declared is dropped.
    ///
    /// # Errors
    /// Refuses foreign, damaged and malformed bytes; a host then starts a new profile.
    pub fn open(bytes: &[u8], signals: &Signals) -> Result<Self, ProfileError> {
        let mut reader = Reader::new(bytes);
        if reader.take(4) != MAGIC {
            return Err(ProfileError::Magic);
        }
        if !reader.proves_the_rest() {
            return Err(ProfileError::Checksum);
        }
        let (mut profile, count) = read_head(&mut reader);
        profile.states = unknown(signals);
        let mut last = 0;
        for _ in 0..count {
            let id = reader.u32();
            if id <= last {
                reader.invalid("the signals' ids do not ascend");
            }
            if reader.failed() {
                // The count may promise 65,535.
                break;
            }
            last = id;
            let tag = reader.u8();
            let state = read_state(tag, &mut reader);
            profile.put(signals, id, tag, state)?;
        }
        reader.end().map(|()| profile).map_err(|fault| ProfileError::Malformed(fault.what()))
    }

    /// Puts a state that was read where its signal is, if that is declared still.
    pub(super) fn put(
        &mut self,
        signals: &Signals,
        id: u32,
        tag: u8,
        state: Option<State>,
    ) -> Result<(), ProfileError> {
        let Some(index) = signals.index_of(id) else { return Ok(()) };
        let (Some(signal), Some(slot)) = (signals.get(index), self.states.get_mut(index)) else {
            return Ok(());
        };
        *slot = match state {
            None => State::initial(signal.kind),
            Some(_) if signal.kind.tag() != tag => return Err(ProfileError::Kind(id)),
            Some(state) => state,
        };
        Ok(())
    }

    /// The profile as bytes: equal profiles give equal bytes, at most 2,034 of them for 60 signals.
    pub fn encode(&self, signals: &Signals) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD_BYTES + self.states.len() * MAX_STATE_BYTES);
        out.extend_from_slice(MAGIC);
        put(&mut out, 4, 0);
        put(&mut out, 2, self.states.iter().filter(|state| held(state)).count() as u64);
        for time in [self.clock, self.visit.start, self.visit.last] {
            put(&mut out, 8, time.0 as u64);
        }
        for number in [self.visit.number, self.visit.campaign, self.events] {
            put(&mut out, 4, number.into());
        }
        put(&mut out, 8, self.last_event);
        for (signal, state) in signals.iter().zip(&self.states).filter(|(_, state)| held(state)) {
            put(&mut out, 4, signal.id.into());
            let tag = tag_of(signal, state);
            put(&mut out, 1, tag.into());
            put_state(&mut out, tag, state);
        }
        let sum = crc32(out.get(8..).unwrap_or_default());
        if let Some(slot) = out.get_mut(4..8) {
            slot.copy_from_slice(&sum.to_le_bytes());
        }
        out
    }
}

/// Stands where a set of hashes has its length, and says that a bit map follows.
const MANY: u8 = 255;
/// The tag of a state that no event has touched.
pub(super) const EMPTY: u8 = 255;

/// Whether a state is stored: one that is missing, or worked out from others, is not.
pub(super) fn held(state: &State) -> bool {
    !matches!(state, State::Unknown | State::Derived)
}

pub(super) fn tag_of(signal: &Signal, state: &State) -> u8 {
    if state.is_initial() { EMPTY } else { signal.kind.tag() }
}

/// The states of a profile of which nothing was read yet.
pub(super) fn unknown(signals: &Signals) -> Vec<State> {
    let state = |kind| match kind {
        Kind::Ratio { .. } => State::Derived,
        _ => State::Unknown,
    };
    signals.iter().map(|signal| state(signal.kind)).collect()
}

fn read_head(reader: &mut Reader<'_>) -> (Profile, u16) {
    let count = reader.u16();
    let clock = Millis(reader.i64());
    let (start, last) = (Millis(reader.i64()), Millis(reader.i64()));
    let visit = Visit { number: reader.u32(), campaign: reader.u32(), start, last };
    let events = reader.u32();
    let last_event = reader.number(8);
    check(clock, &visit, reader);
    (Profile { clock, visit, events, last_event, states: Vec::new() }, count)
}

pub(super) fn check(clock: Millis, visit: &Visit, reader: &mut Reader<'_>) {
    if visit.start > visit.last || visit.last > clock {
        reader.invalid("its times are out of order");
    }
}

/// How many bytes the one or two numbers of a state take.
fn widths(tag: u8) -> (usize, usize) {
    match tag {
        0 => (4, 0),
        2 | 7 | 8 | 9 => (8, 0),
        3 | 4 | 10 | 15 => (8, 8),
        5 | 6 | 16 => (4, 8),
        11 | 12 => (4, 4),
        _ => (0, 0),
    }
}

/// Reads the state behind a tag; `None` is the empty state of whatever kind.
fn read_state(tag: u8, reader: &mut Reader<'_>) -> Option<State> {
    let (first, second) = widths(tag);
    let (first, second) = (reader.number(first), reader.number(second));
    state_of(tag, first, second, reader)
}

/// The state that a tag and its numbers say; what is no number is read on.
pub(super) fn state_of(tag: u8, first: u64, second: u64, reader: &mut Reader<'_>) -> Option<State> {
    let (value, at) = (f64::from_bits(first), Millis(second as i64));
    Some(match tag {
        EMPTY => return None,
        0 => State::Count(first as u32),
        1 => State::Distinct(read_distinct(reader)),
        2 | 9 => State::Sum(first as i64),
        3 | 4 | 15 if value.abs() <= MAX_STORED => State::Number { value, at },
        5 | 6 | 16 => State::Level(Some((first as u32, at))),
        7 | 8 => State::Time(Some(Millis(first as i64))),
        10 if value.abs() <= MAX_STORED => State::Decayed { value, at },
        11 | 12 => State::Visit { count: first as u32, number: second as u32 },
        13 => {
            let newest = reader.u32();
            let mut counts = [0; BUCKETS];
            counts.iter_mut().for_each(|count| *count = reader.u16());
            State::Window { newest, counts }
        }
        _ => {
            reader.invalid("a state is of an unknown kind, or no number");
            return None;
        }
    })
}

/// Far above what events can add up to, and far enough from infinity to be added to.
pub(super) const MAX_STORED: f64 = 1e300;

fn read_distinct(reader: &mut Reader<'_>) -> Distinct {
    let len = reader.u8();
    if len == MANY {
        let mut bits = [0; WORDS];
        bits.iter_mut().for_each(|word| *word = reader.number(8));
        return Distinct::Many(bits);
    }
    let mut hashes = [0; FEW];
    let mut last = None;
    for slot in hashes.iter_mut().take(usize::from(len)) {
        *slot = reader.u32();
        if usize::from(len) > FEW || last >= Some(*slot) {
            reader.invalid("hashes are too many, or do not ascend");
        }
        last = Some(*slot);
    }
    Distinct::Few { len, hashes }
}

fn put_state(out: &mut Vec<u8>, tag: u8, state: &State) {
    if tag == EMPTY {
        return;
    }
    let (first, second) = numbers(state);
    let (first_width, second_width) = widths(tag);
    put(out, first_width, first);
    put(out, second_width, second);
    put_more(out, state);
}

/// The numbers of a state, as [`state_of`] takes them.
pub(super) fn numbers(state: &State) -> (u64, u64) {
    match state {
        State::Count(count) => (u64::from(*count), 0),
        State::Sum(sum) => (*sum as u64, 0),
        State::Number { value, at } | State::Decayed { value, at } => {
            (value.to_bits(), at.0 as u64)
        }
        State::Level(Some((hash, at))) => (u64::from(*hash), at.0 as u64),
        State::Time(Some(at)) => (at.0 as u64, 0),
        State::Visit { count, number } => (u64::from(*count), u64::from(*number)),
        _ => (0, 0),
    }
}

/// Appends what of a state is no number.
pub(super) fn put_more(out: &mut Vec<u8>, state: &State) {
    match state {
        State::Distinct(Distinct::Few { len, hashes }) => {
            put(out, 1, u64::from(*len));
            hashes.iter().take(usize::from(*len)).for_each(|hash| put(out, 4, u64::from(*hash)));
        }
        State::Distinct(Distinct::Many(bits)) => {
            put(out, 1, u64::from(MANY));
            bits.iter().for_each(|word| put(out, 8, *word));
        }
        State::Window { newest, counts } => {
            put(out, 4, u64::from(*newest));
            counts.iter().for_each(|count| put(out, 2, u64::from(*count)));
        }
        _ => {}
    }
}

/// Appends the lower `width` bytes of a number.
#[inline(never)] // in a dozen places of the page's engine
pub(super) fn put(out: &mut Vec<u8>, width: usize, number: u64) {
    out.extend_from_slice(number.to_le_bytes().get(..width).unwrap_or_default());
}
