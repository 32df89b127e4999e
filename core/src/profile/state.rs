//! What one signal remembers: how events change it, what it says, and when time changes it.

use super::halving::power_of_two;
use super::matcher::Look;
use super::signals::{Kind, NO_PATH, Signal};
use super::{Visit, matcher::Slot};
use crate::event::Millis;

/// The memory of one signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum State {
    /// Not folded from the beginning.
    Unknown,
    /// A ratio remembers nothing of its own.
    Derived,
    Count(u32),
    Distinct(Distinct),
    /// Whole millionths.
    Sum(i64),
    /// NaN before the first.
    Number {
        value: f64,
        at: Millis,
    },
    Level(Option<(u32, Millis)>),
    Time(Option<Millis>),
    Decayed {
        value: f64,
        at: Millis,
    },
    /// A count and the visit it belongs to.
    Visit {
        count: u32,
        number: u32,
    },
    Window {
        newest: u32,
        counts: [u16; BUCKETS],
    },
}

/// A window is counted in this many buckets.
pub(super) const BUCKETS: usize = 12;
/// Sums are kept in whole millionths.
const MICRO: f64 = 1e6;
/// What changes later than in twenty years never changes.
const LOOK_AHEAD: i64 = 7_305 * Millis::DAY;
/// One event adds at most this many engaged seconds.
const MAX_ENGAGED: f64 = 1800.0;

impl State {
    /// What a signal says before the first event.
    pub(super) fn initial(kind: Kind) -> Self {
        let at = Millis(i64::MIN);
        match kind {
            Kind::Count => Self::Count(0),
            Kind::Distinct => Self::Distinct(Distinct::EMPTY),
            Kind::Sum | Kind::Engaged => Self::Sum(0),
            Kind::Max | Kind::Last | Kind::Server => Self::Number { value: f64::NAN, at },
            Kind::FirstLevel | Kind::LastLevel | Kind::ServerLevel => Self::Level(None),
            Kind::SinceFirst | Kind::SinceLast => Self::Time(None),
            Kind::Decayed { .. } => Self::Decayed { value: 0.0, at },
            Kind::Session | Kind::Visits => Self::Visit { count: 0, number: 0 },
            Kind::Window { .. } => Self::Window { newest: 0, counts: [0; BUCKETS] },
            Kind::Ratio { .. } => Self::Derived,
        }
    }

    /// Whether it is as before the first event.
    pub(super) fn is_initial(&self) -> bool {
        match self {
            Self::Unknown | Self::Derived => true,
            Self::Count(count) => *count == 0,
            Self::Distinct(distinct) => *distinct == Distinct::EMPTY,
            Self::Sum(sum) => *sum == 0,
            Self::Number { value, .. } => value.is_nan(),
            Self::Level(level) => level.is_none(),
            Self::Time(at) => at.is_none(),
            Self::Decayed { at, .. } => at.0 == i64::MIN,
            Self::Visit { count, number } => *count == 0 && *number == 0,
            Self::Window { newest, counts } => *newest == 0 && *counts == [0; BUCKETS],
        }
    }

    /// Takes in an event that met the signal's conditions.
    pub(super) fn fold(&mut self, signal: &Signal, look: &Look<'_>, time: Millis, visit: u32) {
        let slot = look.slot(signal.path);
        match (self, signal.kind) {
            (Self::Count(count), _) => *count = count.saturating_add(1),
            (Self::Distinct(distinct), _) if slot.value.is_some() => distinct.insert(slot.hash),
            (Self::Sum(sum), Kind::Engaged) => {
                let seconds = slot.number().unwrap_or(0.0).clamp(0.0, MAX_ENGAGED);
                *sum = sum.saturating_add(micros(seconds));
            }
            (Self::Sum(sum), _) => *sum = sum.saturating_add(micros(slot.number().unwrap_or(0.0))),
            (Self::Number { value, at }, kind) => {
                let Some(number) = slot.number() else { return };
                if kind == Kind::Last || value.is_nan() || number > *value {
                    (*value, *at) = (number + 0.0, time);
                }
            }
            (Self::Level(level), kind) => {
                if let Some(hash) = slot.level()
                    && (level.is_none() || kind == Kind::LastLevel)
                {
                    *level = Some((hash, time));
                }
            }
            (Self::Time(at), kind) if at.is_none() || kind == Kind::SinceLast => *at = Some(time),
            (Self::Decayed { value, at }, Kind::Decayed { half_life }) => {
                *value = decayed(*value, *at, time, half_life) + added(signal, slot);
                *at = time;
            }
            (Self::Visit { count, number }, kind) => {
                if *number != visit {
                    *count = if kind == Kind::Session { 1 } else { count.saturating_add(1) };
                    *number = visit;
                } else if kind == Kind::Session {
                    *count = count.saturating_add(1);
                }
            }
            (Self::Window { newest, counts }, Kind::Window { length }) => {
                advance(newest, counts, bucket(time, length));
                if let Some(count) = counts.first_mut() {
                    *count = count.saturating_add(1);
                }
            }
            _ => {}
        }
    }

