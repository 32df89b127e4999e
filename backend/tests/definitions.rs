//! Audiences, features, experiments, experiences and goals: authored, started, rolled back, shipped,
//! and in the bundle within a second.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Reply, Tenant, eventually};
use rapport_core::experiment::{Asker, Flags};
use rapport_core::targeting::Value as CoreValue;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn create(house: &House, tenant: &Tenant, kind: &str, key: &str, definition: Value) -> Reply {
    let body = json!({ "key": key, "definition": definition });
    house.post(&format!("/v1/{kind}")).key(&tenant.admin_key).json(&body).send()
}

fn made(house: &House, tenant: &Tenant, kind: &str, key: &str, definition: Value) {
    let reply = create(house, tenant, kind, key, definition);
    assert_eq!(reply.status, 201, "{}", reply.text);
}

fn read(house: &House, tenant: &Tenant, path: &str) -> Value {
    let reply = house.get(&format!("/v1/{path}")).key(&tenant.admin_key).send();
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    reply.json()
}

fn set_status(house: &House, tenant: &Tenant, path: &str, status: &str) -> Reply {
    let body = json!({ "status": status });
    house.call("PUT", &format!("/v1/{path}/status")).key(&tenant.admin_key).json(&body).send()
}

/// A feature with an experiment on it that runs.
fn hero(house: &House, tenant: &Tenant) {
    made(house, tenant, "features", "hero", json!({ "defaultValue": "plain" }));
    made(house, tenant, "experiments", "headline", headline());
    let reply = set_status(house, tenant, "experiments/headline", "running");
    assert_eq!(reply.status, 200, "{}", reply.text);
}

fn headline() -> Value {
    json!({ "feature": "hero", "variations": ["plain", "warm"], "weights": [0.5, 0.5],
        "meta": [{ "key": "control" }, { "key": "warm" }], "hashVersion": 2 })
}

/// The flags that pages get.
fn published(house: &House, tenant: &Tenant) -> Option<Flags> {
    let config = house.get(&format!("/v1/sdk/{}.json", tenant.write_key)).send().json();
    let part = config["parts"]["flags"].as_str()?.to_owned();
    let reply = house.get(&part).send();
    assert_eq!(reply.status, 200, "{}", reply.text);
    Some(Flags::open(&reply.bytes).unwrap())
}

/// What a feature is for some visitors.
fn values(flags: &Flags, feature: &str) -> Vec<String> {
    let ids = (0..40).map(|number| {
        let context: CoreValue<'static> =
            serde_json::from_value(json!({ "attributes": { "id": format!("u{number}") } }))
                .unwrap();
        let answer = Asker::new(&context).feature(flags, feature);
        serde_json::to_value(&answer).unwrap()["value"].as_str().unwrap_or_default().to_owned()
    });
    ids.collect()
}

#[test]
fn what_is_authored_is_in_the_signed_bundle_within_a_second() {
    let house = House::open();
    for acme in [house.tenant("Acme"), house.bare_tenant("Bare")] {
        assert!(published(&house, &acme).is_none());
        made(&house, &acme, "features", "hero", json!({ "defaultValue": "plain" }));
        made(&house, &acme, "experiments", "headline", headline());
        assert_eq!(set_status(&house, &acme, "experiments/headline", "running").status, 200);
        let split = eventually(|| {
            let flags = published(&house, &acme)?;
            let values = values(&flags, "hero");
            values.iter().any(|value| value == "warm").then_some(values)
        });
        assert!(split.iter().any(|value| value == "plain"), "{split:?}");
        // On a busy machine one change or another may take longer.
        let quickest = (0..8).map(|round| {
            let start = Instant::now();
            made(&house, &acme, "features", &format!("f{round}"), json!({ "defaultValue": "new" }));
            eventually(|| {
                let flags = published(&house, &acme)?;
                (values(&flags, &format!("f{round}"))[0] == "new").then_some(start.elapsed())
            })
        });
        let quickest = quickest.min().unwrap();
        assert!(quickest < Duration::from_secs(1), "{quickest:?}");
    }
}

