//! Profiles of days that are sealed: folded by subject, and yet what they were live.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Tenant, eventually, page};
use rapport_backend::clock;
use rapport_backend::identity::SubjectId;
use rapport_backend::profiles::profile_bytes;
use serde_json::{Value, json};
use std::path::PathBuf;

type Kept = Vec<(SubjectId, u32, Vec<(i64, u8)>, Vec<u8>)>;

fn profiles(house: &House, tenant: &Tenant) -> Kept {
    let ids = house.visitors(tenant).into_iter().map(|visitor| visitor["id"].clone());
    let mut ids: Vec<SubjectId> = ids.map(|id| id.as_str().unwrap().parse().unwrap()).collect();
    ids.sort_unstable();
    let found = ids.into_iter().map(|id| profile_bytes(house.app(), tenant.scope, id).unwrap());
    found
        .flatten()
        .map(|(stored, bytes)| {
            (stored.subject, stored.events, stored.trail.points().to_vec(), bytes)
        })
        .collect()
}

fn caught_up(house: &House, tenant: &Tenant) {
    let status = || house.get("/v1/profiles/status").key(&tenant.admin_key).send().json();
    eventually(|| (status()["lag"] == 0).then_some(()));
}

/// Events of a day, some of which happened long before, some of visitors who prove who they are.
fn day(number: i64) -> Vec<Value> {
    let event = |index: i64| {
        let visitor = format!("visitor {}", index * 7 % 45);
        let mut event = page(&visitor, &format!("m{number}-{index}"), "/pricing");
        let ago = if index % 11 == 0 { 90_000 } else { 3_000 - number * 600 };
        event["timestamp"] = json!(clock::now() - ago * 1000);
        if index % 17 == number {
            event["type"] = json!("identify");
            event["userId"] = json!(format!("user {}", index % 5));
        }
        event
    };
    (0..150).map(event).collect()
}

/// Makes the only day with a journal one that was so many days ago.
fn put_back(house: &House, days: i64) -> PathBuf {
    let log = house.directory.join("log");
    let journal = |day: &PathBuf| day.join("events.journal").exists();
    let mut hot: Vec<_> = std::fs::read_dir(&log).unwrap().map(|day| day.unwrap().path()).collect();
    hot.sort();
    let newest = hot.into_iter().rfind(journal).unwrap();
    let then = log.join(format!("2026-01-{:02}", 20 - days));
    std::fs::rename(newest, &then).unwrap();
    then
}

#[test]
fn profiles_of_sealed_days_are_rebuilt_to_the_byte() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    let mut days = Vec::new();
    for number in 0..3 {
        // The customer's server sends: what it says of who is who is proved.
        let body = json!({ "batch": day(number) });
        let reply = house.post("/v1/events").key(&acme.admin_key).json(&body).send();
        assert_eq!(reply.json()["accepted"], 150, "{}", reply.text);
        caught_up(&house, &acme);
        if number == 1 {
            let ids: Vec<_> = profiles(&house, &acme).into_iter().map(|(id, ..)| id).collect();
            let address = format!("/v1/profiles/{}/merge", ids[3]);
            let with = json!({ "with": ids[20].to_string() });
            let reply = house.post(&address).key(&acme.admin_key).json(&with).send();
            assert_eq!(reply.status, 200, "{}", reply.text);
            caught_up(&house, &acme);
        }
        house.stop();
        days.push(put_back(&house, 10 - number));
        house.start();
    }
    // With an event of today they are over.
    house.send(&acme, json!([page("today", "m9", "/")]));
    caught_up(&house, &acme);
    let live = profiles(&house, &acme);
    assert!(live.len() > 20 && live.iter().any(|(_, events, ..)| *events > 20), "{}", live.len());
    eventually(|| days.iter().all(|day| !day.join("events.journal").exists()).then_some(()));
    let rebuild = house.post("/v1/profiles/rebuild").key(&acme.admin_key).send().json();
    assert!(rebuild["profiles"].as_u64() >= Some(live.len() as u64), "{rebuild}");
    assert_eq!(profiles(&house, &acme), live);
}
