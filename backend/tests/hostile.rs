//! Too much of everything, and everything again.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Tenant, page};
use serde_json::{Map, Value, json};

fn track(visitor: &str, id: &str, properties: Map<String, Value>) -> Value {
    json!({ "type": "track", "event": "x", "anonymousId": visitor, "messageId": id, "properties": properties })
}

fn names(range: std::ops::Range<usize>) -> Map<String, Value> {
    range.map(|number| (format!("property number {number}"), json!(number))).collect()
}

fn post(house: &House, tenant: &Tenant, body: String) -> house::Reply {
    house.post("/v1/events").key(&tenant.write_key).body(body).send()
}

#[test]
fn an_event_of_ten_megabytes_is_refused_and_one_of_half_a_megabyte_by_its_length() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let event = |size: usize| {
        let mut event = page("ann", &format!("m{size}"), "/");
        event["properties"] = json!({ "text": "x".repeat(size) });
        json!({ "batch": [event, page("ann", &format!("good {size}"), "/")] }).to_string()
    };
    // Clients that look for an answer only when they have sent everything find it.
    assert_eq!(post(&house, &acme, event(10 << 20)).status, 413);
    assert_eq!(post(&house, &acme, event(1 << 20)).status, 413);
    let reply = post(&house, &acme, event(400 << 10)).json();
    assert_eq!(
        (&reply["rejected"][0]["code"], &reply["accepted"]),
        (&json!("beyond-limit"), &json!(1))
    );
    house.settle(&acme, 1);
}

#[test]
fn a_hundred_thousand_names_of_properties_cost_their_events_and_nobody_else() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let at_once = json!({ "batch": [track("ann", "m1", names(0..100_000))] }).to_string();
    assert_eq!(post(&house, &acme, at_once).status, 413);
    let many = json!({ "batch": [track("ann", "m2", names(0..10_000)), page("ann", "m3", "/")] });
    let reply = post(&house, &acme, many.to_string()).json();
    assert_eq!(
        (&reply["rejected"][0]["code"], &reply["accepted"]),
        (&json!("too-many-fields"), &json!(1))
    );
    let mut sent = 1;
    for batch in 0..10 {
        let events: Vec<_> = (batch * 100..(batch + 1) * 100)
            .map(|event| track("ann", &format!("n{event}"), names(event * 100..(event + 1) * 100)))
            .collect();
        for half in events.chunks(50) {
            let reply = post(&house, &acme, json!({ "batch": half }).to_string());
            assert_eq!(reply.json()["accepted"], half.len(), "{}", reply.text);
            sent += half.len();
        }
    }
    house.settle(&acme, sent as u64);
}

#[test]
fn a_batch_that_is_replayed_counts_once_from_whomever_it_comes() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let batch = json!({ "sentAt": "2026-01-01T00:00:00Z", "batch": [page("ann", "m1", "/"), page("ann", "m2", "/pricing")] });
    let replies: Vec<Value> = std::thread::scope(|scope| {
        let sent: Vec<_> =
            (0..8).map(|_| scope.spawn(|| post(&house, &acme, batch.to_string()).json())).collect();
        sent.into_iter().map(|sent| sent.join().unwrap()).collect()
    });
    let total = |name: &str| replies.iter().map(|reply| reply[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((total("accepted"), total("duplicates")), (2, 14));
    house.settle(&acme, 2);
}

#[test]
fn events_of_kinds_and_versions_that_nobody_knows_are_named() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let event = |kind: Value| json!({ "type": kind, "anonymousId": "ann" });
    let batch = [json!("dance"), json!(""), json!("PAGE"), json!("x".repeat(5000))].map(event);
    let reply = post(&house, &acme, json!({ "batch": batch }).to_string());
    assert!(reply.text.len() < 2000, "what was sent is not sent back: {}", reply.text);
    let codes: Vec<_> = reply.json()["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note["code"].clone())
        .collect();
    assert_eq!(codes, vec![json!("unknown-type"); 4]);
    let newer = json!({ "schemaVersion": 2, "batch": [page("ann", "m1", "/")] });
    assert_eq!(post(&house, &acme, newer.to_string()).status, 400);
    let current = json!({ "schemaVersion": 1, "batch": [page("ann", "m1", "/")] });
    assert_eq!(post(&house, &acme, current.to_string()).json()["accepted"], 1);
}

#[test]
fn who_only_says_that_they_are_somebody_gets_nothing_of_them() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let ask = |event: Value| {
        let body = json!({ "hints": true, "batch": [event] });
        post(&house, &acme, body.to_string()).json()
    };
    let boss = json!({ "type": "track", "event": "Paid", "userId": "boss@example.com", "messageId": "m1" });
    house.send(&acme, json!([boss, page("browser-of-the-boss", "m2", "/pricing")]));
    house.settle(&acme, 2);
    let claim = |id: &str, visitor: Option<&str>| {
        let mut event =
            json!({ "type": "identify", "userId": "boss@example.com", "messageId": id });
        if let Some(visitor) = visitor {
            event["anonymousId"] = json!(visitor);
        }
        ask(event)
    };
    assert_eq!(claim("m3", None).get("hints"), None);
    let events = |ask: &dyn Fn() -> Value| house::eventually(|| ask()["hints"]["events"].as_i64());
    assert_eq!(events(&|| claim("m4", Some("thief"))), 1, "only what the thief did");
    let guess = events(&|| ask(page("browser-of-the-bosS", "m5", "/")));
    assert_eq!(guess, 1, "a guess is somebody new");
    let visitors = house.settle(&acme, 5);
    assert_eq!(visitors.len(), 4, "and nobody was merged with anybody");
}