#[test]
fn publishing_a_bundle_keeps_the_flags_and_the_flags_keep_the_bundle() {
    let house = House::open();
    let acme = house.tenant("Acme");
    hero(&house, &acme);
    eventually(|| published(&house, &acme));
    house.publish(&acme, 0.9);
    let manifest = read(&house, &acme, "bundles/current")["manifest"].as_str().unwrap().to_owned();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let mut kinds: Vec<_> = manifest["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["kind"].as_str().unwrap())
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["flags", "model", "signals", "words"]);
    assert_eq!(set_status(&house, &acme, "experiments/headline", "stopped").status, 200);
    eventually(|| {
        let flags = published(&house, &acme)?;
        values(&flags, "hero").iter().all(|value| value == "plain").then_some(())
    });
    let config = house.get(&format!("/v1/sdk/{}.json", acme.write_key)).send().json();
    assert!(config["parts"]["decision"].is_string(), "{config}");
}

#[test]
fn an_edit_names_the_revision_that_it_replaces() {
    let house = House::open();
    let acme = house.tenant("Acme");
    made(&house, &acme, "features", "hero", json!({ "defaultValue": 1 }));
    let edit = |tag: Option<&str>, value: i64| {
        let call = house.call("PUT", "/v1/features/hero").key(&acme.admin_key);
        let call = match tag {
            Some(tag) => call.header("if-match", tag),
            None => call,
        };
        call.json(&json!({ "definition": { "defaultValue": value } })).send()
    };
    assert_eq!(edit(None, 2).status, 428);
    let reply = edit(Some("\"1\""), 2);
    assert_eq!((reply.status, reply.header("etag").as_str()), (200, "\"2\""), "{}", reply.text);
    let late = edit(Some("\"1\""), 3);
    assert_eq!(
        (late.status, late.json()["type"].as_str()),
        (412, Some("urn:rapport:problem:stale"))
    );
    assert_eq!(edit(Some("nonsense"), 3).status, 400);
    assert_eq!(edit(Some("*"), 3).status, 200);

    let rollback = house
        .post("/v1/features/hero/rollback")
        .key(&acme.admin_key)
        .json(&json!({ "revision": 1 }))
        .send();
    assert_eq!(rollback.status, 200, "{}", rollback.text);
    let all = read(&house, &acme, "features/hero/revisions");
    let values: Vec<_> = all["definitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["revision"].as_i64().unwrap(), one["definition"]["defaultValue"].clone()))
        .collect();
    assert_eq!(values, [(4, json!(1)), (3, json!(3)), (2, json!(2)), (1, json!(1))]);
    let audit = read(&house, &acme, "audit");
    let actions: Vec<_> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["object"] == "feature hero")
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["feature.roll_back", "feature.edit", "feature.edit", "feature.create"]);
}

#[test]
fn of_editors_who_come_at_once_one_gets_through() {
    let house = House::open();
    let acme = house.tenant("Acme");
    made(&house, &acme, "features", "hero", json!({ "defaultValue": 1 }));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let edits: Vec<_> = (0..6)
            .map(|number| {
                let (house, acme) = (&house, &acme);
                scope.spawn(move || {
                    house
                        .call("PUT", "/v1/features/hero")
                        .key(&acme.admin_key)
                        .header("if-match", "\"1\"")
                        .json(&json!({ "definition": { "defaultValue": number } }))
                        .send()
                        .status
                })
            })
            .collect();
        edits.into_iter().map(|edit| edit.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 5, "{statuses:?}");
}

