//! Who is who: browsers and people become one and part again, and their profiles follow.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use house::{House, Reply, Tenant, copy, eventually, page, scratch};
use rapport_backend::clock;
use rapport_backend::collect::History;
use rapport_backend::identity::{Actor, SubjectId};
use rapport_backend::keys::{DirectoryKeys, KeyStore, VisitorRef, pseudonym};
use rapport_backend::log::{Consent, DayLog, EventLog};
use rapport_backend::profiles::{Merge, MergeStore, profile_bytes};
use rapport_backend::records::SqliteRecords;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// A house with one workspace.
struct Home {
    house: House,
    acme: Tenant,
    keys: DirectoryKeys,
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

impl Home {
    fn open() -> Self {
        let house = House::open();
        let acme = house.tenant("Acme");
        let keys = DirectoryKeys::open(&house.config().keys).unwrap();
        Self { house, acme, keys }
    }

    fn id(&self, visitor: VisitorRef<'_>) -> SubjectId {
        let scope = self.acme.scope;
        pseudonym(&self.keys.workspace_key(scope.workspace).unwrap(), scope, visitor)
    }

    fn browser(&self, name: &str) -> SubjectId {
        self.id(VisitorRef::Anonymous(name))
    }

    fn user(&self, name: &str) -> SubjectId {
        self.id(VisitorRef::User(name))
    }

    /// Sends as a page does.
    fn send(&self, batch: Value) -> Value {
        self.house.send(&self.acme, batch)
    }