    /// The value at `now`, which is not before the last event; NaN where missing.
    pub(super) fn value(&self, kind: Kind, now: Millis, visit: &Visit) -> f64 {
        match (self, kind) {
            (Self::Count(count), _) => f64::from(*count),
            (Self::Distinct(distinct), _) => f64::from(distinct.count()),
            (Self::Sum(sum), _) => *sum as f64 / MICRO,
            (Self::Number { value, .. }, _) => *value,
            (Self::Time(Some(at)), _) => now.since(*at) as f64 / Millis::DAY as f64,
            // To single precision, so that every implementation agrees to the bit.
            (Self::Decayed { value, at }, Kind::Decayed { half_life }) => {
                f64::from(decayed(*value, *at, now, half_life) as f32)
            }
            (Self::Visit { count, number }, Kind::Session) => {
                let under_way = *number == visit.number && !visit.ended(now);
                if under_way { f64::from(*count) } else { 0.0 }
            }
            (Self::Visit { count, .. }, _) => f64::from(*count),
            (Self::Window { newest, counts }, Kind::Window { length }) => {
                let passed = bucket(now, length).saturating_sub(*newest) as usize;
                let kept = counts.len().saturating_sub(passed);
                f64::from(counts.iter().take(kept).map(|count| u32::from(*count)).sum::<u32>())
            }
            _ => f64::NAN,
        }
    }

    pub(super) fn level(&self) -> Option<u32> {
        match self {
            Self::Level(level) => level.map(|(hash, _)| hash),
            _ => None,
        }
    }

    /// See [`super::Profile::next_change`]; without `cuts`, what changes all the time is looked at
    /// again in a minute.
    pub(super) fn next_change(
        &self,
        kind: Kind,
        now: Millis,
        visit: &Visit,
        cuts: Option<&[f64]>,
    ) -> Option<Millis> {
        match (self, kind) {
            (Self::Time(Some(_)) | Self::Decayed { .. }, _) => {
                let Some(cuts) = cuts else { return Some(now.plus(Millis::MINUTE)) };
                // Both move in one direction only, so that halving finds the first change.
                let side = |at| {
                    let value = self.value(kind, at, visit);
                    cuts.iter().filter(|cut| value <= **cut).count()
                };
                let (mut same, mut other) = (now, now.plus(LOOK_AHEAD));
                if side(same) == side(other) {
                    return None;
                }
                while other.0 - same.0 > 1 {
                    let middle = same.plus((other.0 - same.0) / 2);
                    *(if side(middle) == side(now) { &mut same } else { &mut other }) = middle;
                }
                Some(other)
            }
            (Self::Visit { count, number }, Kind::Session) => {
                (*count > 0 && *number == visit.number && !visit.ended(now)).then(|| visit.end())
            }
            (Self::Window { newest, counts }, Kind::Window { length }) => {
                let passed = bucket(now, length).saturating_sub(*newest) as usize;
                let kept = counts.len().saturating_sub(passed);
                let oldest = counts.iter().take(kept).rposition(|count| *count > 0)?;
                let leaves = i64::from(newest.saturating_sub(oldest as u32)) + BUCKETS as i64;
                Some(Millis(leaves.saturating_mul(width(length))).max(now.plus(1)))
            }
            _ => None,
        }
    }
}