#[test]
fn the_winner_becomes_what_everybody_gets() {
    let house = House::open();
    let acme = house.tenant("Acme");
    hero(&house, &acme);
    let ship = |path: &str, variation: &str| {
        house
            .post(&format!("/v1/experiments/{path}/ship"))
            .key(&acme.admin_key)
            .json(&json!({ "variation": variation }))
            .send()
    };
    assert_eq!(ship("headline", "cold").status, 404);
    let reply = ship("headline", "warm");
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(read(&house, &acme, "experiments/headline")["status"], "stopped");
    assert_eq!(read(&house, &acme, "features/hero")["definition"]["defaultValue"], "warm");
    eventually(|| {
        let flags = published(&house, &acme)?;
        values(&flags, "hero").iter().all(|value| value == "warm").then_some(())
    });

    let changes = json!({ "urlPatterns": [{ "type": "simple", "pattern": "/pricing" }],
        "variations": [{}, { "domMutations": [{ "selector": "h1", "action": "set", "attribute": "html", "value": "Hi" }] }] });
    let long = format!("2026.q4:{}", "title".repeat(15));
    made(&house, &acme, "experiments", &long, changes.clone());
    assert_eq!(set_status(&house, &acme, &format!("experiments/{long}"), "running").status, 200);
    let reply = ship(&long, "1");
    assert_eq!(reply.status, 200, "{}", reply.text);
    let called = format!("experiences/2026-q4-{}", &"title".repeat(15)[..56]);
    assert_eq!(read(&house, &acme, &called)["status"], "running");

    made(&house, &acme, "experiments", "title", changes);
    assert_eq!(ship("title", "1").status, 409, "a draft has no winner");
    assert_eq!(set_status(&house, &acme, "experiments/title", "running").status, 200);
    let reply = ship("title", "1");
    assert_eq!(reply.status, 200, "{}", reply.text);
    let experience = read(&house, &acme, "experiences/title");
    assert_eq!(experience["status"], "running");
    assert_eq!(experience["definition"]["changes"]["domMutations"][0]["value"], "Hi");
}

/// Which of `words` some visitors read in a slot; none where it is left as it is.
fn read_in(flags: &Flags, slot: &str) -> Vec<Option<String>> {
    let texts = (0..40).map(|number| {
        let context: CoreValue<'static> = serde_json::from_value(
            json!({ "attributes": { "id": format!("u{number}"), "country": "AT" } }),
        )
        .unwrap();
        let answer = serde_json::to_value(Asker::new(&context).feature(flags, slot)).unwrap();
        answer["value"]["text"].as_str().map(str::to_owned)
    });
    texts.collect()
}

