//! From events over HTTP to what came of an experiment: effects, splits that are no accident, and who
//! does not count.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Tenant, eventually};
use rapport_backend::experiments::{Kind, ensure};
use rapport_backend::identity::{Permit, Role};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36";

/// So many minutes ago.
fn ago(minutes: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap() - minutes * 60_000
}

fn track(visitor: &str, event: &str, minutes: i64, properties: Value) -> Value {
    json!({ "type": "track", "event": event, "anonymousId": visitor, "messageId": format!("{visitor} {event} {minutes}"),
        "timestamp": ago(minutes), "properties": properties, "context": { "userAgent": AGENT } })
}

fn exposure(visitor: &str, experiment: &str, variation: &str, minutes: i64) -> Value {
    track(
        visitor,
        "Experiment Viewed",
        minutes,
        json!({ "experimentId": experiment, "variationId": variation }),
    )
}

fn page(visitor: &str, path: &str, minutes: i64) -> Value {
    json!({ "type": "page", "anonymousId": visitor, "messageId": format!("{visitor} {path} {minutes}"),
        "timestamp": ago(minutes), "context": { "page": { "path": path }, "userAgent": AGENT } })
}

fn send(house: &House, tenant: &Tenant, events: &[Value]) {
    for batch in events.chunks(400) {
        let reply = house.send(tenant, json!(batch));
        assert_eq!(reply["accepted"], batch.len(), "{reply}");
    }
}

/// The results once everything that was sent is in profiles and results.
fn results(house: &House, tenant: &Tenant, experiment: &str) -> Value {
    eventually(|| {
        let status = house.get("/v1/profiles/status").key(&tenant.admin_key).send().json();
        let path = format!("/v1/experiments/{experiment}/results");
        let reply = house.get(&path).key(&tenant.admin_key).send();
        assert_eq!(reply.status, 200, "{}", reply.text);
        let results = reply.json();
        (status["lag"] == 0 && results["behind"] == 0).then_some(results)
    })
}

fn near(value: &Value, expected: f64) {
    let value = value.as_f64().unwrap();
    assert!((value - expected).abs() < 1e-9, "{value} instead of {expected}");
}

fn author(house: &House, tenant: &Tenant) {
    let definitions = [
        (Kind::Goal, "signup", json!({ "event": "Signed Up", "windowDays": 7 })),
        (Kind::Goal, "revenue", json!({ "event": "Order Completed", "value": "revenue" })),
        (Kind::Goal, "thanks", json!({ "page": "/thanks*" })),
        (Kind::Feature, "hero", json!({ "defaultValue": "cold" })),
        (
            Kind::Experiment,
            "headline",
            json!({ "feature": "hero", "variations": ["cold", "warm"],
            "meta": [{ "key": "c" }, { "key": "w" }], "goals": ["signup", "revenue", "thanks"] }),
        ),
        (
            Kind::Experiment,
            "detour",
            json!({ "urlPatterns": [{ "type": "simple", "pattern": "/pricing" }],
            "variations": [{}, { "urlRedirect": "https://acme.example/pricing-new?x=1" }], "goals": ["signup"] }),
        ),
    ];
    ensure(house.app(), &Permit::operator(tenant.scope), &definitions).unwrap();
}

/// So many people an arm, of whom every second looked at pricing before; of those so many signed up.
fn people(each: usize, signups: [usize; 2]) -> Vec<Value> {
    let mut events = Vec::new();
    for (arm, key) in ["c", "w"].into_iter().enumerate() {
        for number in 0..each {
            let visitor = format!("{key}{number}");
            if number % 2 == 0 {
                events.push(page(&visitor, "/pricing", 30));
            }
            events.push(exposure(&visitor, "headline", key, 20));
            if number % 2 == 0 && number / 2 < signups[arm] {
                events.push(track(&visitor, "Signed Up", 10, json!({})));
                events.push(track(&visitor, "Order Completed", 9, json!({ "revenue": 20.5 })));
            }
        }
    }
    events
}

