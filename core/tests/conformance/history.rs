//! Histories: who is who, whose events fold in which order, and the profiles that come of it, to the bit;
//! and pages that fold what is their own onto a hint.

use super::fold::part;
use super::{hex, passed, suite};
use rapport_core::event::{Event, EventWire};
use rapport_core::person::{ArrivalWire, History, VisitorRef};
use rapport_core::profile::{Profile, Signals};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn every_history_gives_the_expected_people_and_profiles() {
    let (mut cases, mut failures) = (0, Vec::new());
    for (file, document) in suite("histories") {
        for case in document["cases"].as_array().unwrap() {
            cases += 1;
            let signals = part(&document, case["signals"].as_str().unwrap());
            let told = Told::read(case, Signals::open(&signals).unwrap());
            let faults = told.faults(case);
            failures.extend(faults.map(|fault| format!("{file}: {}: {fault}", case["name"])));
        }
    }
    assert!(failures.is_empty(), "{} of {cases} fail:\n{}", failures.len(), failures.join("\n"));
    assert!(cases >= 100, "{cases} cases");
    passed("histories", cases);
}

struct Told {
    arrivals: Vec<ArrivalWire>,
    granted: bool,
    signals: Signals,
}

impl Told {
    fn read(case: &Value, signals: Signals) -> Self {
        let arrivals = serde_json::from_value(case["arrivals"].clone()).unwrap();
        Self { arrivals, granted: case["granted"].as_bool().unwrap(), signals }
    }

    /// What differs from what the case expects.
    fn faults(&self, case: &Value) -> impl Iterator<Item = String> {
        let history = self.history(self.arrivals.len());
        let people: BTreeMap<String, String> = history
            .people
            .subjects()
            .chain(self.arrivals.iter().map(|wire| wire.arrival(true).unwrap().subject))
            .map(|subject| (subject.to_string(), history.people.person(subject).to_string()))
            .collect();
        let folds: BTreeMap<String, _> =
            history.folds.iter().map(|(person, places)| (person.to_string(), places)).collect();
        let profiles: BTreeMap<_, _> =
            folds.iter().map(|(person, places)| (person, self.stored(places))).collect();
        let mut compared = vec![
            ("people".to_owned(), json!(people), case["people"].clone()),
            ("folds".to_owned(), json!(folds), case["folds"].clone()),
            ("profiles".to_owned(), json!(profiles), case["profiles"].clone()),
        ];
        for page in case["pages"].as_array().into_iter().flatten() {
            compared.push((
                format!("page {page}"),
                json!(self.page(page)),
                page["profile"].clone(),
            ));
        }
        let differ = compared.into_iter().filter(|(_, found, expected)| found != expected);
        differ.map(|(what, found, expected)| format!("{what}: {found} is not {expected}"))
    }

    /// What the first `count` arrivals come to.
    fn history(&self, count: usize) -> History<VisitorRef<'_>> {
        let wires = self.arrivals[..count].iter();
        History::of(&wires.map(|wire| wire.arrival(self.granted).unwrap()).collect::<Vec<_>>())
    }

    fn events(&self) -> impl Iterator<Item = (usize, &EventWire)> {
        let arrivals = self.arrivals.iter().enumerate();
        arrivals.filter_map(|(place, wire)| Some((place, wire.event.as_ref()?)))
    }

    /// The profile on a page that got a hint and folds what that lacks of its own events.
    fn page(&self, page: &Value) -> String {
        let [after, until] = ["after", "until"].map(|name| page[name].as_u64().unwrap() as usize);
        let browser = VisitorRef::Anonymous(page["browser"].as_str().unwrap());
        let hint = self.history(after);
        let places = &hint.folds[&hint.people.person(browser)];
        let mut profile =
            Profile::open(&self.folded(places).encode(&self.signals), &self.signals).unwrap();
        let mut known: BTreeSet<_> = self
            .events()
            .take_while(|(place, _)| *place < after)
            .map(|(_, event)| &event.message_id)
            .collect();
        for (place, event) in self.events().filter(|(place, _)| (after..until).contains(place)) {
            if event.anonymous_id.as_deref() == page["browser"].as_str()
                && known.insert(&event.message_id)
            {
                self.fold(&mut profile, place);
            }
        }
        hex(&profile.encode(&self.signals))
    }

    fn stored(&self, places: &[usize]) -> String {
        hex(&self.folded(places).encode(&self.signals))
    }

    fn folded(&self, places: &[usize]) -> Profile {
        let mut profile = Profile::new(&self.signals);
        places.iter().for_each(|place| self.fold(&mut profile, *place));
        profile
    }

    fn fold(&self, profile: &mut Profile, place: usize) {
        let wire = self.arrivals[place].event.as_ref().unwrap();
        let time = wire.client_time().unwrap().unwrap();
        let bytes = wire.encode(time).unwrap();
        profile.fold(&self.signals, &Event::decode(&bytes).unwrap(), time);
    }
}
