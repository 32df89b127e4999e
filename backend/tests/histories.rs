//! Random histories: late, twice, out of order, merged, parted, refused and erased. Whatever the order
//! in which it all arrived, the profiles are what core makes of the whole list, live and rebuilt.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Tenant, bundle, eventually, page};
use rapport_backend::clock;
use rapport_backend::identity::SubjectId;
use rapport_backend::keys::{DirectoryKeys, KeyStore, VisitorRef, pseudonym};
use rapport_backend::profiles::profile_bytes;
use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::person::{Act, Arrival, ArrivalWire, Consent, History};
use rapport_core::profile::{Profile, SignalWire, Signals, compile_signals};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

type Bytes = BTreeMap<SubjectId, Option<Vec<u8>>>;

/// The same dice for the same seed: xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % count as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

const BROWSERS: [&str; 5] = ["phone", "laptop", "desk", "kiosk", "tablet"];
const USERS: [&str; 3] = ["ann", "bob", "cay"];

/// What arrived, as the test knows it.
struct Told {
    wire: EventWire,
    subject: SubjectId,
    time: Millis,
    consent: Option<Consent>,
    acts: Vec<Act<SubjectId>>,
}

struct Life {
    house: House,
    acme: Tenant,
    keys: DirectoryKeys,
    dice: Dice,
    told: Vec<Told>,
    erased: Vec<SubjectId>,
    sent: Vec<Value>,
    signals: Signals,
}

impl Life {
    fn begin(seed: u64) -> Self {
        // In one life of three all is folded by subject, in another what waits at a rebuild.
        let together = [u32::MAX, 1, 20][(seed % 3) as usize];
        let house = House::open_with(|config| {
            config.fold_together = together;
            // Some hold more proofs than are looked at together.
            config.acts_together = if seed.is_multiple_of(4) { 2 } else { usize::MAX };
        });
        let acme = house.tenant("Acme");
        let keys = DirectoryKeys::open(&house.config().keys).unwrap();
        let wires: Vec<SignalWire> = serde_json::from_value(bundle()["signals"].clone()).unwrap();
        let signals = Signals::open(&compile_signals(&wires).0).unwrap();
        let dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let (told, erased, sent) = Default::default();
        Self { house, acme, keys, dice, told, erased, sent, signals }
    }

    fn id(&self, visitor: VisitorRef<'_>) -> SubjectId {
        let key = self.keys.workspace_key(self.acme.scope.workspace).unwrap();
        pseudonym(&key, self.acme.scope, visitor)
    }

    fn everybody(&self) -> Vec<SubjectId> {
        let browsers = BROWSERS.map(VisitorRef::Anonymous);
        let users = USERS.map(VisitorRef::User);
        browsers.into_iter().chain(users).map(|visitor| self.id(visitor)).collect()
    }

    /// A moment that nothing happened at, later than all before.
    fn now(&mut self) -> i64 {
        let before = clock::now();
        while clock::now() == before {
            std::thread::yield_now();
        }
        before + 1
    }

    /// Sends a few events, one of them perhaps for the second time.
    fn send(&mut self) {
        let mut batch = Vec::new();
        for _ in 0..=self.dice.below(5) {
            let mut event = self.event();
            if self.dice.below(6) == 0 && !self.sent.is_empty() {
                let place = self.dice.below(self.sent.len());
                event = self.sent[place].clone();
            }
            batch.push(event);
        }
        let call = self.house.post("/v1/events").key(&self.acme.admin_key);
        let reply = call.json(&json!({ "batch": batch })).send();
        assert_eq!(reply.status, 200, "{}", reply.text);
        for (event, result) in batch.into_iter().zip(reply.json()["results"].as_array().unwrap()) {
            self.sent.push(event.clone());
            let wire: EventWire = serde_json::from_value(event).unwrap();
            let wire = ArrivalWire { event: Some(wire), proven: true, ..ArrivalWire::default() };
            let arrival = wire.arrival(true).unwrap();
            let subject = self.id(arrival.subject);
            if result["status"] == "rejected" {
                assert!(self.erased.contains(&subject), "{result}");
                continue;
            }
            let acts = arrival.acts.iter().map(|act| act.map(|who| self.id(who))).collect();
            let (time, consent) = (arrival.time, arrival.consent);
            self.told.push(Told { subject, time, consent, acts, wire: wire.event.unwrap() });
        }
    }

    fn event(&mut self) -> Value {
        let (browser, user) = (self.dice.one(&BROWSERS), self.dice.one(&USERS));
        let message = format!("m{}", self.sent.len() * 8 + self.dice.below(1 << 20) * 4096);
        let mut event = match self.dice.below(12) {
            0..=5 => page(browser, &message, self.dice.one(&["/", "/pricing", "/docs/a"])),
            6 => json!({ "type": "track", "event": "Paid", "userId": user, "messageId": message }),
            7 => {
                json!({ "type": "alias", "userId": user, "previousId": self.dice.one(&USERS), "messageId": message })
            }
            8 => {
                json!({ "type": "alias", "userId": user, "previousId": browser, "messageId": message })
            }
            _ => {
                json!({ "type": "identify", "anonymousId": browser, "userId": user, "messageId": message })
            }
        };
        let now = self.now();
        let late = self.dice.below(3) == 0;
        let before = if late { self.dice.below(10 * 86_400_000) } else { 0 };
        event["timestamp"] = json!(now - before as i64);
        if self.dice.below(8) == 0 {
            event["context"]["consent"] = json!({ "profiling": self.dice.below(3) > 0 });
        }
        event
    }