#[test]
fn a_known_effect_is_found_as_it_was_made_and_again_after_a_rebuild() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    author(&house, &acme);
    let mut events = people(800, [100, 150]);
    // None of this counts: before the exposure, again, of another experiment, of nobody in it.
    events.push(track("c1", "Signed Up", 25, json!({})));
    events.push(track("c0", "Signed Up", 5, json!({})));
    events.push(exposure("c0", "headline", "c", 5));
    events.push(exposure("c3", "elsewhere", "1", 5));
    events.push(track("nobody", "Signed Up", 5, json!({})));
    send(&house, &acme, &events);
    let results_before = results(&house, &acme, "headline");
    let told = &results_before;
    assert_eq!(
        (&told["visitors"], &told["split"]["mismatch"]),
        (&json!(1600), &json!(false)),
        "{told}"
    );
    let goal = |number: usize| &told["goals"][number];
    let signup = goal(0);
    let arm = |goal: &Value, number: usize| goal["variations"][number].clone();
    assert_eq!(
        (&arm(signup, 0)["conversions"], &arm(signup, 1)["conversions"]),
        (&json!(100), &json!(150))
    );
    assert_eq!(arm(signup, 0)["effect"], Value::Null, "the control is compared with nothing");
    let effect = arm(signup, 1)["effect"].clone();
    // Both arms had the same scores before: adjusting changes how well the lift is known, not the lift.
    assert_eq!(signup["adjusted"], true, "{told}");
    near(&effect["lift"], 0.5);
    let [low, high] = [0, 1].map(|end| effect["interval"][end].as_f64().unwrap());
    let unadjusted =
        1.96 * (0.125 * 0.875 / 800.0 * 2.25 + 0.1875 * 0.8125 / 800.0_f64).sqrt() / 0.125;
    assert!(
        low > 0.0 && high - low < 2.0 * unadjusted,
        "{low}..{high}, without scores ±{unadjusted}"
    );
    assert!(effect["chanceToWin"].as_f64().unwrap() > 0.99, "{effect}");
    assert!(effect["pValue"].as_f64().unwrap() < 0.01, "{effect}");
    assert!(effect["sequentialPValue"].as_f64().unwrap() > effect["pValue"].as_f64().unwrap());
    assert!(effect["pValueOfMany"].as_f64().unwrap() >= effect["pValue"].as_f64().unwrap());
    let revenue = goal(1);
    near(&arm(revenue, 0)["total"], 2050.0);
    near(&arm(revenue, 1)["mean"], 150.0 * 20.5 / 800.0);
    near(&arm(revenue, 1)["effect"]["lift"], 0.5);
    let thanks = arm(goal(2), 1);
    assert!(thanks["noEffect"].as_str().unwrap().contains("no variance"), "{thanks}");

    house.stop();
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(house.directory.join(format!("results.db{end}")));
    }
    house.start();
    assert_eq!(results(&house, &acme, "headline"), results_before);
}

#[test]
fn a_split_that_is_no_accident_is_told_with_its_cause() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let settings = json!({ "automatedBrowsers": true });
    let changed = house.call("PUT", "/v1/settings").key(&acme.admin_key).json(&settings).send();
    assert_eq!(changed.status, 204);
    author(&house, &acme);
    let mut events = Vec::new();
    for number in 0..600 {
        events.push(exposure(&format!("a{number}"), "detour", "0", 20));
        let redirected = format!("b{number}");
        if number < 450 {
            events.push(exposure(&redirected, "detour", "1", 20));
        }
        events.push(page(&redirected, "/pricing-new", 19));
    }
    for number in 0..500 {
        events.push(exposure(&format!("c{number}"), "headline", "c", 20));
        events.push(exposure(&format!("w{number}"), "headline", "w", 20));
    }
    for number in 0..150 {
        let mut robot = exposure(&format!("robot{number}"), "headline", "w", 20);
        robot["context"]["userAgent"] = json!("Mozilla/5.0 HeadlessChrome/126.0");
        events.push(robot);
    }
    events.push(exposure("both", "headline", "c", 20));
    events.push(exposure("both", "headline", "w", 19));
    send(&house, &acme, &events);
    let detour = results(&house, &acme, "detour");
    assert_eq!(detour["split"]["mismatch"], true, "{detour}");
    assert_eq!(detour["split"]["causes"], json!(["redirect-loss"]));
    assert_eq!(detour["variations"][1]["lost"], 150);
    let headline = results(&house, &acme, "headline");
    assert_eq!(
        (&headline["split"]["mismatch"], &headline["split"]["causes"]),
        (&json!(true), &json!(["bots"])),
        "{headline}"
    );
    assert_eq!(
        (&headline["excluded"]["bots"], &headline["excluded"]["severalVariations"]),
        (&json!(150), &json!(1))
    );
    assert_eq!(headline["visitors"], 1000, "neither robots nor who saw both count");
}

