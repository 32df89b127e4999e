//! The histories of the conformance cases, told to a server over HTTP: it finds the same people, and
//! their profiles to the byte.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Tenant, additive, eventually};
use rapport_backend::identity::{Permit, SubjectId};
use rapport_backend::keys::{DirectoryKeys, KeyStore, VisitorRef, pseudonym};
use rapport_backend::profiles::{Who, profile_bytes};
use rapport_backend::{bundles, clock};
use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::person::{ArrivalWire, History};
use rapport_core::profile::{Profile, SignalWire, Signals, compile_signals};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A page that got a hint.
struct Page {
    browser: String,
    after: usize,
    until: usize,
}

fn pages(case: &Value) -> Vec<Page> {
    let pages = case["pages"].as_array().into_iter().flatten();
    let number = |page: &Value, name: &str| page[name].as_u64().unwrap() as usize;
    let page = |page: &Value| Page {
        browser: page["browser"].as_str().unwrap().to_owned(),
        after: number(page, "after"),
        until: number(page, "until"),
    };
    pages.map(page).collect()
}

/// Whether somebody sent events; to be merged, they must also go by that name, and be no other user.
fn known(arrivals: &[ArrivalWire], name: &str, merge: bool) -> bool {
    let who = VisitorRef::parse(name).unwrap();
    let arrivals: Vec<_> = arrivals.iter().map(|wire| wire.arrival(true).unwrap()).collect();
    let people = History::of(&arrivals).people;
    let others = || people.subjects().filter(|other| *other != who && people.person(*other) == who);
    arrivals.iter().any(|arrival| arrival.subject == who)
        && (!merge
            || people.person(who) == who
                && others().all(|other| matches!(other, VisitorRef::Anonymous(_))))
}

/// A case, and the server that is told it.
struct Telling<'a> {
    house: &'a House,
    keys: &'a DirectoryKeys,
    acme: Tenant,
    arrivals: Vec<ArrivalWire>,
    /// When each arrival's time is by this machine's clock, as far as that is known yet.
    times: BTreeMap<i64, i64>,
    /// The profile of a browser after so many arrivals, as a hint would bring it to its page.
    hints: BTreeMap<(String, usize), Vec<u8>>,
}