#[test]
fn of_an_experience_the_winner_is_what_all_see_whom_it_is_for() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let text = |text: &str| json!({ "type": "text", "text": text });
    made(&house, &acme, "audiences", "dach", json!({ "condition": { "country": "AT" } }));
    made(&house, &acme, "goals", "signup", json!({ "event": "Signed Up" }));
    let autumn = json!({ "slot": "hero", "audience": "dach", "cap": { "times": 3 }, "goals": ["signup"],
        "variations": [null, text("warm"), text("hot")], "meta": [{ "key": "none" }, { "key": "warm" }, { "key": "hot" }],
        "coverage": 0.8, "bandit": { "objective": "signup" } });
    made(&house, &acme, "experiences", "autumn", autumn);
    let call = |path: &str, body: Value| {
        house.post(&format!("/v1/experiences/{path}")).key(&acme.admin_key).json(&body).send()
    };
    let ship = |key: &str, variation: &str| {
        call(&format!("{key}/ship"), json!({ "variation": variation }))
    };
    assert_eq!(ship("autumn", "warm").status, 409, "a draft has no winner");
    assert_eq!(set_status(&house, &acme, "experiences/autumn", "running").status, 200);
    let split = eventually(|| {
        let seen = read_in(&published(&house, &acme)?, "hero");
        ["warm", "hot"].iter().all(|word| seen.contains(&Some((*word).to_owned()))).then_some(seen)
    });
    assert!(split.contains(&None), "some are left as they are");

    assert_eq!(ship("autumn", "cold").status, 404);
    let reply = ship("autumn", "warm");
    assert_eq!(reply.status, 200, "{}", reply.text);
    let shipped = &reply.json()["definitions"][0];
    assert_eq!(
        (&shipped["status"], &shipped["definition"]["shipped"]),
        (&json!("running"), &json!("warm"))
    );
    eventually(|| {
        let flags = published(&house, &acme)?;
        let all = read_in(&flags, "hero").iter().all(|seen| seen.as_deref() == Some("warm"));
        let for_others = values(&flags, "hero").iter().all(String::is_empty);
        let capped = flags.experiences[0].cap.is_some_and(|cap| cap.times == 3.0);
        (all && for_others && capped).then_some(())
    });
    let results = read(&house, &acme, "experiences/autumn/results");
    assert_eq!(results["goals"][0]["key"], "signup", "what it tested can still be read: {results}");
    assert_eq!(call("autumn/learn", json!({})).status, 409, "there is nothing to choose");

    let undone = call("autumn/rollback", json!({ "revision": 2 }));
    assert_eq!(undone.status, 200, "{}", undone.text);
    let again = eventually(|| {
        let seen = read_in(&published(&house, &acme)?, "hero");
        seen.contains(&None).then_some(seen)
    });
    assert_eq!(again, split, "everybody is back where they were");
    let audit = read(&house, &acme, "audit");
    let of_autumn: Vec<_> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["object"] == "experience autumn")
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        of_autumn,
        ["experience.roll_back", "experience.ship", "experience.start", "experience.create"]
    );

    let reply = ship("autumn", "none");
    assert_eq!(reply.json()["definitions"][0]["status"], "stopped", "{}", reply.text);
    let misspelt = json!({ "slot": "hero", "variations": [text("a"), text("b")], "shipped": "c" });
    let reply = create(&house, &acme, "experiences", "other", misspelt);
    assert_eq!(reply.json()["errors"][0]["at"], "experiences.other.shipped", "{}", reply.text);
}

#[test]
fn changes_of_pages_and_redirects_are_shipped_like_any_other() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let set = json!([{ "selector": "h1", "action": "set", "attribute": "html", "value": "Hi" }]);
    let where_ = json!([{ "type": "simple", "pattern": "/pricing" }]);
    for (key, winner) in [
        ("title", json!({ "domMutations": set })),
        ("move", json!({ "urlRedirect": "https://acme.example/offer" })),
    ] {
        let definition = json!({ "urlPatterns": where_, "variations": [{}, winner] });
        made(&house, &acme, "experiences", key, definition);
        assert_eq!(set_status(&house, &acme, &format!("experiences/{key}"), "running").status, 200);
        let reply = house
            .post(&format!("/v1/experiences/{key}/ship"))
            .key(&acme.admin_key)
            .header("if-match", "\"2\"")
            .json(&json!({ "variation": "1" }))
            .send();
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    let changes = |flags: &Flags, visitor: usize, page: &str| {
        let url = format!("https://acme.example{page}");
        let context = json!({ "attributes": { "id": format!("u{visitor}") }, "url": url });
        let context: CoreValue<'static> = serde_json::from_value(context).unwrap();
        let all = serde_json::to_value(Asker::new(&context).all(flags)).unwrap();
        let changes = all["changes"].as_array().unwrap().iter();
        changes.map(|one| one["result"]["value"].clone()).collect::<Vec<_>>()
    };
    let flags = eventually(|| {
        let flags = published(&house, &acme)?;
        (changes(&flags, 0, "/pricing").len() == 2).then_some(flags)
    });
    for visitor in 0..40 {
        let shown = changes(&flags, visitor, "/pricing");
        let has = |name: &str| shown.iter().any(|one| one.get(name).is_some());
        assert!(has("domMutations") && has("urlRedirect"), "{visitor}: {shown:?}");
        assert!(changes(&flags, visitor, "/").is_empty(), "only where it was tested");
    }
}