#[test]
fn staff_do_not_count_by_cookie_address_or_domain() {
    let house = House::open();
    let acme = house.tenant("Acme");
    author(&house, &acme);
    let shown = |visitor: &str| exposure(visitor, "headline", "c", 20);
    let mut mail = json!({ "type": "identify", "anonymousId": "colleague", "messageId": "m1", "traits": { "email": "Ann@Acme.example" }, "context": { "userAgent": AGENT } });
    send(&house, &acme, &[shown("guest"), shown("colleague"), shown("boss")]);
    mail["timestamp"] = json!(ago(1));
    send(&house, &acme, &[mail]);
    let count = |staff: Value, visitors: u64, excluded: u64| {
        let settings = json!({ "staff": staff });
        let changed = house.call("PUT", "/v1/settings").key(&acme.admin_key).json(&settings).send();
        assert_eq!(changed.status, 204, "{}", changed.text);
        let results = results(&house, &acme, "headline");
        assert_eq!(
            (&results["visitors"], &results["excluded"]["staff"]),
            (&json!(visitors), &json!(excluded)),
            "{staff}"
        );
    };
    count(json!({}), 3, 0);
    count(json!({ "emailDomains": ["acme.example"] }), 2, 1);
    count(json!({ "emailDomains": ["example"] }), 3, 0);
    count(json!({ "networks": ["192.0.2.0/24"] }), 3, 0);
    count(json!({ "networks": ["127.0.0.0/8"] }), 0, 3);
    count(json!({ "cookies": ["works_here"] }), 3, 0);
    let body = json!({ "batch": [page("boss", "/", 1)] });
    let sent = house
        .post("/v1/events")
        .key(&acme.write_key)
        .cookie("a=b; works_here=1")
        .json(&body)
        .send();
    assert_eq!(sent.status, 200, "{}", sent.text);
    count(json!({ "cookies": ["works_here"] }), 2, 1);
    let wrong = json!({ "staff": { "networks": ["nonsense"] } });
    assert_eq!(
        house.call("PUT", "/v1/settings").key(&acme.admin_key).json(&wrong).send().status,
        400
    );
}

#[test]
fn what_a_person_does_elsewhere_counts_and_who_is_erased_is_gone() {
    let house = House::open();
    let acme = house.tenant("Acme");
    author(&house, &acme);
    send(
        &house,
        &acme,
        &[exposure("ann", "headline", "w", 20), exposure("bob", "headline", "c", 20)],
    );
    let server = house.key(acme.scope, Role::Developer);
    let told = json!({ "batch": [
        { "type": "identify", "anonymousId": "ann", "userId": "ann@x", "messageId": "m1", "timestamp": ago(15) },
        { "type": "track", "event": "Signed Up", "userId": "ann@x", "messageId": "m2", "timestamp": ago(10) },
    ] });
    assert_eq!(house.post("/v1/events").key(&server).json(&told).send().status, 200);
    let before = results(&house, &acme, "headline");
    assert_eq!(before["goals"][0]["variations"][1]["conversions"], 1, "{before}");
    let visitors = house.visitors(&acme);
    let ann = visitors
        .iter()
        .find(|visitor| visitor["members"].as_array().is_some_and(|members| !members.is_empty()));
    let path = format!("/v1/visitors/{}", ann.unwrap()["id"].as_str().unwrap());
    assert_eq!(house.call("DELETE", &path).key(&acme.admin_key).send().status, 200);
    let after = results(&house, &acme, "headline");
    assert_eq!(
        (&after["visitors"], &after["goals"][0]["variations"][1]["conversions"]),
        (&json!(1), &json!(0))
    );
}