    fn history(&self) -> History<SubjectId> {
        let arrivals = self.told.iter().map(|told| Arrival {
            message_id: told.wire.message_id.as_deref().unwrap(),
            subject: told.subject,
            time: told.time,
            consent: told.consent,
            acts: told.acts.iter().copied().filter(|act| self.counts(act)).collect(),
        });
        History::of(&arrivals.collect::<Vec<_>>())
    }

    /// Has an administrator merge or part two subjects.
    fn say(&mut self, together: bool) {
        let everybody = self.everybody();
        let (one, other) = (self.dice.one(&everybody), self.dice.one(&everybody));
        let history = self.history();
        let time = self.now();
        let (what, field) = if together { ("merge", "with") } else { ("unmerge", "from") };
        let from = together || self.dice.below(2) == 0;
        let body = if from { json!({ (field): other.to_string() }) } else { json!({}) };
        let call = self.house.post(&format!("/v1/profiles/{one}/{what}"));
        let reply = call.key(&self.acme.admin_key).json(&body).send();
        match reply.status {
            200 => {}
            400 => return assert_eq!(history.people.person(one), history.people.person(other)),
            404 => return,
            status => panic!("{status}: {}", reply.text),
        }
        let act = if together {
            let [person, other] = [one, other].map(|subject| history.people.person(subject));
            Act::Same { person, other }
        } else {
            Act::Apart { one, from: from.then_some(other) }
        };
        let message_id = Some(format!("a{}", self.told.len()));
        let wire = EventWire { message_id, ..EventWire::default() };
        let time = Millis(time);
        self.told.push(Told { wire, subject: one, time, consent: None, acts: vec![act] });
        // What happens at the very moment of an administrator's word is not for a test to know.
        self.now();
    }

    fn erase(&mut self) {
        let everybody = self.everybody();
        let subject = self.dice.one(&everybody);
        let address = format!("/v1/visitors/{subject}");
        let reply = self.house.call("DELETE", &address).key(&self.acme.admin_key).send();
        if reply.status == 404 {
            return;
        }
        let erased = reply.json()["erased"].clone();
        let erased = erased.as_array().unwrap().iter().map(|id| id.as_str().unwrap());
        self.erased.extend(erased.map(|id| id.parse::<SubjectId>().unwrap()));
        assert!(self.erased.contains(&subject));
        let erased = &self.erased;
        self.told.retain(|told| !erased.contains(&told.subject));
    }

    /// Nothing is said of who was erased.
    fn counts(&self, act: &Act<SubjectId>) -> bool {
        let (one, other) = act.names();
        ![Some(one), other].into_iter().flatten().any(|subject| self.erased.contains(&subject))
    }

    /// The profile of everybody, by core alone.
    fn expected(&self) -> Bytes {
        let history = self.history();
        let profile = |places: &Vec<usize>| {
            let mut profile = Profile::new(&self.signals);
            for place in places {
                let Told { wire, time, .. } = &self.told[*place];
                let bytes = wire.encode(*time).unwrap();
                profile.fold(&self.signals, &Event::decode(&bytes).unwrap(), *time);
            }
            profile.encode(&self.signals)
        };
        let of = |subject| history.folds.get(&history.people.person(subject)).map(profile);
        self.everybody().into_iter().map(|subject| (subject, of(subject))).collect()
    }

    fn found(&self) -> Bytes {
        let of = |subject| profile_bytes(self.house.app(), self.acme.scope, subject).unwrap();
        let everybody = self.everybody().into_iter();
        everybody.map(|subject| (subject, of(subject).map(|(_, bytes)| bytes))).collect()
    }

    /// Waits until everybody's profile is as expected.
    fn settle(&self, when: &str) {
        let expected = self.expected();
        let status = || self.house.get("/v1/profiles/status").key(&self.acme.admin_key).send();
        eventually(|| (status().json()["lag"] == 0).then_some(()));
        let start = Instant::now();
        eventually(|| {
            let found = self.found();
            if found != expected && start.elapsed() > Duration::from_secs(15) {
                let people = self.history().people;
                for (subject, bytes) in &expected {
                    let (same, person) = (*bytes == found[subject], people.person(*subject));
                    println!("{subject} is {person}: {}", if same { "right" } else { "wrong" });
                }
                panic!("{when}: the profiles are not what core makes of the list");
            }
            (found == expected).then_some(())
        });
        let mut people: Vec<_> = self.history().folds.keys().map(SubjectId::to_string).collect();
        let listed = self.house.visitors(&self.acme).into_iter();
        let mut listed: Vec<_> =
            listed.map(|visitor| visitor["id"].as_str().unwrap().to_owned()).collect();
        people.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, people, "{when}: one row a person");
    }
}

#[test]
fn whatever_the_order_of_arrival_profiles_are_the_fold_of_the_whole_history() {
    let lives = if std::env::var_os("RAPPORT_SOAK").is_some() { 150 } else { 6 };
    for seed in 1..=lives {
        println!("life {seed}");
        let mut life = Life::begin(seed);
        for step in 0..24 {
            match life.dice.below(20) {
                0..=1 => life.say(true),
                2..=3 => life.say(false),
                4 if step > 8 && seed % 2 == 0 => life.erase(),
                5 => life.settle("under way"),
                _ => life.send(),
            }
        }
        life.settle("live");
        let rebuilt = life.house.post("/v1/profiles/rebuild").key(&life.acme.admin_key).send();
        assert_eq!(rebuilt.status, 200);
        life.settle("rebuilt");
        if seed % 3 == 0 {
            life.house.stop();
            life.house.start();
            life.settle("started again");
        }
    }
}
