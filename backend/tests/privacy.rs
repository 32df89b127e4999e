//! What is sealed stays sealed, and who is erased is gone.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Tenant, copy, page, scratch};
use rapport_backend::identity::SubjectId;
use rapport_backend::keys::DirectoryKeys;
use rapport_backend::log::{DayLog, EventLog, Offset, Replayed, Sealed, contents};
use serde_json::{Value, json};
use std::path::Path;

const SECRETS: [&str; 5] =
    ["ann@example.com", "Ann Example", "203.0.113.77", "Mozilla/5.0 (Secret)", "token=hunter2"];

fn personal_event() -> Value {
    json!({
        "type": "identify", "anonymousId": "ann", "userId": "ann@example.com", "messageId": "m1",
        "traits": { "name": "Ann Example", "email": "ann@example.com" },
        "context": { "ip": "203.0.113.77", "userAgent": "Mozilla/5.0 (Secret)",
            "page": { "path": "/account", "url": "https://acme.test/account?token=hunter2", "search": "?token=hunter2" } },
    })
}

/// Every file below a directory that holds one of the texts.
fn leaks(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(leaks(&path));
            continue;
        }
        // The database and the log take files away while the server runs.
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            read => read.unwrap(),
        };
        for secret in SECRETS {
            if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
                found.push(format!("{} holds {secret}", path.display()));
            }
        }
    }
    found
}

#[test]
fn no_file_holds_personal_data_in_clear() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([personal_event(), page("ann", "m2", "/pricing")]));
    house.settle(&acme, 2);
    assert_eq!(leaks(&house.directory), Vec::<String>::new(), "while it runs");
    house.stop();
    assert_eq!(leaks(&house.directory), Vec::<String>::new(), "and at rest");
}

#[test]
fn an_erased_visitor_replays_as_an_anonymous_tombstone() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([personal_event()]));
    house.send(&acme, json!([page("bob", "m2", "/pricing")]));
    let visitors = house.settle(&acme, 2);
    let ann =
        visitors.iter().find(|visitor| visitor["lastEvent"]["kind"] == "identify").unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned();
    let erased = house.call("DELETE", &format!("/v1/visitors/{ann}")).key(&acme.admin_key).send();
    assert_eq!(erased.json(), json!({ "erased": [ann] }));
    assert_eq!(house.visitors(&acme).len(), 1, "the profile is gone at once");
    assert_eq!(house.get(&format!("/v1/visitors/{ann}")).key(&acme.admin_key).send().status, 404);
    let again = house.send(&acme, json!([page("ann", "m3", "/")]));
    assert_eq!(again["results"][0]["status"], "rejected", "and does not come back");
    house.post("/v1/profiles/rebuild").key(&acme.admin_key).send();
    assert_eq!(house.visitors(&acme).len(), 1, "not even by a rebuild");
    assert_eq!(
        house.call("DELETE", &format!("/v1/visitors/{ann}")).key(&acme.admin_key).send().status,
        200,
        "asking again is no error"
    );
    house.stop();

    let log = DayLog::open(&house.directory).unwrap();
    let keys = DirectoryKeys::open(&house.directory.join("keys")).unwrap();
    let envelopes = log.read(acme.scope, Offset(0), 10).unwrap();
    assert_eq!(envelopes.len(), 2);
    let replayed: Vec<_> =
        envelopes.into_iter().map(|envelope| contents(&keys, envelope).unwrap()).collect();
    let Replayed::Tombstone { offset, open, .. } = &replayed[0] else { panic!("{replayed:?}") };
    assert_eq!((offset.0, open.kind.as_str()), (1, "identify"));
    let subject: SubjectId = ann.parse().unwrap();
    assert!(
        !format!("{:?}", replayed[0]).contains(&subject.to_string()),
        "a tombstone says nothing about whom"
    );
    assert!(
        matches!(&replayed[1], Replayed::Event(event) if event.sealed.event.anonymous_id.as_deref() == Some("bob"))
    );
}

#[test]
fn a_restored_backup_forgets_again_before_it_serves() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([personal_event()]));
    let ann = house.settle(&acme, 1)[0]["id"].as_str().unwrap().to_owned();
    house.stop();
    let backup = scratch();
    for file in ["log", "profiles.db"] {
        copy(&house.directory.join(file), &backup.join(file));
    }
    house.start();
    house.call("DELETE", &format!("/v1/visitors/{ann}")).key(&acme.admin_key).send();
    house.stop();
    for file in ["log", "profiles.db"] {
        copy(&backup.join(file), &house.directory.join(file));
    }
    house.start();
    assert!(house.visitors(&acme).is_empty());
    house.post("/v1/profiles/rebuild").key(&acme.admin_key).send();
    assert!(house.visitors(&acme).is_empty());
}