#[test]
fn a_life_goes_only_where_it_leads() {
    let house = House::open();
    let acme = house.tenant("Acme");
    hero(&house, &acme);
    let go = |status: &str| set_status(&house, &acme, "experiments/headline", status).status;
    assert_eq!(go("running"), 409);
    assert_eq!(go("draft"), 409);
    assert_eq!(go("sideways"), 400);
    for gone in ["stopped", "archived"] {
        let reply = set_status(&house, &acme, "features/hero", gone);
        assert_eq!(reply.status, 422, "{}", reply.text);
        assert_eq!(reply.json()["errors"][0]["at"], "experiments.headline.feature");
    }
    let moved = house
        .call("PUT", "/v1/experiments/headline")
        .key(&acme.admin_key)
        .header("if-match", "*")
        .json(&json!({ "definition": { "feature": "hero", "variations": ["plain", "warm"], "weights": [0.1, 0.9],
            "meta": [{ "key": "control" }, { "key": "warm" }], "hashVersion": 2 } }))
        .send();
    assert_eq!(moved.status, 409, "nobody changes sides: {}", moved.text);
    let ramped = headline()
        .as_object()
        .unwrap()
        .clone()
        .into_iter()
        .chain([("coverage".to_owned(), json!(0.4))]);
    let ramped = house
        .call("PUT", "/v1/experiments/headline")
        .key(&acme.admin_key)
        .header("if-match", "*")
        .json(&json!({ "definition": ramped.collect::<serde_json::Map<_, _>>() }))
        .send();
    assert_eq!(ramped.status, 200, "a ramp is welcome: {}", ramped.text);
    for (status, code) in
        [("stopped", 200), ("running", 200), ("archived", 200), ("running", 409), ("draft", 200)]
    {
        assert_eq!(go(status), code, "{status}");
    }
    assert_eq!(create(&house, &acme, "experiments", "headline", headline()).status, 409);
    assert_eq!(house.get("/v1/experiments/nothing").key(&acme.admin_key).send().status, 404);
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_changes_nothing() {
    let house = House::open();
    let acme = house.tenant("Acme");
    made(&house, &acme, "features", "hero", json!({ "defaultValue": 1 }));
    let split = |more: Value| {
        let mut split = json!({ "feature": "hero", "variations": [1, 2] });
        more.as_object().unwrap().iter().for_each(|(name, value)| split[name] = value.clone());
        split
    };
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let cases = [
        ("experiments", split(json!({ "weights": [0.5, 0.2] })), "experiments.x", "0.7"),
        (
            "experiments",
            split(json!({ "condition": { "a": { "$like": 1 } } })),
            "experiments.x.condition.a.$like",
            "nobody knows",
        ),
        (
            "experiments",
            split(json!({ "condition": { "a": { "$regex": "(?=x)" } } })),
            "experiments.x.condition.a.$regex",
            "",
        ),
        (
            "experiments",
            split(json!({ "ranges": [[0, 0.6], [0.5, 1]] })),
            "experiments.x",
            "overlap",
        ),
        ("experiments", split(json!({ "variations": [1] })), "experiments.x", "two variations"),
        ("experiments", split(json!({ "feature": "nowhere" })), "experiments.x.feature", "nowhere"),
        ("experiments", split(json!({ "goals": ["none"] })), "experiments.x.goals", "none"),
        ("experiments", split(json!({ "audience": "none" })), "experiments.x.audience", "none"),
        (
            "experiments",
            split(json!({ "wieghts": [1] })),
            "experiments.x.wieghts",
            "no such member",
        ),
        ("experiments", split(json!({ "coverage": "half" })), "experiments.x.coverage", "a number"),
        ("experiments", split(json!({ "variations": deep })), "experiments.x.variations", "deeper"),
        (
            "experiments",
            split(json!({ "parentConditions": [{ "id": "hero", "condition": {} }] })),
            "experiments.x.parentConditions.0.id",
            "itself",
        ),
        (
            "features",
            json!({ "defaultValue": 1, "rules": [{ "parentConditions": [{ "id": "x", "condition": { "value": true } }] }] }),
            "features.x.rules.0.parentConditions.0.id",
            "itself",
        ),
        ("features", json!({ "rules": [] }), "features.x.defaultValue", "needs it"),
        (
            "audiences",
            json!({ "condition": { "a": { "$wat": 1 } } }),
            "audiences.x.condition.a.$wat",
            "nobody knows",
        ),
        ("goals", json!({}), "goals.x.event", "either"),
        ("goals", json!({ "event": "Paid", "windowDays": 0 }), "goals.x.windowDays", "more than 0"),
        ("experiences", json!({ "slot": "a", "changes": {} }), "experiences.x", ""),
        (
            "experiments",
            json!({ "variations": [{}, { "js": "alert(1)" }] }),
            "experiments.x.variations",
            "`js`",
        ),
        (
            "experiences",
            json!({ "changes": { "domMutations": [{ "selector": "a", "action": "set", "attribute": "onclick", "value": "x()" }] } }),
            "experiences.x",
            "",
        ),
    ];
    for (kind, definition, at, says) in cases {
        let reply = create(&house, &acme, kind, "x", definition.clone());
        assert_eq!(reply.status, 422, "{definition}: {}", reply.text);
        let errors = reply.json()["errors"].as_array().unwrap().clone();
        let there = errors.iter().find(|error| error["at"] == at);
        let there = there.unwrap_or_else(|| panic!("{definition}: {}", reply.text));
        assert!(there["reason"].as_str().unwrap().contains(says), "{}", reply.text);
        assert_eq!(house.get(&format!("/v1/{kind}/x")).key(&acme.admin_key).send().status, 404);
    }
}

#[test]
fn a_circle_of_features_is_refused_where_it_closes() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let after = |parent: &str| json!({ "defaultValue": true, "rules": [{ "force": false, "parentConditions": [{ "id": parent, "condition": { "value": true } }] }] });
    made(&house, &acme, "features", "a", json!({ "defaultValue": true }));
    made(&house, &acme, "features", "b", after("a"));
    made(&house, &acme, "features", "c", after("b"));
    let reply = house
        .call("PUT", "/v1/features/a")
        .key(&acme.admin_key)
        .header("if-match", "*")
        .json(&json!({ "definition": after("c") }))
        .send();
    assert_eq!(reply.status, 422, "{}", reply.text);
    assert!(reply.text.contains("features.a.rules.0.parentConditions.0.id"), "{}", reply.text);
}