/// What an event adds to a decayed signal: its number where a field is named, otherwise 1.
fn added(signal: &Signal, slot: Slot<'_>) -> f64 {
    if signal.path == NO_PATH { 1.0 } else { slot.number().unwrap_or(0.0) }
}

/// A number as whole millionths, halves away from zero; saturates.
fn micros(number: f64) -> i64 {
    libm::round(number * MICRO) as i64
}

pub(super) fn decayed(value: f64, from: Millis, to: Millis, half_life: i64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    value * power_of_two(-(to.since(from) as f64) / half_life as f64)
}

/// How long a bucket of a window is.
fn width(length: i64) -> i64 {
    (length / BUCKETS as i64).max(1)
}

/// Which bucket a time falls into, counted from 1970.
fn bucket(time: Millis, length: i64) -> u32 {
    u32::try_from(time.0.max(0) / width(length)).unwrap_or(u32::MAX)
}

/// Moves the window on, so that `counts[0]` belongs to bucket `to`.
pub(super) fn advance(newest: &mut u32, counts: &mut [u16; BUCKETS], to: u32) {
    let by = to.saturating_sub(*newest) as usize;
    if by >= BUCKETS {
        *counts = [0; BUCKETS];
    } else {
        // Not `rotate_right`, which brings a general algorithm along.
        counts.copy_within(..BUCKETS - by, by);
        counts.iter_mut().take(by).for_each(|count| *count = 0);
    }
    *newest = to.max(*newest);
}

/// A set of hashes: the hashes themselves while they are few, then a bit map of them, counted
/// as Whang et al. do (A linear-time probabilistic counting algorithm, 1990).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distinct {
    /// The first `len` hashes, ascending.
    Few {
        len: u8,
        hashes: [u32; FEW],
    },
    Many([u64; WORDS]),
}

pub(super) const FEW: usize = 6;
pub(super) const WORDS: usize = 3;
const BITS: u32 = 64 * WORDS as u32;

impl Distinct {
    pub(super) const EMPTY: Self = Self::Few { len: 0, hashes: [0; FEW] };

    pub(super) fn insert(&mut self, hash: u32) {
        match self {
            Self::Few { len, hashes } => {
                let known = hashes.get(..usize::from(*len)).unwrap_or_default();
                let Err(place) = known.binary_search(&hash) else { return };
                if let Some(tail) = hashes.get_mut(place..=usize::from(*len)) {
                    let mut hash = hash;
                    tail.iter_mut().for_each(|slot| core::mem::swap(slot, &mut hash));
                    *len += 1;
                } else {
                    let mut bits = [0; WORDS];
                    hashes.iter().chain(&[hash]).for_each(|hash| set(&mut bits, *hash));
                    *self = Self::Many(bits);
                }
            }
            Self::Many(bits) => set(bits, hash),
        }
    }

    /// Adds everything that another set holds.
    pub(super) fn union(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Few { len, hashes }) => {
                hashes.iter().take(usize::from(*len)).for_each(|hash| self.insert(*hash));
            }
            (Self::Few { .. }, Self::Many(_)) => {
                let few = core::mem::replace(self, *other);
                self.union(&few);
            }
            (Self::Many(mine), Self::Many(theirs)) => {
                mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine |= theirs);
            }
        }
    }

    /// How many there are: exact while they are few, then `−m·ln(share of clear bits)` to the
    /// nearest whole number, at most what one clear bit stands for.
    pub(super) fn count(&self) -> u32 {
        match self {
            Self::Few { len, .. } => u32::from(*len),
            Self::Many(bits) => {
                let set: u32 = bits.iter().map(|word| word.count_ones()).sum();
                let clear = (BITS - set).max(1);
                let size = f64::from(BITS);
                libm::round(-size * libm::log(f64::from(clear) / size)) as u32
            }
        }
    }
}

/// FNV's low bits mix badly, so the bit is chosen from a multiplied hash's high ones.
fn set(bits: &mut [u64; WORDS], hash: u32) {
    let place = ((u64::from(hash.wrapping_mul(0x9e37_79b1)) * u64::from(BITS)) >> 32) as usize;
    if let Some(word) = bits.get_mut(place / 64) {
        *word |= 1 << (place % 64);
    }
}