/// Ann is erased, and what was backed up before comes back.
fn restored(parts: &[&str]) -> (House, Tenant) {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([personal_event(), page("bob", "m2", "/pricing")]));
    let visitors = house.settle(&acme, 2);
    let is_ann = |visitor: &&Value| visitor["lastEvent"]["kind"] == "identify";
    let ann = visitors.iter().find(is_ann).unwrap()["id"].as_str().unwrap().to_owned();
    house.stop();
    let backup = scratch();
    parts.iter().for_each(|part| copy(&house.directory.join(part), &backup.join(part)));
    house.start();
    house.call("DELETE", &format!("/v1/visitors/{ann}")).key(&acme.admin_key).send();
    house.stop();
    parts.iter().for_each(|part| copy(&backup.join(part), &house.directory.join(part)));
    house.start();
    (house, acme)
}

#[test]
fn erasures_outlive_a_backup_of_all_data_and_one_of_the_keys() {
    let data: &[&str] = &["log", "profiles.db", "records.db"];
    for parts in [data, &["keys"]] {
        let (mut house, acme) = restored(parts);
        assert_eq!(house.visitors(&acme).len(), 1, "{parts:?}: Bob is there, Ann is not");
        house.post("/v1/profiles/rebuild").key(&acme.admin_key).send();
        assert_eq!(house.settle(&acme, 1).len(), 1, "{parts:?}");
        let again = house.send(&acme, json!([page("ann", "m3", "/")]));
        assert_eq!(again["results"][0]["status"], "rejected", "{parts:?}");
        let erasures = house.app().erasures().unwrap();
        assert_eq!(erasures.len(), 1, "{parts:?}: the list is whole again");
        house.stop();
        let log = DayLog::open(&house.directory).unwrap();
        let keys = DirectoryKeys::open(&house.directory.join("keys")).unwrap();
        let envelopes = log.read(acme.scope, Offset(0), 10).unwrap().into_iter();
        let gone = envelopes
            .map(|envelope| contents(&keys, envelope).unwrap())
            .filter(|replayed| matches!(replayed, Replayed::Tombstone { .. }));
        assert_eq!(gone.count(), 1, "{parts:?}");
    }
}

#[test]
fn an_envelope_opens_only_in_its_own_place() {
    let mut house = House::open();
    let (acme, bolt) = (house.tenant("Acme"), house.tenant("Bolt"));
    house.send(&acme, json!([personal_event()]));
    house.send(&bolt, json!([personal_event()]));
    house.stop();
    let log = DayLog::open(&house.directory).unwrap();
    let keys = DirectoryKeys::open(&house.directory.join("keys")).unwrap();
    let ours = log.read(acme.scope, Offset(0), 1).unwrap().remove(0);
    let theirs = log.read(bolt.scope, Offset(0), 1).unwrap().remove(0);
    assert_ne!(ours.draft.subject, theirs.draft.subject);
    let mut moved = ours.clone();
    moved.draft.sealed = theirs.draft.sealed.clone();
    let mut renamed = ours.clone();
    renamed.draft.message_id.push('x');
    let mut touched = ours.clone();
    let Sealed::Alone(sealed) = &mut touched.draft.sealed else { panic!("not sealed alone") };
    *sealed.last_mut().unwrap() ^= 1;
    for (what, envelope) in [("moved", moved), ("renamed", renamed), ("touched", touched)] {
        assert!(contents(&keys, envelope).is_err(), "{what}");
    }
    assert!(contents(&keys, ours).is_ok());
}

#[test]
fn a_key_store_without_its_master_key_says_so() {
    let mut house = House::open();
    house.tenant("Acme");
    house.stop();
    let master = house.directory.join("keys/master.key");
    let kept = std::fs::read_to_string(&master).unwrap();
    std::fs::write(&master, "0".repeat(64)).unwrap();
    assert!(house.try_start_another().unwrap_err().contains("master.key is not the key"));
    std::fs::write(&master, "short").unwrap();
    assert!(house.try_start_another().unwrap_err().contains("64 hexadecimal digits"));
    std::fs::remove_file(&master).unwrap();
    assert!(house.try_start_another().unwrap_err().contains("master.key"));
    std::fs::write(&master, kept).unwrap();
    house.start();
}