#[test]
fn hostile_names_and_sizes_are_refused_at_the_door() {
    let house = House::open();
    let acme = house.tenant("Acme");
    for key in ["", "__proto__", "constructor", "a b", "../x", "ä", "a\u{0}", &"x".repeat(101)] {
        let reply = create(&house, &acme, "features", key, json!({ "defaultValue": 1 }));
        assert_eq!(reply.status, 400, "{key:?}: {}", reply.text);
    }
    let huge =
        format!(r#"{{"key":"x","definition":{{"defaultValue":"{}"}}}}"#, "x".repeat(10 << 20));
    let call =
        house.post("/v1/features").key(&acme.admin_key).header("content-type", "application/json");
    assert_eq!(call.body(huge).send().status, 413);
    let nested = format!(
        r#"{{"key":"x","definition":{{"defaultValue":{}1{}}}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let call =
        house.post("/v1/features").key(&acme.admin_key).header("content-type", "application/json");
    assert_eq!(call.body(nested).send().status, 400);
    for body in
        ["[]", "{}", r#"{"key":1,"definition":{}}"#, r#"{"key":"a","definition":[]}"#, "\u{0}"]
    {
        let call =
            house.post("/v1/goals").key(&acme.admin_key).header("content-type", "application/json");
        assert_eq!(call.body(body).send().status, 400, "{body}");
    }
}

#[test]
fn after_a_stop_what_was_not_published_yet_is() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    hero(&house, &acme);
    house.stop();
    house.start();
    eventually(|| {
        let flags = published(&house, &acme)?;
        values(&flags, "hero").iter().any(|value| value == "warm").then_some(())
    });
}
