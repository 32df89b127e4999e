//! Days that a workspace keeps no longer: gone from the log and from what followed from it, at once.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;
#[path = "sealing/power.rs"]
mod power;
#[path = "sealing/written.rs"]
mod written;

use house::{House, Tenant, eventually, page};
use power::{Power, Spared};
use rapport_backend::clock;
use rapport_backend::collect::{Arrival, Batch, write};
use rapport_backend::identity::{Scope, SubjectId};
use rapport_backend::keys::{DirectoryKeys, KeyStore};
use rapport_backend::log::{Appended, DayLog, DayNumber, EventLog, Offset, forgotten, survey};
use serde_json::{Value, json};
use std::sync::Arc;
use written::{DAY, Written};

#[test]
fn a_forgotten_day_is_gone_for_its_workspace_alone() {
    let written = Written::days(4, 60);
    let log = written.sealed();
    let (scope, other) = (written.scopes[0], written.scopes[2]);
    let before = written.all(&log);
    let whom = log.forget(scope, DayNumber(1)).unwrap();
    assert_eq!(whom, (0..5).map(|number| SubjectId([number; 16])).collect::<Vec<_>>());
    drop(log);
    let log = written.open();
    assert_eq!(log.forget(scope, DayNumber(1)).unwrap(), whom, "until it is discarded");
    log.discard(scope).unwrap();
    assert_eq!(log.forget(scope, DayNumber(1)).unwrap(), []);
    drop(log);
    let log = written.open();
    let after = written.all(&log);
    assert_eq!(after.ends, before.ends, "offsets go on");
    assert_eq!(after.held, before.held, "messages are remembered all the same");
    assert_eq!(log.read(scope, Offset(0), 1).unwrap()[0].offset, Offset(21));
    assert_eq!(log.read(other, Offset(0), 1).unwrap()[0].offset, Offset(1));
    assert_eq!(log.forgotten(scope).unwrap(), Offset(20));
    let known = written.draft(scope, 0, 6);
    assert_eq!(log.append(&[known]).unwrap(), [Appended::Duplicate]);
    assert_eq!(forgotten(&written.directory).unwrap(), [(scope, Offset(20))].into());
    let days = survey(&written.directory, |_| Ok(())).unwrap();
    assert!(days.iter().all(|day| day.damage.is_empty()));
    assert_eq!(days[0].scopes.len(), 2);
    // A month later nobody needs the directory of a day that all have forgotten.
    for scope in &written.scopes {
        log.forget(*scope, DayNumber(2)).unwrap();
        log.discard(*scope).unwrap();
    }
    log.append(&[written.draft(scope, 40, 1)]).unwrap();
    log.tidy().unwrap();
    assert!(!written.day(0).exists() && !written.day(1).exists());
    drop(log);
    let ends = written.open().ends().unwrap();
    assert_eq!(ends.iter().find(|(of, _)| *of == other).unwrap().1, Offset(80), "{ends:?}");
}

#[test]
fn a_stop_while_forgetting_leaves_all_of_a_day_or_nothing() {
    let written = Written::days(3, 9);
    drop(written.sealed());
    let scope = written.scopes[0];
    let ends = written.open().ends().unwrap();
    for spared in [Spared::All, Spared::Synced] {
        for steps in 0.. {
            let copy = written.copy();
            let power = Arc::new(Power::for_steps(steps));
            let log = copy.open_on(power.clone());
            let cut = log.forget(scope, DayNumber(1)).and_then(|_| log.discard(scope)).is_err();
            drop(log);
            power.cut(spared);
            let log = copy.open();
            let first = log.read(scope, Offset(0), 1).unwrap()[0].offset;
            assert!(first == Offset(1) || first == Offset(4), "{first:?}");
            assert_eq!(log.ends().unwrap(), ends);
            log.forget(scope, DayNumber(1)).unwrap();
            log.discard(scope).unwrap();
            assert_eq!(log.read(scope, Offset(0), 1).unwrap()[0].offset, Offset(4));
            if !cut {
                assert!(steps > 5);
                break;
            }
        }
    }
}

/// A look at a page, so many days ago.
fn arrived(house: &House, scope: Scope, visits: &[(i64, &str)]) {
    let event = |number, who| page(who, &format!("m{number}"), "/pricing");
    let visits = (0..).zip(visits);
    told(house, scope, visits.map(|(number, (days, who))| (*days, event(number, who))).collect());
}

/// What the customer's server sent, so many days ago.
fn told(house: &House, scope: Scope, events: Vec<(i64, Value)>) {
    let log = DayLog::open(&house.directory).unwrap();
    let keys = DirectoryKeys::open(&house.directory.join("keys")).unwrap();
    for (days, event) in events {
        let key = keys.workspace_key(scope.workspace).unwrap();
        let received_at = clock::now() - days * DAY;
        let arrival = Arrival { server: true, ..Arrival::new(scope, key, received_at) };
        let body = json!({ "batch": [event] }).to_string();
        let batch = Batch::read(body.as_bytes()).unwrap();
        let items = batch.events.iter().map(|raw| arrival.admit(&batch, raw).unwrap().item);
        assert!(write(&log, &keys, vec![items.collect()]).0[0].is_ok());
    }
}

