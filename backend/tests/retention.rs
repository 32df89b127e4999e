//! Days that a workspace keeps no longer: gone from the log and from what followed from it, at once.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;
#[path = "sealing/power.rs"]
mod power;
#[path = "sealing/written.rs"]
mod written;

use house::{House, eventually, page};
use power::{Power, Spared};
use rapport_backend::clock;
use rapport_backend::collect::{Arrival, Batch, write};
use rapport_backend::identity::SubjectId;
use rapport_backend::keys::{DirectoryKeys, KeyStore};
use rapport_backend::log::{Appended, DayLog, DayNumber, EventLog, Offset, forgotten, survey};
use serde_json::json;
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
fn arrived(house: &House, scope: rapport_backend::identity::Scope, visits: &[(i64, &str)]) {
    let log = DayLog::open(&house.directory).unwrap();
    let keys = DirectoryKeys::open(&house.directory.join("keys")).unwrap();
    for (number, (days, who)) in visits.iter().enumerate() {
        let key = keys.workspace_key(scope.workspace).unwrap();
        let arrival = Arrival::new(scope, key, clock::now() - days * DAY);
        let body = json!({ "batch": [page(who, &format!("m{number}"), "/pricing")] }).to_string();
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