    /// Sends as the customer's server does, whose word is proof.
    fn prove(&self, batch: Value) {
        let call = self.house.post("/v1/events").key(&self.acme.admin_key);
        let reply = call.json(&json!({ "batch": batch })).send();
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    fn caught_up(&self) {
        let status = || self.house.get("/v1/profiles/status").key(&self.acme.admin_key).send();
        eventually(|| (status().json()["lag"] == 0).then_some(()));
    }

    fn get(&self, subject: SubjectId) -> Reply {
        self.house.get(&format!("/v1/visitors/{subject}")).key(&self.acme.admin_key).send()
    }

    /// What the server says of a subject, once it has caught up.
    fn visitor(&self, subject: SubjectId) -> Value {
        self.caught_up();
        self.get(subject).json()
    }

    fn events(&self, subject: SubjectId) -> u64 {
        self.visitor(subject)["events"].as_u64().unwrap_or_default()
    }

    fn listed(&self) -> Vec<String> {
        self.caught_up();
        let visitors = self.house.visitors(&self.acme);
        visitors.iter().map(|visitor| visitor["id"].as_str().unwrap().to_owned()).collect()
    }

    fn bytes(&self, subject: SubjectId) -> Option<Vec<u8>> {
        let found = profile_bytes(self.house.app(), self.acme.scope, subject).unwrap();
        found.map(|(_, bytes)| bytes)
    }

    fn say(&self, subject: SubjectId, what: &str, body: Value) -> Reply {
        let address = format!("/v1/profiles/{subject}/{what}");
        self.house.post(&address).key(&self.acme.admin_key).json(&body).send()
    }

    fn merge(&self, one: SubjectId, with: SubjectId) -> Value {
        let reply = self.say(one, "merge", json!({ "with": with.to_string() }));
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    fn unmerge(&self, one: SubjectId, from: Option<SubjectId>) -> Value {
        let body = from.map_or(json!({}), |from| json!({ "from": from.to_string() }));
        let reply = self.say(one, "unmerge", body);
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    fn rebuild(&self) {
        let call = self.house.post("/v1/profiles/rebuild").key(&self.acme.admin_key);
        assert_eq!(call.send().status, 200);
    }
}

fn at(seconds_ago: i64, mut event: Value) -> Value {
    event["timestamp"] = json!(clock::now() - seconds_ago * 1000);
    event
}

fn identify(browser: &str, user: &str, message: &str) -> Value {
    json!({ "type": "identify", "anonymousId": browser, "userId": user, "messageId": message })
}

fn token(home: &Home, user: &str) -> String {
    let made = home.house.post("/v1/identity-secrets").key(&home.acme.admin_key).send().json();
    let payload = json!({ "sub": user, "exp": clock::now() / 1000 + 60 }).to_string();
    let signed = format!("v1.{}", BASE64_URL_SAFE_NO_PAD.encode(payload));
    let secret = made["secret"].as_str().unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[test]
fn browsers_that_prove_to_be_somebodys_become_that_person_with_all_they_did_before() {
    let home = Home::open();
    let (phone, laptop, ann) = (home.browser("phone"), home.browser("laptop"), home.user("ann"));
    home.send(json!([at(3 * HOUR, page("phone", "m1", "/pricing"))]));
    home.send(json!([at(2 * HOUR, page("laptop", "m2", "/docs")), page("laptop", "m3", "/")]));
    assert_eq!(home.listed().len(), 2);
    let mut proof = at(HOUR, identify("phone", "ann", "m4"));
    proof["token"] = json!(token(&home, "ann"));
    home.send(json!([proof]));
    assert_eq!(home.visitor(phone)["id"], ann.to_string());
    home.prove(json!([at(60, identify("laptop", "ann", "m5"))]));
    home.prove(json!([at(
        50,
        json!({ "type": "track", "event": "Paid", "userId": "ann", "messageId": "m6" })
    )]));
    for id in [phone, laptop, ann] {
        let visitor = home.visitor(id);
        assert_eq!((&visitor["id"], &visitor["events"]), (&json!(ann.to_string()), &json!(6)));
        let mut members = [phone.to_string(), laptop.to_string()];
        members.sort_unstable();
        assert_eq!(visitor["members"], json!(members));
    }
    assert_eq!(home.listed(), [ann.to_string()], "who was absorbed is no row of their own");
    let live = home.bytes(ann);
    home.rebuild();
    assert_eq!((home.bytes(ann), home.listed()), (live, vec![ann.to_string()]));
}

#[test]
fn a_claim_merges_nothing_and_returns_nothing() {
    let home = Home::open();
    home.prove(json!([identify("laptop", "ann", "m1"), page("laptop", "m2", "/pricing")]));
    home.caught_up();
    let claims = json!([
        identify("thief", "ann", "m3"),
        json!({ "type": "alias", "anonymousId": "thief", "previousId": "thief", "userId": "ann", "messageId": "m4" }),
        json!({ "type": "alias", "anonymousId": "thief", "previousId": "ann", "userId": "thief", "messageId": "m5" }),
    ]);
    home.send(claims.clone());
    home.caught_up();
    let body = json!({ "batch": claims, "hints": true });
    let reply = home.house.post("/v1/events").key(&home.acme.write_key).json(&body).send().json();
    assert_eq!(reply["hints"]["events"], 3, "its own three events and no more: {reply}");
    assert_eq!(home.events(home.browser("thief")), 3);
    assert_eq!(home.events(home.user("ann")), 2);
    // Who proves to be one person cannot take another's past with an alias.
    let proof = token(&home, "thief");
    let taking = json!({ "type": "alias", "anonymousId": "thief", "previousId": "ann", "userId": "thief", "messageId": "m6", "token": proof });
    assert_eq!(home.send(json!([taking]))["notes"][0]["code"], "not-proved");
    assert_eq!(home.events(home.user("ann")), 2);
}

#[test]
fn a_browser_that_two_people_use_splits_where_the_second_proves_to_be_there() {
    let home = Home::open();
    let (ann, bob) = (home.user("ann"), home.user("bob"));
    home.prove(json!([
        at(9 * HOUR, page("kiosk", "before", "/")),
        at(8 * HOUR, identify("kiosk", "ann", "i1")),
        at(7 * HOUR, page("kiosk", "ann-1", "/pricing")),
        at(6 * HOUR, identify("kiosk", "bob", "i2")),
        at(5 * HOUR, page("kiosk", "bob-1", "/docs")),
        at(4 * HOUR, identify("kiosk", "ann", "i3")),
    ]));
    assert_eq!((home.events(ann), home.events(bob)), (4, 2));
    assert_eq!(home.visitor(home.browser("kiosk"))["id"], ann.to_string(), "who is there now");
    assert_ne!(home.bytes(ann), home.bytes(bob));
    // A late event is whoever's turn it was.
    home.send(json!([at(5 * HOUR - 1, page("kiosk", "bob-2", "/docs/a"))]));
    assert_eq!((home.events(ann), home.events(bob)), (4, 3));
    let live = [ann, bob].map(|person| home.bytes(person));
    home.rebuild();
    assert_eq!([ann, bob].map(|person| home.bytes(person)), live);
}

#[test]
fn a_merge_may_come_before_the_events_of_either_side_and_in_a_chain_and_in_a_circle() {
    let home = Home::open();
    let alias = |from: &str, to: &str, id: &str| json!({ "type": "alias", "previousId": from, "userId": to, "messageId": id });
    home.prove(json!([
        at(60, identify("laptop", "c", "m1")),
        at(90, alias("a", "b", "m2")),
        at(80, alias("b", "c", "m3")),
        at(70, alias("c", "a", "m4")),
    ]));
    home.send(json!([at(9 * HOUR, page("laptop", "m5", "/pricing"))]));
    home.prove(json!([
        json!({ "type": "track", "event": "Paid", "userId": "a", "messageId": "m6" })
    ]));
    let person = home.visitor(home.user("a"))["id"].clone();
    for id in [home.user("b"), home.user("c"), home.browser("laptop")] {
        assert_eq!(home.visitor(id)["id"], person);
    }
    assert_eq!(home.events(home.user("a")), 6);
    assert_eq!(home.listed().len(), 1);
}

#[test]
fn an_administrator_merges_and_unmerges_and_both_can_be_undone() {
    let home = Home::open();
    let (phone, laptop) = (home.browser("phone"), home.browser("laptop"));
    home.send(json!([
        at(90, page("phone", "m1", "/pricing")),
        at(80, page("laptop", "m2", "/docs"))
    ]));
    home.caught_up();
    let alone = [phone, laptop].map(|id| home.bytes(id));
    let merged = home.merge(phone, laptop);
    assert_eq!(merged, json!({ "id": phone.to_string(), "members": [laptop.to_string()] }));
    assert_eq!((home.events(laptop), home.listed()), (2, vec![phone.to_string()]));
    assert_eq!(home.say(laptop, "merge", json!({ "with": phone.to_string() })).status, 400);
    home.unmerge(laptop, Some(phone));
    home.caught_up();
    assert_eq!([phone, laptop].map(|id| home.bytes(id)), alone, "as if it had never been");
    home.merge(laptop, phone);
    assert_eq!(home.visitor(phone)["id"], home.visitor(laptop)["id"]);
    let audit = home.house.get("/v1/audit").key(&home.acme.admin_key).send().json();
    let actions = audit["entries"].as_array().unwrap().iter().take(3);
    let actions: Vec<_> = actions.map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["profile.merge", "profile.unmerge", "profile.merge"]);
    let nobody = SubjectId([7; 16]);
    assert_eq!(home.say(nobody, "unmerge", json!({})).status, 404);
    assert_eq!(home.say(phone, "merge", json!({ "with": nobody.to_string() })).status, 404);
}

#[test]
fn what_was_undone_stays_undone_until_a_new_proof_comes() {
    let home = Home::open();
    let (laptop, ann) = (home.browser("laptop"), home.user("ann"));
    home.prove(json!([
        at(HOUR, page("laptop", "m1", "/pricing")),
        at(60, identify("laptop", "ann", "m2"))
    ]));
    home.caught_up();
    home.unmerge(laptop, None);
    assert_eq!((home.events(laptop), home.get(ann).status), (2, 404));
    home.prove(json!([at(50, identify("laptop", "ann", "m3"))]));
    assert_eq!(
        home.visitor(laptop)["id"],
        laptop.to_string(),
        "it happened before, and comes late"
    );
    home.rebuild();
    assert_eq!(home.visitor(laptop)["id"], laptop.to_string());
    home.prove(json!([identify("laptop", "ann", "m4")]));
    assert_eq!((home.visitor(laptop)["id"].clone(), home.events(ann)), (json!(ann.to_string()), 4));
}

#[test]
fn a_no_on_one_browser_holds_for_the_person_until_that_browser_takes_it_back() {
    let home = Home::open();
    let ann = home.user("ann");
    let word = |granted: bool, mut event: Value| {
        event["context"]["consent"] = json!({ "profiling": granted });
        event
    };
    home.prove(json!([
        at(90, identify("phone", "ann", "m1")),
        at(80, identify("laptop", "ann", "m2")),
        at(70, word(true, page("laptop", "m3", "/"))),
    ]));
    assert_eq!(home.events(ann), 3);
    home.send(json!([at(60, word(false, page("phone", "m4", "/")))]));
    home.caught_up();
    assert_eq!((home.get(ann).status, home.listed().len()), (404, 0));
    home.send(json!([at(50, word(true, page("laptop", "m5", "/pricing")))]));
    home.caught_up();
    assert_eq!(home.get(ann).status, 404, "the phone still says no");
    home.send(json!([at(40, word(true, page("phone", "m6", "/")))]));
    assert_eq!(home.events(ann), 4, "what happened in between is not folded");
    let live = home.bytes(ann);
    home.rebuild();
    assert_eq!(home.bytes(ann), live);
}

#[test]
fn erasing_a_person_erases_every_browser_and_what_others_had_of_them() {
    let home = Home::open();
    let (phone, kiosk) = (home.browser("phone"), home.browser("kiosk"));
    let (ann, bob) = (home.user("ann"), home.user("bob"));
    home.prove(json!([
        at(90, identify("phone", "ann", "m1")),
        at(80, identify("kiosk", "ann", "m2")),
        at(70, identify("kiosk", "bob", "m3")),
        at(60, identify("desk", "bob", "m4")),
        json!({ "type": "track", "event": "Paid", "userId": "ann", "messageId": "m5" }),
    ]));
    assert_eq!((home.events(ann), home.events(bob)), (3, 2));
    let erase = home.house.call("DELETE", &format!("/v1/visitors/{phone}"));
    let mut erased: Vec<SubjectId> = erase.key(&home.acme.admin_key).send().json()["erased"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().parse().unwrap())
        .collect();
    erased.sort_unstable();
    let mut expected = vec![phone, kiosk, ann];
    expected.sort_unstable();
    assert_eq!(erased, expected);
    for id in expected {
        assert_eq!(home.get(id).status, 404);
    }
    eventually(|| (home.events(bob) == 1).then_some(()));
    let again = home.send(json!([page("phone", "m6", "/")]));
    assert_eq!(again["results"][0]["status"], "rejected");
    home.prove(json!([identify("new", "ann", "m7")]));
    assert_eq!(home.visitor(home.browser("new"))["members"], Value::Null, "nobody is left to be");
    let live = home.bytes(bob);
    home.rebuild();
    assert_eq!((home.bytes(bob), home.listed().len()), (live, 2));
}

#[test]
fn a_browser_whose_pages_forgot_it_is_known_by_its_cookie_and_only_to_be_who_it_was() {
    let home = Home::open();
    let own = home.house.url();
    let send = |batch: Value, cookie: &str| {
        let call = home.house.post("/v1/events").key(&home.acme.write_key);
        let call = call.header("origin", &own).cookie(cookie);
        call.json(&json!({ "batch": batch, "hints": true })).send()
    };
    let cookie = send(json!([page("visitor-before", "m1", "/pricing")]), "a=b");
    let cookie = cookie.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("rapport_vid="), "{cookie}");
    send(json!([identify("visitor-other", "ann", "m2")]), &cookie);
    assert_eq!(home.events(home.browser("visitor-other")), 1, "it proved nothing yet");
    home.prove(json!([identify("visitor-before", "ann", "m3")]));
    home.caught_up();
    send(json!([identify("visitor-after", "bob", "m4")]), &cookie);
    assert_eq!(home.events(home.browser("visitor-after")), 1, "it was not Bob's");
    send(json!([identify("visitor-after", "ann", "m5")]), &cookie);
    assert_eq!(home.visitor(home.browser("visitor-after"))["id"], home.user("ann").to_string());
    let reply = send(json!([identify("visitor-after", "ann", "m5")]), &cookie).json();
    let known = home.bytes(home.user("ann")).unwrap();
    assert_eq!(reply["hints"]["profile"], BASE64_STANDARD.encode(known));
}

#[test]
fn proofs_that_each_page_repeats_are_kept_as_one_until_something_comes_between() {
    let home = Home::open();
    let (ann, bob) = (home.user("ann"), home.user("bob"));
    let database = rusqlite::Connection::open(home.house.directory.join("profiles.db")).unwrap();
    let acts = || -> u32 {
        home.caught_up();
        database.query_row("SELECT count(*) FROM acts", [], |row| row.get(0)).unwrap()
    };
    for (hours, id) in [(9, "i1"), (7, "i2"), (5, "i3"), (3, "i4")] {
        home.prove(json!([at(hours * HOUR, identify("desk", "ann", id))]));
        home.send(json!([at(hours * HOUR - 1800, page("desk", &format!("{id}-page"), "/"))]));
    }
    assert_eq!((acts(), home.events(ann)), (1, 8));
    home.prove(json!([at(6 * HOUR, identify("desk", "ann", "i5"))]));
    assert_eq!((acts(), home.events(ann)), (1, 9), "one more of the same, late");
    home.prove(json!([at(8 * HOUR, identify("desk", "bob", "late"))]));
    // Ann was back at the next page that proved it, not only at the last.
    home.send(json!([
        at(8 * HOUR - 900, page("desk", "m1", "/")),
        at(7 * HOUR - 900, page("desk", "m2", "/"))
    ]));
    assert_eq!((home.events(ann), home.events(bob)), (10, 2));
    let live = [ann, bob].map(|person| home.bytes(person));
    home.rebuild();
    assert_eq!([ann, bob].map(|person| home.bytes(person)), live);
}

#[test]
fn the_live_feed_says_that_a_merge_changed_a_score() {
    let home = Home::open();
    let (phone, ann) = (home.browser("phone"), home.user("ann"));
    home.send(json!([page("phone", "m1", "/pricing")]));
    home.caught_up();
    let address = home.house.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let key = &home.acme.admin_key;
    write!(
        stream,
        "GET /v1/live HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n"
    )
    .unwrap();
    let mut told = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(told.any(|line| line.starts_with("event: snapshot")));
    home.prove(json!([identify("phone", "ann", "m2")]));
    let (mut gone, mut merged) = (false, false);
    while !(gone && merged) {
        let line = told.next().unwrap();
        gone |= line == format!("data: {phone}");
        merged |= line.contains("\"cause\":\"merge\"") && line.contains(&ann.to_string());
    }
}

#[test]
fn whom_nothing_was_published_for_is_erased_as_a_whole_too() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    let keys = DirectoryKeys::open(&house.config().keys).unwrap();
    let home = Home { house, acme, keys };
    home.prove(json!([identify("phone", "ann", "m1"), identify("laptop", "ann", "m2")]));
    let address = format!("/v1/visitors/{}", home.browser("phone"));
    let erased = home.house.call("DELETE", &address).key(&home.acme.admin_key).send().json();
    assert_eq!(erased["erased"].as_array().unwrap().len(), 3);
    let again = home.send(json!([page("laptop", "m3", "/")]));
    assert_eq!(again["results"][0]["status"], "rejected");
}

#[test]
fn what_an_administrator_said_before_a_stop_is_in_the_log_after_the_start() {
    let mut home = Home::open();
    let (phone, laptop) = (home.browser("phone"), home.browser("laptop"));
    home.send(json!([page("phone", "m1", "/"), page("laptop", "m2", "/")]));
    home.caught_up();
    home.house.stop();
    let records = SqliteRecords::open(&home.house.directory).unwrap();
    let merge = Merge {
        scope: home.acme.scope,
        id: "adm_1".to_owned(),
        together: true,
        one: phone,
        other: Some(laptop),
        at: clock::now(),
    };
    records.record_merge(&Actor("key".to_owned()), &merge).unwrap();
    assert_eq!(records.unlogged_merges().unwrap(), [merge]);
    home.house.start();
    assert_eq!(home.events(laptop), 2);
    assert_eq!(records.unlogged_merges().unwrap(), []);
}

#[test]
fn a_restored_backup_forgets_the_whole_person_again() {
    let mut home = Home::open();
    home.prove(json!([identify("phone", "ann", "m1"), identify("laptop", "ann", "m2")]));
    home.caught_up();
    home.house.stop();
    let backup = scratch();
    for file in ["log", "profiles.db"] {
        copy(&home.house.directory.join(file), &backup.join(file));
    }
    home.house.start();
    let address = format!("/v1/visitors/{}", home.browser("phone"));
    home.house.call("DELETE", &address).key(&home.acme.admin_key).send();
    home.house.stop();
    for file in ["log", "profiles.db"] {
        copy(&backup.join(file), &home.house.directory.join(file));
    }
    home.house.start();
    assert!(home.listed().is_empty());
    let database = rusqlite::Connection::open(home.house.directory.join("profiles.db")).unwrap();
    for table in ["acts", "pieces"] {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(database.query_row(&count, [], |row| row.get::<_, u32>(0)).unwrap(), 0);
    }
}

#[test]
fn proofs_on_days_that_were_sealed_count_as_before() {
    let mut home = Home::open();
    home.house.stop();
    let data = home.house.config().data;
    let log = DayLog::open(&data)
        .unwrap()
        .sealing_under(Arc::new(DirectoryKeys::open(&home.house.config().keys).unwrap()));
    let history = History::open(&log, &home.keys, home.acme.scope, Consent::ALL).unwrap();
    let days = [
        vec![at(5 * DAY, page("phone", "m1", "/pricing"))],
        vec![at(4 * DAY, identify("phone", "ann", "m2")), at(4 * DAY, page("kiosk", "m3", "/"))],
        vec![
            at(3 * DAY, identify("kiosk", "bob", "m4")),
            at(3 * DAY - 60, page("kiosk", "m5", "/")),
        ],
        vec![at(1, page("phone", "m6", "/"))],
    ];
    for events in days {
        let items = events.iter().map(|event| {
            let mut item = history.admit(&event.to_string()).unwrap();
            item.draft.received_at = item.draft.event_time;
            item
        });
        history.write(items.collect()).unwrap();
    }
    let journals = || {
        let days = std::fs::read_dir(data.join("log")).unwrap().map(|day| day.unwrap().path());
        days.filter(|day| day.join("events.journal").exists()).count()
    };
    eventually(|| {
        log.tidy().unwrap();
        (journals() <= 2).then_some(())
    });
    drop(log);
    home.house.start();
    let (ann, bob) = (home.user("ann"), home.user("bob"));
    assert_eq!((home.events(ann), home.events(bob)), (3, 3));
    home.unmerge(home.browser("phone"), None);
    assert_eq!((home.events(home.browser("phone")), home.events(bob)), (3, 3));
    let live = home.bytes(bob);
    home.rebuild();
    assert_eq!((home.bytes(bob), home.listed().len()), (live, 2));
}
