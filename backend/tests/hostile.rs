//! Too much of everything, and everything again.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::write::GzEncoder;
use house::{House, Tenant, page};
use rapport_backend::profiles::profile_bytes;
use serde_json::{Map, Value, json};
use std::io::Write;

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

#[test]
fn json_that_nests_however_deep_costs_its_event_and_nothing_else() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mut good = 0;
    for deep in [objects(20), objects(1_000), objects(50_000), lists(1_000), lists(200_000)] {
        for place in ["properties", "traits", "context", "integrations", "timestamp", "anonymousId"]
        {
            let rest = if place == "anonymousId" { "" } else { ",\"anonymousId\":\"ann\"" };
            let bad = format!("{{\"type\":\"identify\"{rest},\"{place}\":{deep}}}");
            good += 1;
            let neighbour = page("ann", &format!("good {good}"), "/");
            let reply = post(&house, &acme, format!("{{\"batch\":[{bad},{neighbour}]}}"));
            // What nobody reads may be as deep as it likes.
            let known = place != "integrations";
            let reply = reply.json();
            assert_eq!(reply["accepted"], if known { 1 } else { 2 }, "{place}: {reply}");
            good += i64::from(!known);
        }
        let reply = post(&house, &acme, format!("{{\"batch\":[],\"x\":{deep}}}"));
        assert_eq!(reply.json()["accepted"], 0);
    }
    house.settle(&acme, good as u64);
}

#[test]
fn text_that_is_no_utf_8_is_refused_in_whatever_form_it_comes() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let broken = b"{\"batch\":[{\"type\":\"page\",\"anonymousId\":\"\xff\xfe\"}]}";
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(broken).unwrap();
    let event = &broken[10..broken.len() - 2];
    let form = format!("data={}", BASE64_STANDARD.encode(event));
    let bodies = [
        broken.to_vec(),
        packed.finish().unwrap(),
        form.into_bytes(),
        [b"\xef\xbb\xbf", broken.as_slice()].concat(),
        "{\"batch\":[]}".encode_utf16().flat_map(u16::to_le_bytes).collect(),
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        let reply = house.post("/v1/events").key(&acme.write_key).body(body).send();
        assert_eq!(reply.status, 400, "{number}: {}", reply.text);
    }
    let pixel =
        format!("/v1/pixel.gif?key={}&data={}", acme.write_key, BASE64_STANDARD.encode(event));
    assert_eq!(house.get(&pixel).send().status, 400);
    house.send(&acme, json!([page("ann", "m1", "/")]));
    house.settle(&acme, 1);
}

#[test]
fn a_clock_that_is_wrong_by_days_or_runs_backwards_folds_as_it_is_rebuilt() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let (now, day) = (rapport_backend::clock::now(), 86_400_000);
    let mut sent = 0;
    // Days ahead, days behind, and back again between batches and within one.
    for (number, wrong) in [0, 3, -2, 9, -9, 0, -40, 40].into_iter().enumerate() {
        let clock = now + wrong * day;
        let batch: Vec<_> = [0, -2, 5, -5, 1]
            .into_iter()
            .enumerate()
            .map(|(at, jump)| {
                let mut event = page("ann", &format!("m{number}-{at}"), "/pricing");
                event["timestamp"] = json!(clock + jump * day);
                event
            })
            .collect();
        sent += batch.len() as u64;
        let reply = post(&house, &acme, json!({ "sentAt": clock, "batch": batch }).to_string());
        assert_eq!(reply.json()["accepted"], 5, "{}", reply.text);
        house.settle(&acme, sent);
    }
    let profile = || {
        let id = house.visitors(&acme)[0]["id"].as_str().unwrap().parse().unwrap();
        let (stored, bytes) = profile_bytes(house.app(), acme.scope, id).unwrap().unwrap();
        (stored.first_seen, stored.event_time, stored.trail, bytes)
    };
    let live = profile();
    assert!(live.1 <= rapport_backend::clock::now() + 60_000, "nothing lies in the future");
    assert!(live.0 >= now - 31 * day, "nothing lies before the clamp");
    house.post("/v1/profiles/rebuild").key(&acme.admin_key).send();
    assert_eq!(profile(), live);
}

#[test]
fn a_visitor_cookie_that_was_forged_in_any_part_is_none() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let visit = |visitor: &str, id: &str, cookie: &str| {
        let batch = json!({ "batch": [page(visitor, id, "/")] });
        let call = house.post("/v1/events").key(&acme.write_key).json(&batch);
        call.header("origin", &house.url()).cookie(cookie).send()
    };
    let cookie = visit("visitor-one", "m0", "").header("set-cookie");
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(visit("visitor-new", "m1", cookie).json()["visitor"], "visitor-one");
    let value = cookie.len() - cookie.find('=').unwrap() - 1;
    let start = cookie.len() - value;
    for at in 0..value {
        let mut forged = cookie.as_bytes().to_vec();
        let byte = &mut forged[start + at];
        *byte = if *byte == b'a' { b'b' } else { b'a' };
        let forged = String::from_utf8(forged).unwrap();
        let reply = visit("visitor-new", &format!("flip{at}"), &forged).json();
        assert_eq!(reply.get("visitor"), None, "{forged}");
    }
    let parts: Vec<&str> = cookie[start..].split('.').collect();
    for forged in [
        format!("visitor-two.{}.{}", parts[1], parts[2]),
        format!("{}.99999999999.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.{}.x", parts[0], parts[1], parts[2]),
        String::new(),
    ] {
        let reply = visit("visitor-new", &format!("m{forged}"), &format!("rapport_vid={forged}"));
        assert_eq!(reply.json().get("visitor"), None, "{forged}");
    }
}
