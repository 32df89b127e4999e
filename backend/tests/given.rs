//! Signals that only the server sets: who sets them, what they decide, and who learns of them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Tenant, additive, bundle, eventually, page};
use rapport_backend::bundles;
use rapport_backend::identity::{Permit, SubjectId};
use rapport_core::profile::{Profile, SignalWire, Signals, compile_signals};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The demo's bundle with two signals of a CRM, one of them private.
fn with_crm() -> Map<String, Value> {
    let mut bundle = bundle();
    let signals = bundle.get_mut("signals").unwrap().as_array_mut().unwrap();
    signals.push(json!({ "id": 901, "name": "open_deals", "label": "Open deals", "kind": "server",
        "words": { "one": "has an open deal", "other": "has {n} open deals" } }));
    signals.push(json!({ "id": 902, "name": "crm_stage", "label": "Stage", "kind": "server_level", "public": false }));
    bundle
}

/// A model that adds much for each open deal.
fn publish(house: &House, tenant: &Tenant) {
    let models = BTreeMap::from([(
        "buyers".to_owned(),
        additive(&[("open_deals", 1.0), ("page_views", 0.1)]),
    )]);
    bundles::publish(house.app(), &Permit::operator(tenant.scope), with_crm(), &models).unwrap();
}

fn set(house: &House, tenant: &Tenant, visitor: &str, signals: Value) -> house::Reply {
    let path = format!("/v1/profiles/{visitor}/signals");
    house.call("PUT", &path).key(&tenant.admin_key).json(&json!({ "signals": signals })).send()
}

fn hints(house: &House, tenant: &Tenant, event: &Value) -> Value {
    eventually(|| {
        let body = json!({ "hints": true, "batch": [event] });
        let reply = house.post("/v1/events").key(&tenant.write_key).json(&body).send().json();
        reply["hints"]["profile"].is_string().then(|| reply["hints"].clone())
    })
}

#[test]
fn what_a_crm_says_decides_everywhere_and_survives_every_fold() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    publish(&house, &acme);
    let first = page("ann", "m1", "/");
    house.send(&acme, json!([first]));
    let ann = house.settle(&acme, 1)[0]["id"].as_str().unwrap().to_owned();
    let visitor = || house.get(&format!("/v1/visitors/{ann}")).key(&acme.admin_key).send().json();
    let before = visitor()["score"].as_i64().unwrap();
    assert_eq!(hints(&house, &acme, &first)["signals"], json!([[901, null], [902, null]]));

    assert_eq!(set(&house, &acme, &ann, json!({ "open_deals": 3, "902": "customer" })).status, 204);
    let after = eventually(|| visitor()["score"].as_i64().filter(|score| *score > before));
    let level = rapport_core::binary::level_hash("customer");
    let told = hints(&house, &acme, &first);
    assert_eq!(told["signals"], json!([[901, 3.0], [902, f64::from(level)]]));
    let deals = |reasons: &Value| {
        reasons.as_array().unwrap().iter().any(|reason| reason["text"] == "has 3 open deals")
    };
    assert!(deals(&visitor()["reasons"]));
    let body = json!({ "key": acme.write_key, "anonymousId": "ann", "events": [] });
    let decided = house.post("/v1/decide").json(&body).send().json();
    assert_eq!((&decided["score"], deals(&decided["reasons"])), (&json!(after), true));

    // The page opens the same bytes over the same signals, and knows what the server knows.
    let wires: Vec<SignalWire> = serde_json::from_value(with_crm()["signals"].clone()).unwrap();
    let signals = Signals::open(&compile_signals(&wires).0).unwrap();
    let open = |hints: &Value| {
        use base64::Engine;
        let bytes = base64::prelude::BASE64_STANDARD.decode(hints["profile"].as_str().unwrap());
        Profile::open(&bytes.unwrap(), &signals).unwrap()
    };
    let deals_of = |profile: &Profile| {
        let now = rapport_core::event::Millis(0);
        profile.value(&signals, signals.index_of(901).unwrap(), now)
    };
    assert_eq!(deals_of(&open(&told)), 3.0);

    // Another event, a late one, and a rebuild from the log keep it.
    let mut late = page("ann", "m3", "/docs");
    late["timestamp"] = json!(rapport_backend::clock::now() - 3_600_000);
    house.send(&acme, json!([page("ann", "m2", "/"), late]));
    house.settle(&acme, 3);
    assert_eq!(deals_of(&open(&hints(&house, &acme, &first))), 3.0);
    let rebuilt = house.post("/v1/profiles/rebuild").key(&acme.admin_key).send();
    assert_eq!(rebuilt.status, 200);
    assert_eq!(deals_of(&open(&hints(&house, &acme, &first))), 3.0);

    // What is left out stays, what is null is taken back.
    assert_eq!(set(&house, &acme, &ann, json!({ "open_deals": null })).status, 204);
    eventually(|| {
        let signals = &hints(&house, &acme, &first)["signals"];
        (*signals == json!([[901, null], [902, f64::from(level)]])).then_some(())
    });
}

