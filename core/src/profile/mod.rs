//! Profiles: what is remembered of a visitor, as the fold of events into declared signals.

mod halving;
mod matcher;
mod merge;
mod signals;
#[cfg(feature = "wire")]
mod slim;
mod state;
mod stored;
#[cfg(feature = "wire")]
mod wire;

pub use signals::{Kind, MAX_SIGNALS, MergeRule, Signal, Signals, SignalsError};
pub use stored::{MAX_PROFILE_BYTES_60, ProfileError};
#[cfg(feature = "wire")]
pub use wire::{
    ConditionWire, KindWire, OneOrMany, SignalProblem, SignalWire, Unit, WhenWire, compile_signals,
};

use crate::binary::fnv1a64;
use crate::event::{Event, Millis};
use matcher::Look;
use state::State;
use stored::MAX_STORED;

/// A visit ends after this long without an event …
pub const VISIT_IDLE: i64 = 30 * Millis::MINUTE;
/// … and after this long in any case.
pub const VISIT_LENGTH: i64 = 24 * Millis::HOUR;

/// The fold of one subject's events. It belongs to the [`Signals`] it was made for.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The latest time that was folded; time never runs backwards behind it.
    clock: Millis,
    visit: Visit,
    /// How many events were folded.
    events: u32,
    /// Hash of the last event's message id.
    last_event: u64,
    /// One state a signal, in the order of the signals.
    states: Vec<State>,
}

/// The current visit, shared by all signals that count visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Visit {
    /// 1 for the first visit; 0 before it.
    number: u32,
    start: Millis,
    last: Millis,
    /// Hash of the latest campaign seen; 0 for none.
    campaign: u32,
}

impl Profile {
    /// The profile of a subject that did nothing yet: every signal is known.
    pub fn new(signals: &Signals) -> Self {
        let nothing = Millis(i64::MIN);
        Self {
            clock: nothing,
            visit: Visit { number: 0, start: nothing, last: nothing, campaign: 0 },
            events: 0,
            last_event: 0,
            states: signals.iter().map(|signal| State::initial(signal.kind)).collect(),
        }
    }

    /// Folds one event in. Events count in the order in which they arrive: an event that is older
    /// than its predecessor counts as just after it, one later than `now` as now.
    pub fn fold(&mut self, signals: &Signals, event: &Event<'_>, now: Millis) {
        let at = event.time.min(now).max(self.clock);
        let look = signals.matchers.look(event);
        self.clock = at;
        self.events = self.events.saturating_add(1);
        self.last_event = fnv1a64(event.message_id.as_bytes());
        self.visit(&look, at);
        for (signal, state) in signals.signals.iter().zip(&mut self.states) {
            if look.meets(signal.matcher) {
                state.fold(signal, &look, at, self.visit.number);
            }
        }
    }

    /// Starts a visit where the event says so, and keeps it going.
    /// Only what a page sent counts: an opened e-mail is no visit.
    fn visit(&mut self, look: &Look<'_>, at: Millis) {
        if !look.browsing {
            return;
        }
        let campaign = look.visit.campaign();
        let visit = &mut self.visit;
        let changed = campaign != 0 && campaign != visit.campaign;
        if changed || visit.ended(at) {
            visit.number = visit.number.saturating_add(1);
            visit.start = at;
        }
        if campaign != 0 {
            visit.campaign = campaign;
        }
        visit.last = at;
    }

    /// The value of a signal at `now`: NaN where it is missing, and for categories, whose level
    /// [`Profile::level`] gives.
    pub fn value(&self, signals: &Signals, index: usize, now: Millis) -> f64 {
        let Some(signal) = signals.get(index) else { return f64::NAN };
        let now = now.max(self.clock);
        if let Kind::Ratio { over, under } = signal.kind {
            let [over, under] =
                [over, under].map(|index| self.plain_value(signals, usize::from(index), now));
            return if under == 0.0 { f64::NAN } else { over / under };
        }
        self.plain_value(signals, index, now)
    }

    fn plain_value(&self, signals: &Signals, index: usize, now: Millis) -> f64 {
        match (signals.get(index), self.states.get(index)) {
            (Some(signal), Some(state)) => state.value(signal.kind, now, &self.visit),
            _ => f64::NAN,
        }
    }

    /// The level hash of a category signal; `None` where it is missing and for numbers.
    pub fn level(&self, index: usize) -> Option<u32> {
        self.states.get(index)?.level()
    }

    /// Sets a signal that only the server sets, as it is since `at`: to a number, or to a level by its
    /// hash; NaN makes it missing. Says whether it is such a signal.
    pub fn give(&mut self, signals: &Signals, index: usize, value: f64, at: Millis) -> bool {
        let (Some(signal), Some(state)) = (signals.get(index), self.states.get_mut(index)) else {
            return false;
        };
        let known = value.abs() <= MAX_STORED;
        *state = match signal.kind {
            Kind::Server if known => State::Number { value: value + 0.0, at },
            Kind::ServerLevel if known => State::Level(Some((value as u32, at))),
            kind if kind.is_servers() => State::initial(kind),
            _ => return false,
        };
        true
    }

    /// Whether the signal was folded from the beginning: false where it is new to this profile,
    /// so that its events must be folded again.
    pub fn is_known(&self, signals: &Signals, index: usize) -> bool {
        let known =
            |index: usize| self.states.get(index).is_some_and(|state| *state != State::Unknown);
        match signals.get(index).map(|signal| signal.kind) {
            Some(Kind::Ratio { over, under }) => {
                known(usize::from(over)) && known(usize::from(under))
            }
            _ => known(index),
        }
    }

    /// The latest time that was folded; `None` before the first event.
    pub fn clock(&self) -> Option<Millis> {
        (self.events > 0).then_some(self.clock)
    }

    /// How many events were folded.
    pub fn events(&self) -> u32 {
        self.events
    }

    /// FNV-1a 64 of the last event's message id.
    pub fn last_event(&self) -> u64 {
        self.last_event
    }

    /// The number of the current or last visit, from 1; 0 before the first.
    pub fn visit_number(&self) -> u32 {
        self.visit.number
    }

    /// When the current visit ends if nothing more happens; `None` where none is under way.
    pub fn visit_end(&self, now: Millis) -> Option<Millis> {
        let end = self.visit.end();
        (self.visit.number > 0 && now < end).then_some(end)
    }

    /// When a signal's value next passes one of the `cuts` although nothing happens, counting
    /// from `now`; visits that end and windows that move on count whatever the cuts are, and a
    /// ratio of what changes all the time counts every minute.
    /// The value may pass later, never earlier. `None` where it never does.
    pub fn next_change(
        &self,
        signals: &Signals,
        index: usize,
        now: Millis,
        cuts: &[f64],
    ) -> Option<Millis> {
        let now = now.max(self.clock);
        let next = |index: usize, cuts| {
            let (signal, state) = (signals.get(index)?, self.states.get(index)?);
            state.next_change(signal.kind, now, &self.visit, cuts)
        };
        match signals.get(index)?.kind {
            Kind::Ratio { over, under } => {
                [over, under].into_iter().filter_map(|index| next(usize::from(index), None)).min()
            }
            _ => next(index, Some(cuts)),
        }
    }
}

impl Visit {
    fn ended(&self, at: Millis) -> bool {
        self.number == 0 || at >= self.end()
    }

    fn end(&self) -> Millis {
        self.last.plus(VISIT_IDLE).min(self.start.plus(VISIT_LENGTH))
    }
}