impl Telling<'_> {
    fn time(&self, place: usize) -> i64 {
        let wire = &self.arrivals[place];
        wire.event.as_ref().map_or(wire.timestamp, |event| event.client_time().unwrap().unwrap().0)
    }

    fn is_word(&self, place: usize) -> bool {
        self.arrivals[place].event.is_none()
    }

    /// Whether it can be told: an administrator's word is of the moment at which it is said, after all
    /// that came before, and of visitors whom the server knows, by the one name that they go by.
    fn can_be_told(&self) -> bool {
        let mut latest = i64::MIN;
        (0..self.arrivals.len()).all(|place| {
            let wire = &self.arrivals[place];
            let late = self.is_word(place) && self.time(place) <= latest;
            latest = latest.max(self.time(place));
            let nameless =
                wire.event.as_ref().is_some_and(|event| event.message_id.as_deref() == Some(""));
            let before = &self.arrivals[..place];
            let named: Vec<_> = match (&wire.merge, &wire.unmerge) {
                (Some(two), _) => two.iter().map(|name| (name, true)).collect(),
                (None, names) => names.iter().flatten().map(|name| (name, false)).collect(),
            };
            !late && !nameless && named.iter().all(|(name, merge)| known(before, name, *merge))
        })
    }

    /// Moves all times behind `after` and up to the next word to behind this machine's `now`, keeping
    /// their order.
    fn place_times(&mut self, after: Option<i64>, now: i64) -> i64 {
        let words = (0..self.arrivals.len()).filter(|place| self.is_word(*place));
        let next = words
            .map(|place| self.time(place))
            .filter(|time| after.is_none_or(|after| *time > after))
            .min();
        let all: BTreeSet<i64> = (0..self.arrivals.len()).map(|place| self.time(place)).collect();
        let between = |time: &i64| {
            after.is_none_or(|after| *time > after) && next.is_none_or(|next| *time < next)
        };
        let between: Vec<_> = all.into_iter().filter(between).collect();
        let Some(last) = between.last() else { return now };
        for (rank, time) in (1..).zip(&between) {
            // Before the first word there is time enough to leave the distances as they are.
            let placed = if after.is_none() { now - (last - time) } else { now + rank };
            self.times.insert(*time, placed);
        }
        self.times[last]
    }

    fn tell(&mut self, case: &Value) {
        let pages = pages(case);
        let mut latest = self.place_times(None, clock::now() - 60_000);
        for place in 0..=self.arrivals.len() {
            for page in pages.iter().filter(|page| page.after == place) {
                self.settle();
                let browser = self.id(&format!("a:{}", page.browser));
                let found = profile_bytes(self.house.app(), self.acme.scope, browser).unwrap();
                self.hints.insert((page.browser.clone(), place), found.unwrap().1);
            }
            if place == self.arrivals.len() {
                break;
            }
            let told = self.time(place);
            if self.is_word(place) {
                while clock::now() <= latest {
                    std::thread::yield_now();
                }
                self.say(place);
                let now = clock::now();
                self.times.insert(told, now);
                latest = self.place_times(Some(told), now);
            } else {
                self.send(place);
            }
        }
    }

    /// Waits until the server has folded what it was told.
    fn settle(&self) {
        let status =
            || self.house.get("/v1/profiles/status").key(&self.acme.admin_key).send().json();
        eventually(|| (status()["lag"] == 0).then_some(()));
    }

    fn event(&self, place: usize) -> EventWire {
        let mut event = self.arrivals[place].event.clone().unwrap();
        event.timestamp = Some(json!(self.times[&self.time(place)]));
        event
    }

    fn send(&self, place: usize) {
        let key =
            if self.arrivals[place].proven { &self.acme.admin_key } else { &self.acme.write_key };
        let call = self.house.post("/v1/events").key(key);
        let reply = call.json(&json!({ "batch": [self.event(place)] })).send();
        assert_eq!(reply.json()["rejected"], json!([]), "{}", reply.text);
    }

    /// Has an administrator say it.
    fn say(&self, place: usize) {
        let wire = &self.arrivals[place];
        let (what, names) = match (&wire.merge, &wire.unmerge) {
            (Some(two), _) => ("merge", two.to_vec()),
            (None, names) => ("unmerge", names.clone().unwrap()),
        };
        let ids: Vec<_> = names.iter().map(|name| self.id(name).to_string()).collect();
        let field = if what == "merge" { "with" } else { "from" };
        let body = ids.get(1).map_or(json!({}), |other| json!({ (field): other }));
        let call = self.house.post(&format!("/v1/profiles/{}/{what}", ids[0]));
        let reply = call.key(&self.acme.admin_key).json(&body).send();
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    fn id(&self, name: &str) -> SubjectId {
        let key = self.keys.workspace_key(self.acme.scope.workspace).unwrap();
        pseudonym(&key, self.acme.scope, VisitorRef::parse(name).unwrap())
    }

    /// What differs from what the case expects.
    fn faults(&self, case: &Value, signals: &Signals) -> Vec<String> {
        let people: BTreeMap<String, String> =
            serde_json::from_value(case["people"].clone()).unwrap();
        let folds: BTreeMap<String, Vec<usize>> =
            serde_json::from_value(case["folds"].clone()).unwrap();
        let app = self.house.app();
        let who = Who::stored(app, self.acme.scope);
        let mut faults = Vec::new();
        for (one, person) in &people {
            for (other, person_of_other) in &people {
                let together =
                    who.person(self.id(one)).unwrap() == who.person(self.id(other)).unwrap();
                if together != (person == person_of_other) {
                    faults.push(format!("{one} and {other}: {together}"));
                }
            }
            let expected = folds.get(person).map(|places| {
                let mut profile = Profile::new(signals);
                places.iter().for_each(|place| self.fold(&mut profile, signals, *place));
                profile.encode(signals)
            });
            if self.profile(one) != expected {
                faults.push(format!("the profile of {one}"));
            }
        }
        for page in pages(case).iter().filter(|page| page.until == self.arrivals.len()) {
            let hint = &self.hints[&(page.browser.clone(), page.after)];
            let mut profile = Profile::open(hint, signals).unwrap();
            self.own(page).for_each(|place| self.fold(&mut profile, signals, place));
            if Some(profile.encode(signals)) != self.profile(&format!("a:{}", page.browser)) {
                faults.push(format!("the page of {} after {}", page.browser, page.after));
            }
        }
        faults
    }

    fn profile(&self, name: &str) -> Option<Vec<u8>> {
        let found = profile_bytes(self.house.app(), self.acme.scope, self.id(name)).unwrap();
        found.map(|(_, bytes)| bytes)
    }

    fn fold(&self, profile: &mut Profile, signals: &Signals, place: usize) {
        let time = Millis(self.times[&self.time(place)]);
        let bytes = self.event(place).encode(time).unwrap();
        profile.fold(signals, &Event::decode(&bytes).unwrap(), time);
    }

    /// What a page sent and its hint does not hold, each message once.
    fn own(&self, page: &Page) -> impl Iterator<Item = usize> {
        let mut known = BTreeSet::new();
        let events = self.arrivals.iter().enumerate().take(page.until);
        events.filter_map(move |(place, wire)| {
            let event = wire.event.as_ref()?;
            let own = event.anonymous_id.as_deref() == Some(page.browser.as_str());
            (known.insert(&event.message_id) && own && place >= page.after).then_some(place)
        })
    }
}

