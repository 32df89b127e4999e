//! Two profiles of one person, put together.

use super::state::{State, advance, decayed};
use super::{Kind, Profile, Signals};
use crate::event::Millis;

impl Profile {
    /// Puts another profile of the same subject and the same signals in, each signal by its
    /// [`Signals::merge_rule`]; of equal times the other's counts as the later.
    /// A signal that is missing in one of them is missing afterwards.
    pub fn merge(&mut self, signals: &Signals, other: &Self) {
        for ((signal, mine), theirs) in signals.iter().zip(&mut self.states).zip(&other.states) {
            *mine = merged(signal.kind, mine, theirs);
        }
        let visits = self.visit.number.saturating_add(other.visit.number);
        if other.visit.last >= self.visit.last && other.visit.number > 0 {
            self.visit = other.visit;
        }
        self.visit.number = visits;
        if other.clock >= self.clock && other.events > 0 {
            self.clock = other.clock;
            self.last_event = other.last_event;
        }
        self.events = self.events.saturating_add(other.events);
    }
}

fn merged(kind: Kind, mine: &State, theirs: &State) -> State {
    match (*mine, *theirs, kind) {
        (State::Derived, State::Derived, _) => State::Derived,
        (_, _, Kind::Session) => State::Unknown,
        (State::Count(a), State::Count(b), _) => State::Count(a.saturating_add(b)),
        (State::Distinct(mut a), State::Distinct(b), _) => {
            a.union(&b);
            State::Distinct(a)
        }
        (State::Sum(a), State::Sum(b), _) => State::Sum(a.saturating_add(b)),
        (
            State::Number { value: a, at: s },
            State::Number { value: b, at: t },
            Kind::Last | Kind::Server,
        ) => {
            if b.is_nan() || (!a.is_nan() && s > t) {
                *mine
            } else {
                *theirs
            }
        }
        (State::Number { value: a, at: s }, State::Number { value: b, at: t }, _) => {
            let theirs_first = a == b && t < s;
            if a.is_nan() || b > a || theirs_first { *theirs } else { *mine }
        }
        (State::Level(a), State::Level(b), _) => {
            State::Level(earlier_or_later(kind, a, b, |(_, at)| at))
        }
        (State::Time(a), State::Time(b), _) => State::Time(earlier_or_later(kind, a, b, |at| at)),
        (
            State::Decayed { value: a, at: s },
            State::Decayed { value: b, at: t },
            Kind::Decayed { half_life },
        ) => {
            let at = s.max(t);
            State::Decayed {
                value: decayed(a, s, at, half_life) + decayed(b, t, at, half_life),
                at,
            }
        }
        (State::Visit { count: a, .. }, State::Visit { count: b, .. }, _) => {
            // Matches no later visit, so the next one counts even if it goes on under way.
            State::Visit { count: a.saturating_add(b), number: 0 }
        }
        (
            State::Window { newest: s, counts: mut a },
            State::Window { newest: t, counts: mut b },
            _,
        ) => {
            let newest = s.max(t);
            advance(&mut { s }, &mut a, newest);
            advance(&mut { t }, &mut b, newest);
            a.iter_mut().zip(b).for_each(|(a, b)| *a = a.saturating_add(b));
            State::Window { newest, counts: a }
        }
        _ => State::Unknown,
    }
}

/// The first of two for first touches, the last for everything else; the other's is later at equal times.
fn earlier_or_later<T: Copy>(
    kind: Kind,
    a: Option<T>,
    b: Option<T>,
    at: impl Fn(T) -> Millis,
) -> Option<T> {
    let (Some(mine), Some(theirs)) = (a, b) else { return a.or(b) };
    let first = matches!(kind, Kind::FirstLevel | Kind::SinceFirst);
    let mine_is_first = at(mine) <= at(theirs);
    Some(if mine_is_first == first { mine } else { theirs })
}
