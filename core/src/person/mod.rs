//! Who is who: browsers that proved to be somebody's, ids that are one person, and whose events fold
//! into whose profile, in which order.
//!
//! What links subjects are acts in the log, so that undoing one is folding again. Everything here is a
//! function of the set of acts and events: the order in which they arrive only breaks ties.

mod consent;
mod history;
mod people;
#[cfg(feature = "wire")]
mod wire;

pub use consent::{Consent, Words};
pub use history::{Arrival, History};
pub use people::{MAX_BROWSERS, MAX_PEOPLE, People, Piece};
#[cfg(feature = "wire")]
pub use wire::{ArrivalError, ArrivalWire, VisitorRef, acts, said, subject};

use crate::event::Millis;

/// The place of anything in the order of things: when it happened, then when it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    pub time: Millis,
    /// Counts arrivals, from any number on.
    pub arrival: i64,
}

impl Moment {
    /// Before everything.
    pub const START: Self = Self { time: Millis(i64::MIN), arrival: i64::MIN };
    /// After everything.
    pub const END: Self = Self { time: Millis(i64::MAX), arrival: i64::MAX };
}

/// What says that subjects are, or are not, the same person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act<S> {
    /// A browser proved to be a person's: from now on, and before where it was nobody else's.
    Proof { browser: S, person: S },
    /// Two subjects are one person, who keeps the first one's name.
    Same { person: S, other: S },
    /// All that linked a subject so far, or linked it to another, counts no more.
    Apart { one: S, from: Option<S> },
}

impl<S: Copy> Act<S> {
    /// The subjects that it names.
    pub fn names(&self) -> (S, Option<S>) {
        match *self {
            Self::Proof { browser: one, person: other } | Self::Same { person: one, other } => {
                (one, Some(other))
            }
            Self::Apart { one, from } => (one, from),
        }
    }

    /// A number for its kind, which stores may keep: 0 proof, 1 same, 2 apart.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Proof { .. } => 0,
            Self::Same { .. } => 1,
            Self::Apart { .. } => 2,
        }
    }

    /// The same act of subjects that go by other names.
    pub fn map<T>(&self, name: impl Fn(S) -> T) -> Act<T> {
        match *self {
            Self::Proof { browser, person } => {
                Act::Proof { browser: name(browser), person: name(person) }
            }
            Self::Same { person, other } => Act::Same { person: name(person), other: name(other) },
            Self::Apart { one, from } => Act::Apart { one: name(one), from: from.map(name) },
        }
    }
}