#[test]
fn told_over_http_every_history_gives_the_expected_profiles() {
    let (house, mut told, mut skipped, mut failures) = (House::open(), 0, 0, Vec::new());
    let keys = DirectoryKeys::open(&house.config().keys).unwrap();
    for file in ["arrivals", "merges", "unmerges", "consents", "lives"] {
        let path = format!("../conformance/cases/histories/{file}.json");
        let document: Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let wires: Vec<SignalWire> =
            serde_json::from_value(document["sets"]["signals"].clone()).unwrap();
        let signals = Signals::open(&compile_signals(&wires).0).unwrap();
        for case in document["cases"].as_array().unwrap() {
            let acme = house.bare_tenant("Acme");
            let arrivals: Vec<ArrivalWire> =
                serde_json::from_value(case["arrivals"].clone()).unwrap();
            let mut telling = Telling {
                house: &house,
                keys: &keys,
                acme,
                arrivals,
                times: BTreeMap::new(),
                hints: BTreeMap::new(),
            };
            if !telling.can_be_told() {
                skipped += 1;
                continue;
            }
            let acme = telling.acme.clone();
            let bundle =
                json!({ "signals": document["sets"]["signals"], "models": [{ "name": "buyers" }] });
            let models = BTreeMap::from([("buyers".to_owned(), additive(&[("pages", 1.0)]))]);
            let bundle = bundle.as_object().unwrap().clone();
            bundles::publish(house.app(), &Permit::operator(acme.scope), bundle, &models).unwrap();
            let settings = json!({ "consent": { "profiling": case["granted"] } });
            let call = house.call("PUT", "/v1/settings").key(&acme.admin_key);
            assert!(call.json(&settings).send().status < 300);
            telling.tell(case);
            telling.settle();
            told += 1;
            let faults = telling.faults(case, &signals);
            failures
                .extend(faults.iter().map(|fault| format!("{file}: {}: {fault}", case["name"])));
        }
    }
    println!("{told} histories told, {skipped} with words that no administrator can say");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(told >= 100, "{told} told, {skipped} skipped");
}
