//! The façade: fold an event in, decide, and say why.

use crate::bundle::{Said, Words, WordsError, put_whole};
use crate::event::{Event, Millis};
use crate::profile::{Profile, ProfileError, Signals, SignalsError};

/// One workspace's signals, model and words, opened once and used for every visitor.
#[derive(Debug)]
pub struct Engine {
    signals: Signals,
    words: Words,
}

/// What a host wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// At most this many reasons; with 0 nothing is explained.
    pub reasons: usize,
}

/// What a model makes of a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// 0 to 100.
    pub score: u8,
    /// The score of a visitor of whom nothing is known.
    pub base: u8,
    /// That the visitor qualifies, 0 to 1.
    pub probability: f64,
    pub band: Band,
    /// The strongest reasons, strongest first.
    pub reasons: Vec<Reason>,
    /// Points of all that `reasons` leaves out: base + reasons + rest = score.
    pub rest: i32,
    /// When this was true.
    pub as_of: Millis,
    /// No earlier than this it stops being true, though nothing happens; `None` for never.
    pub next_change_at: Option<Millis>,
    /// How many events went in, and the hash of the last one's message id.
    pub events: u32,
    pub last_event: u64,
}

/// Sales' three bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Band {
    Not = 0,
    Undecided = 1,
    Qualified = 2,
}

/// What one signal adds to a score or takes from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reason {
    /// Index into the engine's signals.
    pub signal: u16,
    /// The signal's stable id.
    pub id: u32,
    pub points: i32,
    /// NaN where missing, and for categories.
    pub value: f64,
    /// The level of a category.
    pub level: Option<u32>,
}

/// Why an engine does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Signals(#[from] SignalsError),
    #[error(transparent)]
    Words(#[from] WordsError),
    #[error(
        "the model reads signal {0}, which the bundle does not declare: publish the model anew"
    )]
    MissingSignal(u32),
}

impl Engine {
    /// Opens the three parts that a decision needs.
    ///
    /// # Errors
    /// Says which part is refused and why; also where the model reads a signal that is not declared.
    pub fn open(signals: &[u8], _model: &[u8], words: &[u8]) -> Result<Self, OpenError> {
        Ok(Self { signals: Signals::open(signals)?, words: Words::open(words)? })
    }

    /// The declared signals.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// The words that reasons are made of.
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// The profile of a visitor who did nothing yet.
    pub fn new_profile(&self) -> Profile {
        Profile::new(&self.signals)
    }

    /// Reads a stored profile.
    ///
    /// # Errors
    /// See [`Profile::open`].
    pub fn open_profile(&self, bytes: &[u8]) -> Result<Profile, ProfileError> {
        Profile::open(bytes, &self.signals)
    }

    /// Folds an event in.
    pub fn fold(&self, profile: &mut Profile, event: &Event<'_>, now: Millis) {
        profile.fold(&self.signals, event, now);
    }

    /// Scores a profile as it is at `now`, and explains the score.
    pub fn decide(&self, profile: &Profile, now: Millis, _want: Want) -> Decision {
        Decision {
            score: 0,
            base: 0,
            probability: 0.0,
            band: Band::Not,
            reasons: Vec::new(),
            rest: 0,
            as_of: now,
            next_change_at: None,
            events: profile.events(),
            last_event: profile.last_event(),
        }
    }

    /// Appends a reason in words: "visited pricing 3 times in 2 days: +14".
    pub fn say(&self, profile: &Profile, decision: &Decision, reason: &Reason, out: &mut String) {
        let said = Said { id: reason.id, value: reason.value, level: reason.level };
        let other = |index: usize| Said {
            id: self.signals.get(index).map_or(0, |signal| signal.id),
            value: profile.value(&self.signals, index, decision.as_of),
            level: profile.level(index),
        };
        self.words.say(said, &other, out);
        out.push_str(if reason.points < 0 { ": -" } else { ": +" });
        put_whole(out, u64::from(reason.points.unsigned_abs()));
    }
}
