//! The order in which a person's events fold, whatever the order in which they came.

use super::{Act, Consent, Moment, People, Words};
use crate::event::Millis;
use std::collections::{BTreeMap, BTreeSet};

/// Something that arrived: an event, acts, or both.
#[derive(Debug, Clone)]
pub struct Arrival<'a, S> {
    /// Of two arrivals with the same id the first counts; the empty id is nobody's.
    pub message_id: &'a str,
    pub subject: S,
    pub time: Millis,
    /// `None` for what is no event of the subject's own, such as an administrator's merge.
    pub consent: Option<Consent>,
    pub acts: Vec<Act<S>>,
}

/// What arrivals come to.
#[derive(Debug, Clone)]
pub struct History<S> {
    /// Who is who.
    pub people: People<S>,
    /// The events of each person, as places in the list of arrivals, in the order in which they fold.
    /// Whoever does not agree to be profiled is absent.
    pub folds: BTreeMap<S, Vec<usize>>,
}

impl<S: Copy + Ord> History<S> {
    /// Works it out from arrivals in the order in which they came.
    pub fn of(arrivals: &[Arrival<'_, S>]) -> Self {
        let mut known = BTreeSet::new();
        let mut order: Vec<(Moment, &Arrival<'_, S>)> = Vec::new();
        for (arrived, arrival) in (0..).zip(arrivals) {
            if arrival.message_id.is_empty() || known.insert(arrival.message_id) {
                order.push((Moment { time: arrival.time, arrival: arrived }, arrival));
            }
        }
        order.sort_unstable_by_key(|(at, _)| *at);
        let acts =
            order.iter().flat_map(|(at, arrival)| arrival.acts.iter().map(move |act| (*at, *act)));
        let people = People::of(&acts.collect::<Vec<_>>());
        let mut folds: BTreeMap<S, Folding<S>> = BTreeMap::new();
        for (at, arrival) in order {
            let Some(consent) = arrival.consent else { continue };
            let fold = folds.entry(people.owner(arrival.subject, at)).or_default();
            fold.agreed = fold.words.hear(arrival.subject, consent);
            if fold.agreed {
                fold.places.push(at.arrival as usize);
            }
        }
        let agreed = folds.into_iter().filter(|(_, fold)| fold.agreed);
        Self { people, folds: agreed.map(|(person, fold)| (person, fold.places)).collect() }
    }
}

struct Folding<S> {
    words: Words<S>,
    agreed: bool,
    places: Vec<usize>,
}

impl<S> Default for Folding<S> {
    fn default() -> Self {
        Self { words: Words::default(), agreed: false, places: Vec::new() }
    }
}
