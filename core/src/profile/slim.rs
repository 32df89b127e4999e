//! Profiles in as few bytes as they need, for where room is short and somebody else proves that the bytes
//! are whole: `docs/profile-format.md`.

use super::state::{BUCKETS, State};
use super::stored::{EMPTY, check, held, numbers, put, put_more, state_of, tag_of, unknown};
use super::{Profile, ProfileError, Signals, Visit};
use crate::binary::Reader;
use crate::event::Millis;

/// The tag of windows, whose counts are mostly small.
const WINDOW: u8 = 13;

/// How a number is written.
#[derive(Clone, Copy)]
enum Form {
    Nothing,
    /// Small numbers take few bytes.
    Small,
    /// The same, above and below zero.
    Signed,
    /// A double, whose last bits are mostly zero.
    Double,
    /// A hash, of which no byte can be spared.
    Hash,
    /// A time, as how long before the profile's clock it was.
    Ago,
}

/// How the numbers behind a tag are written.
fn forms(tag: u8) -> (Form, Form) {
    match tag {
        0 => (Form::Small, Form::Nothing),
        2 | 9 => (Form::Signed, Form::Nothing),
        3 | 4 | 10 | 15 => (Form::Double, Form::Ago),
        5 | 6 | 16 => (Form::Hash, Form::Ago),
        7 | 8 => (Form::Ago, Form::Nothing),
        11 | 12 => (Form::Small, Form::Small),
        _ => (Form::Nothing, Form::Nothing),
    }
}

impl Profile {
    /// The profile in at most `most` bytes, about half of what [`Self::encode`] takes. Signals that find
    /// no room are left out: whoever reads this misses them, and takes them for nothing else.
    pub fn slim(&self, signals: &Signals, most: usize) -> Vec<u8> {
        let mut out = Vec::new();
        put_small(&mut out, self.clock.0 as u64);
        for time in [self.visit.start, self.visit.last] {
            put_number(&mut out, Form::Ago, time.0 as u64, self.clock);
        }
        for number in [self.visit.number, self.visit.campaign, self.events] {
            put_small(&mut out, number.into());
        }
        put(&mut out, 8, self.last_event);
        let mut last = 0;
        for (signal, state) in signals.iter().zip(&self.states).filter(|(_, state)| held(state)) {
            let mut one = Vec::new();
            put_small(&mut one, (signal.id - last).into());
            let tag = tag_of(signal, state);
            put(&mut one, 1, tag.into());
            if tag != EMPTY {
                put_state(&mut one, tag, state, self.clock);
            }
            if out.len() + one.len() <= most {
                out.extend(one);
                last = signal.id;
            }
        }
        if out.len() <= most { out } else { Vec::new() }
    }

    /// Reads what [`Self::slim`] wrote into a set of signals, as [`Self::open`] does.
    ///
    /// # Errors
    /// Refuses malformed bytes; a host then starts a new profile.
    pub fn open_slim(bytes: &[u8], signals: &Signals) -> Result<Self, ProfileError> {
        let mut reader = Reader::new(bytes);
        let clock = Millis(small(&mut reader) as i64);
        let [start, last] = [(); 2].map(|()| Millis(number(&mut reader, Form::Ago, clock) as i64));
        let [at, campaign, events] = [(); 3].map(|()| small(&mut reader) as u32);
        let visit = Visit { number: at, campaign, start, last };
        check(clock, &visit, &mut reader);
        let last_event = reader.number(8);
        let mut profile = Self { clock, visit, events, last_event, states: unknown(signals) };
        let mut id = 0_u32;
        while !reader.rest().is_empty() {
            let step = small(&mut reader);
            let next = u32::try_from(step).ok().and_then(|step| id.checked_add(step));
            id = next.filter(|next| *next > id).unwrap_or_else(|| {
                reader.invalid("the signals' ids do not ascend");
                id
            });
            let tag = reader.u8();
            let state = read_state(tag, clock, &mut reader);
            if reader.failed() {
                break;
            }
            profile.put(signals, id, tag, state)?;
        }
        reader.end().map(|()| profile).map_err(|fault| ProfileError::Malformed(fault.what()))
    }
}

fn put_state(out: &mut Vec<u8>, tag: u8, state: &State, clock: Millis) {
    if let State::Window { newest, counts } = state {
        put_small(out, (*newest).into());
        return counts.iter().for_each(|count| put_small(out, (*count).into()));
    }
    let ((first_form, second_form), (first, second)) = (forms(tag), numbers(state));
    put_number(out, first_form, first, clock);
    put_number(out, second_form, second, clock);
    put_more(out, state);
}

fn read_state(tag: u8, clock: Millis, reader: &mut Reader<'_>) -> Option<State> {
    if tag == WINDOW {
        let newest = small(reader) as u32;
        let mut counts = [0; BUCKETS];
        counts.iter_mut().for_each(|count| *count = small(reader) as u16);
        return Some(State::Window { newest, counts });
    }
    let (first, second) = forms(tag);
    let (first, second) = (number(reader, first, clock), number(reader, second, clock));
    state_of(tag, first, second, reader)
}

fn put_number(out: &mut Vec<u8>, form: Form, number: u64, clock: Millis) {
    match form {
        Form::Nothing => {}
        Form::Small => put_small(out, number),
        Form::Signed => put_small(out, folded(number as i64)),
        Form::Double => put_small(out, number.swap_bytes()),
        Form::Hash => put(out, 4, number),
        Form::Ago => put_small(out, folded(clock.0.wrapping_sub(number as i64))),
    }
}

fn number(reader: &mut Reader<'_>, form: Form, clock: Millis) -> u64 {
    match form {
        Form::Nothing => 0,
        Form::Small => small(reader),
        Form::Signed => unfolded(small(reader)) as u64,
        Form::Double => small(reader).swap_bytes(),
        Form::Hash => reader.number(4),
        Form::Ago => clock.0.wrapping_sub(unfolded(small(reader))) as u64,
    }
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn put_small(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn small(reader: &mut Reader<'_>) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = reader.u8();
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
    }
    reader.invalid("a number takes more than ten bytes");
    0
}

/// Numbers close to zero become small ones.
fn folded(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unfolded(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
