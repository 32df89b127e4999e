//! Who the subjects of a list of acts are.

use super::{Act, Moment};
use std::collections::{BTreeMap, BTreeSet};

/// A browser that proved to be more people's than this is a machine's, and proves nothing.
pub const MAX_PEOPLE: usize = 20;
/// A person whom more browsers proved to be than this is a machine, and nobody.
pub const MAX_BROWSERS: usize = 1000;

/// What acts come to. A subject that no act names is itself.
#[derive(Debug, Clone)]
pub struct People<S> {
    /// Of each browser, in order.
    proofs: BTreeMap<S, Vec<(Moment, S)>>,
    /// The name of the person whom a subject is.
    names: BTreeMap<S, S>,
}

/// From a moment on, a subject's events are a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<S> {
    pub from: Moment,
    pub person: S,
}

impl<S: Copy + Ord> People<S> {
    /// Works out who is who; the acts may stand in any order.
    ///
    /// A browser's events belong to whom it had proved last when they happened, and what came before
    /// its first proof goes with that. A person who consists of several subjects goes by the smallest
    /// of those that proofs and aliases name as a person, or else by the smallest.
    pub fn of(acts: &[(Moment, Act<S>)]) -> Self {
        let mut parted: BTreeMap<(S, Option<S>), Moment> = BTreeMap::new();
        let mut people_at: BTreeMap<S, BTreeSet<S>> = BTreeMap::new();
        let mut browsers_of: BTreeMap<S, BTreeSet<S>> = BTreeMap::new();
        let mut named = BTreeSet::new();
        let mut names = BTreeMap::new();
        for (at, act) in acts {
            let (one, other) = act.names();
            for subject in [Some(one), other].into_iter().flatten() {
                names.insert(subject, subject);
            }
            match *act {
                Act::Apart { one, from } => {
                    let latest = parted.entry((one, from)).or_insert(*at);
                    *latest = (*latest).max(*at);
                }
                Act::Proof { browser, person } => {
                    named.insert(person);
                    people_at.entry(browser).or_default().insert(person);
                    browsers_of.entry(person).or_default().insert(browser);
                }
                Act::Same { person, .. } => _ = named.insert(person),
            }
        }
        let counts = |at: Moment, one: S, other: S| {
            let pairs = [(one, None), (other, None), (one, Some(other)), (other, Some(one))];
            pairs.iter().all(|pair| parted.get(pair).is_none_or(|parted| at > *parted))
        };
        let mut people = Self { proofs: BTreeMap::new(), names };
        let mut links = Vec::new();
        for (at, act) in acts {
            match *act {
                Act::Proof { browser, person }
                    if counts(*at, browser, person)
                        && people_at
                            .get(&browser)
                            .is_some_and(|known| known.len() <= MAX_PEOPLE)
                        && browsers_of
                            .get(&person)
                            .is_some_and(|known| known.len() <= MAX_BROWSERS) =>
                {
                    people.proofs.entry(browser).or_default().push((*at, person));
                }
                Act::Same { person, other } if counts(*at, person, other) => {
                    links.push((person, other));
                }
                _ => {}
            }
        }
        for (browser, proofs) in &mut people.proofs {
            proofs.sort_unstable();
            links.extend(proofs.first().map(|(_, person)| (*browser, *person)));
        }
        people.link(&links, &named);
        people
    }

    /// Whom an event of a subject belongs to.
    pub fn owner(&self, subject: S, at: Moment) -> S {
        let proofs = self.proofs.get(&subject).map(Vec::as_slice).unwrap_or_default();
        let before = proofs.partition_point(|(proof, _)| *proof <= at);
        let last = before.checked_sub(1).and_then(|last| proofs.get(last));
        let node = last.map_or(subject, |(_, person)| *person);
        self.names.get(&node).copied().unwrap_or(node)
    }

    /// Who a subject is in the end.
    pub fn person(&self, subject: S) -> S {
        self.owner(subject, Moment::END)
    }

    /// Whom a subject's events belong to, from the first on: a new piece where that changes.
    pub fn pieces(&self, subject: S) -> Vec<Piece<S>> {
        let proofs = self.proofs.get(&subject).map(Vec::as_slice).unwrap_or_default();
        let changes = std::iter::once(Moment::START).chain(proofs.iter().map(|(at, _)| *at));
        let mut pieces: Vec<_> =
            changes.map(|from| Piece { from, person: self.owner(subject, from) }).collect();
        pieces.dedup_by_key(|piece| piece.person);
        pieces
    }

    /// Every subject that the acts name, in order.
    pub fn subjects(&self) -> impl Iterator<Item = S> {
        self.names.keys().copied()
    }

    /// Names all that links connect, directly or not, alike.
    fn link(&mut self, links: &[(S, S)], named: &BTreeSet<S>) {
        let mut linked: BTreeMap<S, Vec<S>> = BTreeMap::new();
        for &(one, other) in links {
            linked.entry(one).or_default().push(other);
            linked.entry(other).or_default().push(one);
        }
        let mut seen = BTreeSet::new();
        for &start in linked.keys() {
            let mut together = Vec::new();
            let mut ahead = vec![start];
            while let Some(subject) = ahead.pop() {
                if seen.insert(subject) {
                    together.push(subject);
                    ahead.extend(linked.get(&subject).into_iter().flatten());
                }
            }
            let of_people = together.iter().copied().filter(|subject| named.contains(subject));
            let Some(name) = of_people.min().or_else(|| together.iter().copied().min()) else {
                continue;
            };
            for subject in together {
                self.names.insert(subject, name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Millis;

    #[test]
    fn a_person_of_too_many_browsers_is_a_machine_and_nobody() {
        let proof = |browser: usize| {
            let at = Moment { time: Millis(0), arrival: browser as i64 };
            (at, Act::Proof { browser: browser + 1, person: 0 })
        };
        let mut acts: Vec<_> = (0..MAX_BROWSERS).map(proof).collect();
        assert_eq!(People::of(&acts).person(7), 0);
        acts.push(proof(MAX_BROWSERS));
        assert_eq!(People::of(&acts).person(7), 7);
    }
}