#[test]
fn a_page_sets_nothing_whatever_it_sends() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    publish(&house, &acme);
    let mut forged = page("eve", "m1", "/");
    for (member, value) in [
        ("properties", json!({ "open_deals": 9 })),
        ("traits", json!({ "open_deals": 9 })),
        ("signals", json!([[901, 9]])),
    ] {
        forged[member] = value;
    }
    house.send(&acme, json!([forged]));
    house.settle(&acme, 1);
    assert_eq!(hints(&house, &acme, &forged)["signals"], json!([[901, null], [902, null]]));
    let eve = house.visitors(&acme)[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/profiles/{eve}/signals");
    let by_page = house.call("PUT", &path).key(&acme.write_key).json(&json!({ "signals": {} }));
    assert_eq!(by_page.send().status, 403);
}

#[test]
fn what_cannot_be_set_is_refused_with_a_reason_and_changes_nothing() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    publish(&house, &acme);
    let event = page("ann", "m1", "/");
    house.send(&acme, json!([event]));
    let ann = house.settle(&acme, 1)[0]["id"].as_str().unwrap().to_owned();
    for (signals, reason) in [
        (json!({ "page_views": 7 }), "declares no signal"),
        (json!({ "crm_stage": "customer" }), "declares no signal"),
        (json!({ "": 1 }), "declares no signal"),
        (json!({ "open_deals": "many" }), "a number"),
        (json!({ "open_deals": 1e21 }), "a number"),
        (json!({ "open_deals": [1] }), "a number"),
        (json!({ "902": 7 }), "a level"),
        (json!({ "902": "  " }), "a level"),
        (json!({ "902": "x".repeat(5000) }), "a level"),
        (json!({ "open_deals": 1, "nobody": 1 }), "declares no signal"),
        (json!([1]), "not what this takes"),
    ] {
        let reply = set(&house, &acme, &ann, signals.clone());
        assert_eq!(reply.status, 400, "{signals}");
        assert!(reply.text.contains(reason), "{signals}: {}", reply.text);
    }
    assert_eq!(hints(&house, &acme, &event)["signals"], json!([[901, null], [902, null]]));
    let nobody = SubjectId([7; 16]).to_string();
    assert_eq!(set(&house, &acme, &nobody, json!({ "open_deals": 1 })).status, 404);
}

#[test]
fn what_is_set_stands_in_the_audit_log_without_values_and_goes_with_its_visitor() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    publish(&house, &acme);
    house.send(&acme, json!([page("ann", "m1", "/")]));
    let ann = house.settle(&acme, 1)[0]["id"].as_str().unwrap().to_owned();
    set(&house, &acme, &ann, json!({ "open_deals": 31337, "902": "customer" }));
    let audit = house.get("/v1/audit").key(&acme.admin_key).send().json();
    let entry = &audit["entries"][0];
    assert_eq!((&entry["action"], &entry["object"]), (&json!("visitor.signals"), &json!(ann)));
    assert_eq!(entry["after"], json!({ "signals": [902, 901] }));
    house.call("DELETE", &format!("/v1/visitors/{ann}")).key(&acme.admin_key).send();
    assert_eq!(set(&house, &acme, &ann, json!({ "open_deals": 1 })).status, 404);
}

#[test]
fn what_is_set_of_one_browser_counts_for_the_person_whom_it_proves_to_be_and_parts_again() {
    let house = House::open();
    let acme = house.bare_tenant("Acme");
    publish(&house, &acme);
    let [phone, laptop] = ["phone", "laptop"].map(|id| page(id, id, "/"));
    house.send(&acme, json!([phone]));
    let id = house.settle(&acme, 1)[0]["id"].as_str().unwrap().to_owned();
    set(&house, &acme, &id, json!({ "open_deals": 3 }));
    house.send(&acme, json!([laptop]));
    let deals = |event: &Value, value: Value| {
        eventually(|| (hints(&house, &acme, event)["signals"][0][1] == value).then_some(()));
    };
    deals(&phone, json!(3.0));
    deals(&laptop, Value::Null);
    for id in ["phone", "laptop"] {
        let proof = json!({ "type": "identify", "anonymousId": id, "userId": "u1", "messageId": format!("proof-{id}") });
        let call = house.post("/v1/events").key(&acme.admin_key);
        assert_eq!(call.json(&json!({ "batch": [proof] })).send().status, 200);
    }
    deals(&laptop, json!(3.0));
    // What is set now is the person's, by whichever of the ids it is set.
    set(&house, &acme, &id, json!({ "open_deals": 5 }));
    deals(&laptop, json!(5.0));
    deals(&phone, json!(5.0));
    let apart = house.post(&format!("/v1/profiles/{id}/unmerge")).key(&acme.admin_key);
    let apart = apart.json(&json!({})).send();
    assert!(apart.status < 300, "{}", apart.text);
    deals(&phone, json!(3.0));
    deals(&laptop, json!(5.0));
}