#[test]
fn what_followed_from_a_forgotten_day_goes_with_it_and_a_rebuild_agrees() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    house.stop();
    let visits = [(400, "ann"), (400, "bob"), (400, "bob"), (10, "bob"), (0, "cid")];
    arrived(&house, acme.scope, &visits);
    let old = DayNumber::of(clock::now() - 400 * DAY).to_string();
    house.start();
    let seen = || {
        let visitors = house.visitors(&acme);
        let mut seen: Vec<_> =
            visitors.iter().map(|visitor| visitor["events"].as_u64().unwrap()).collect();
        seen.sort_unstable();
        seen
    };
    eventually(|| (seen() == [1, 1, 3]).then_some(()));
    let old = house.directory.join("log").join(old);
    eventually(|| (!old.join("events.journal").exists()).then_some(()));
    let put = |days: i64| {
        let settings = json!({ "retentionDays": days });
        house.call("PUT", "/v1/settings").key(&acme.admin_key).json(&settings).send().status
    };
    assert_eq!(put(0), 400);
    // What is being sealed is forgotten at the next look.
    eventually(|| {
        assert_eq!(put(395), 204);
        (seen() == [1, 1]).then_some(())
    });
    house.post("/v1/profiles/rebuild").key(&acme.admin_key).send();
    eventually(|| (seen() == [1, 1]).then_some(()));
    let audit = house.get("/v1/audit").key(&acme.admin_key).send().text;
    assert!(audit.contains("retentionDays"), "{audit}");
    let again = house.send(&acme, json!([page("bob", "m3", "/pricing")]));
    assert_eq!(again["results"][0]["status"], "duplicate", "{again}");
}

/// Keeps so many days, and waits until a day that was so long ago is gone.
fn forget(house: &House, tenant: &Tenant, keep: i64, gone: i64) {
    let day = DayNumber::of(clock::now() - gone * DAY).to_string();
    let settings = json!({ "retentionDays": keep });
    eventually(|| {
        let put = house.call("PUT", "/v1/settings").key(&tenant.admin_key).json(&settings).send();
        assert_eq!(put.status, 204, "{}", put.text);
        (!house.directory.join("log").join(&day).exists()).then_some(())
    });
}

fn caught_up(house: &House, tenant: &Tenant) {
    let status = || house.get("/v1/profiles/status").key(&tenant.admin_key).send().json();
    eventually(|| (status()["lag"] == 0).then_some(()));
}

#[test]
fn a_refusal_outlives_the_day_on_which_it_was_said() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    house.stop();
    let said = |who: &str, id: &str, granted: Option<bool>| {
        let mut event = page(who, id, "/pricing");
        if let Some(granted) = granted {
            event["context"]["consent"] = json!({ "profiling": granted });
        }
        event
    };
    let days = vec![
        (400, said("ann", "m1", Some(false))),
        (400, said("bob", "m2", Some(false))),
        (300, said("bob", "m3", Some(true))),
        (10, said("ann", "m4", None)),
        (10, said("bob", "m5", None)),
        (0, said("cid", "m6", None)),
    ];
    told(&house, acme.scope, days);
    house.start();
    let seen = |when: &str, expected: &[u64]| {
        caught_up(&house, &acme);
        let visitors = house.visitors(&acme);
        let mut events: Vec<_> =
            visitors.iter().map(|visitor| visitor["events"].as_u64().unwrap()).collect();
        events.sort_unstable();
        assert_eq!(events, expected, "{when}");
    };
    seen("before", &[1, 2]);
    forget(&house, &acme, 290, 300);
    house.post("/v1/profiles/rebuild").key(&acme.admin_key).send();
    seen("bob took his back, ann did not", &[1, 1]);
    house.send(&acme, json!([said("ann", "m7", None)]));
    seen("ann comes again, unasked", &[1, 1]);
    house.send(&acme, json!([said("ann", "m8", Some(true))]));
    seen("ann agrees", &[1, 1, 1]);
}

#[test]
fn a_proof_of_a_forgotten_day_still_says_whose_the_events_behind_it_are() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    house.stop();
    let identify = |user: &str, id: &str| json!({ "type": "identify", "anonymousId": "browser", "userId": user, "messageId": id });
    let days = vec![
        (400, identify("ann", "m1")),
        (10, page("browser", "m2", "/pricing")),
        (9, page("browser", "m3", "/pricing")),
        (0, identify("ann", "m4")),
    ];
    told(&house, acme.scope, days);
    house.start();
    caught_up(&house, &acme);
    forget(&house, &acme, 395, 400);
    // It turns out that somebody else sat there for a moment.
    let ago = |days: i64| clock::now() - days * DAY;
    let mut late = identify("bob", "m5");
    late["timestamp"] = json!(ago(5));
    let sent =
        house.post("/v1/events").key(&acme.admin_key).json(&json!({ "batch": [late] })).send();
    assert_eq!(sent.json()["accepted"], 1, "{}", sent.text);
    for when in ["live", "rebuilt"] {
        caught_up(&house, &acme);
        let mut people: Vec<_> = house.visitors(&acme);
        people.sort_by_key(|person| person["events"].as_u64());
        let events: Vec<_> = people.iter().map(|person| person["events"].as_u64()).collect();
        assert_eq!(events, [Some(1), Some(3)], "{when}");
        let at = people[0]["lastEvent"]["at"].as_i64().unwrap();
        assert!((ago(6)..ago(4)).contains(&at), "{when}: bob has his own event alone");
        house.post("/v1/profiles/rebuild").key(&acme.admin_key).send();
    }
}
