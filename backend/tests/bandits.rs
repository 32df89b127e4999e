//! Experiments that learn, over HTTP as hosts and marketers use them: visitors come, are shown what the
//! published weights say, do what they do, and the weights move.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, Reply, Tenant, eventually};
use rapport_core::bandit::Draws;
use rapport_core::experiment::{Asker, Flags};
use rapport_core::targeting::Value as CoreValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36";

/// A server that learns only when it is told to.
fn patient() -> House {
    House::open_with(|config| config.learning = Duration::from_secs(86_400))
}

fn create(house: &House, tenant: &Tenant, kind: &str, key: &str, definition: Value) -> Reply {
    let body = json!({ "key": key, "status": "running", "definition": definition });
    house.post(&format!("/v1/{kind}")).key(&tenant.admin_key).json(&body).send()
}

fn made(house: &House, tenant: &Tenant, kind: &str, key: &str, definition: Value) {
    let reply = create(house, tenant, kind, key, definition);
    assert_eq!(reply.status, 201, "{}", reply.text);
}

/// A goal, a feature, and an experiment on it that learns so.
fn author(house: &House, tenant: &Tenant, bandit: Value) {
    made(house, tenant, "goals", "signup", json!({ "event": "Signed Up" }));
    made(house, tenant, "features", "hero", json!({ "defaultValue": "cold" }));
    let experiment = json!({ "feature": "hero", "variations": ["cold", "warm"], "hashVersion": 2, "bandit": bandit });
    made(house, tenant, "experiments", "headline", experiment);
}

/// The flags that hosts get, once their bandit is of this version.
fn published(house: &House, tenant: &Tenant, version: i64) -> Flags {
    eventually(|| {
        let config = house.get(&format!("/v1/sdk/{}.json", tenant.write_key)).send().json();
        let part = config["parts"]["flags"].as_str()?.to_owned();
        let flags = Flags::open(&house.get(&part).send().bytes).unwrap();
        let told = ask(&flags, "probe", &json!({}), &json!({}));
        (told["experimentResult"]["banditVersion"] == version).then_some(flags)
    })
}

fn ask(flags: &Flags, visitor: &str, attributes: &Value, documents: &Value) -> Value {
    let mut attributes = attributes.clone();
    attributes["id"] = json!(visitor);
    let context = json!({ "attributes": attributes, "stickyBucketAssignmentDocs": documents });
    let context: CoreValue<'_> = serde_json::from_value(context).unwrap();
    serde_json::to_value(Asker::new(&context).feature(flags, "hero")).unwrap()
}

fn learn(house: &House, tenant: &Tenant) -> Value {
    let reply = house.post("/v1/experiments/headline/learn").key(&tenant.admin_key).send();
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

fn results(house: &House, tenant: &Tenant) -> Value {
    eventually(|| {
        let reply = house.get("/v1/experiments/headline/results").key(&tenant.admin_key).send();
        assert_eq!(reply.status, 200, "{}", reply.text);
        let results = reply.json();
        (results["behind"] == 0).then_some(results)
    })
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Visitors of a site: what each is like, what each was shown, and what each remembers.
struct Crowd {
    draws: Draws,
    count: usize,
    shown: Vec<(String, Value, String, Value)>,
    signups: f64,
}

impl Crowd {
    fn new() -> Self {
        Self { draws: Draws::new(11), count: 0, shown: Vec::new(), signups: 0.0 }
    }

    /// So many come, see what the flags say, and sign up as often as `rate` of them and what they saw.
    fn visit(
        &mut self,
        house: &House,
        tenant: &Tenant,
        flags: &Flags,
        visitors: usize,
        rate: impl Fn(&Value, &str) -> f64,
    ) {
        let mut events = Vec::new();
        for _ in 0..visitors {
            let visitor = format!("v{}", self.count);
            self.count += 1;
            let plan = if self.draws.uniform() < 0.5 { "free" } else { "team" };
            let attributes = json!({ "plan": plan, "secret": "nobody's business" });
            let answer = ask(flags, &visitor, &attributes, &json!({}));
            let result = &answer["experimentResult"];
            let variation = result["key"].as_str().unwrap().to_owned();
            let mut properties: Map<String, Value> = ["leafId", "banditVersion"]
                .into_iter()
                .map(|name| (name.to_owned(), result[name].clone()))
                .collect();
            let arm = usize::try_from(result["variationId"].as_u64().unwrap()).unwrap();
            properties.insert("experimentId".to_owned(), json!("headline"));
            properties.insert("variationId".to_owned(), json!(variation));
            properties.insert("propensity".to_owned(), result["variationWeights"][arm].clone());
            if !result["contextAttributes"].is_null() {
                properties.insert("context".to_owned(), result["contextAttributes"].clone());
            }
            let event = |name: &str, properties: Value| {
                json!({ "type": "track", "event": name, "anonymousId": visitor,
                    "messageId": format!("{visitor} {name}"), "properties": properties, "context": { "userAgent": AGENT } })
            };
            events.push(event("Experiment Viewed", json!(properties)));
            let rate = rate(&attributes, &variation);
            if self.draws.uniform() < rate {
                events.push(event("Signed Up", json!({})));
            }
            self.signups += rate;
            let documents = answer["stickyBucketAssignmentDocs"].clone();
            self.shown.push((visitor.clone(), attributes, variation, documents));
        }
        for batch in events.chunks(400) {
            assert_eq!(house.send(tenant, json!(batch))["accepted"], batch.len());
        }
    }
}

#[test]
fn weights_move_to_what_earns_more_and_nobody_changes_sides() {
    let house = patient();
    let acme = house.tenant("Acme");
    author(&house, &acme, json!({ "objective": "signup", "floor": 0.1, "burnIn": 40 }));
    let rate = |_: &Value, variation: &str| if variation == "1" { 0.25 } else { 0.1 };
    let mut crowd = Crowd::new();
    let mut flags = published(&house, &acme, 0);
    crowd.visit(&house, &acme, &flags, 20, rate);
    let lesson = learn(&house, &acme);
    assert!(lesson["unchanged"].as_str().unwrap().contains("40 are needed"), "{lesson}");
    let (mut version, mut weights) = (0, vec![0.5, 0.5]);
    for _ in 0..6 {
        crowd.visit(&house, &acme, &flags, 250, rate);
        let lesson = learn(&house, &acme);
        let leaf = &lesson["weights"]["leaves"][0];
        weights = leaf["weights"].as_array().unwrap().iter().map(number).collect();
        assert!(weights.iter().all(|weight| *weight >= 0.1), "the floor holds: {lesson}");
        let news = lesson["weights"]["version"].as_i64().unwrap();
        assert!(news == version + 1 || news == version && !lesson["unchanged"].is_null());
        version = news;
        flags = published(&house, &acme, version);
    }
    assert!(weights[1] > 0.85, "{weights:?}");
    let uniform = 0.175 * crowd.count as f64;
    assert!(crowd.signups > 1.15 * uniform, "{} and {uniform} of a split", crowd.signups);

    // Whoever was shown something keeps it though the weights moved; without memory some would not.
    let mut moved = 0;
    for (visitor, attributes, variation, documents) in &crowd.shown {
        let again = ask(&flags, visitor, attributes, documents);
        assert_eq!(again["experimentResult"]["key"], *variation, "{again}");
        let forgotten = ask(&flags, visitor, attributes, &json!({}));
        moved += usize::from(forgotten["experimentResult"]["key"] != *variation);
    }
    assert!(moved > 50, "{moved}");

    let told = results(&house, &acme);
    let bandit = &told["bandit"];
    assert_eq!(bandit["history"].as_array().unwrap().len() as i64, version);
    assert_eq!(bandit["visitors"], crowd.count);
    assert_eq!(told["split"]["mismatch"], false, "uneven as it was meant: {}", told["split"]);
    let policy = |name: &str, variation: Value| {
        let all = bandit["offPolicy"].as_array().unwrap();
        all.iter()
            .find(|one| one["policy"] == name && one["variation"] == variation)
            .unwrap()
            .clone()
    };
    for (policy, truth) in [
        (policy("only", json!("1")), 0.25),
        (policy("only", json!("0")), 0.1),
        (policy("equal", Value::Null), 0.175),
        (policy("current", Value::Null), 0.1 * weights[0] + 0.25 * weights[1]),
    ] {
        for estimator in ["ips", "snips", "dm", "dr", "switch", "dros"] {
            let estimate = &policy[estimator];
            let error = number(&estimate["standardError"]).max(0.015);
            let value = number(&estimate["value"]);
            assert!((value - truth).abs() < 3.5 * error, "{estimator} of {policy}: not {truth}");
        }
    }
    let audit = house.get("/v1/audit").key(&acme.admin_key).send().text;
    assert!(audit.contains("experiment.learn"), "{audit}");
}

#[test]
fn leaves_are_learnt_by_what_exposures_carry_and_hosts_follow_them() {
    let house = patient();
    let acme = house.tenant("Acme");
    let bandit = |kind: &str| json!({ "objective": "signup", "kind": kind, "attributes": ["plan"], "floor": 0.05, "burnIn": 50 });
    author(&house, &acme, bandit("leaves"));
    let rate = |attributes: &Value, variation: &str| {
        if (attributes["plan"] == "team") == (variation == "1") { 0.3 } else { 0.1 }
    };
    let mut crowd = Crowd::new();
    let flags = published(&house, &acme, 0);
    crowd.visit(&house, &acme, &flags, 1200, rate);
    let follows = |flags: &Flags| {
        for plan in ["free", "team"] {
            let arms = (0..200).map(|number| {
                let answer =
                    ask(flags, &format!("w{number}"), &json!({ "plan": plan }), &json!({}));
                answer["experimentResult"]["key"] == "1"
            });
            let warm = arms.filter(|warm| *warm).count();
            assert_eq!(warm > 150, plan == "team", "{warm} of 200 {plan}");
            assert_eq!(warm < 50, plan == "free", "{warm} of 200 {plan}");
        }
    };
    let lesson = learn(&house, &acme);
    assert_eq!(lesson["weights"]["leaves"].as_array().unwrap().len(), 2, "{lesson}");
    follows(&published(&house, &acme, 1));

    let path = "/v1/experiments/headline";
    let mut definition = house.get(path).key(&acme.admin_key).send().json()["definition"].clone();
    definition["bandit"] = bandit("linear");
    let edit = |definition: &Value| {
        let call = house.call("PUT", path).key(&acme.admin_key).header("if-match", "*");
        call.json(&json!({ "definition": definition })).send()
    };
    assert_eq!(edit(&definition).status, 200);
    let lesson = learn(&house, &acme);
    if lesson["unchanged"].is_null() {
        follows(&published(&house, &acme, 2));
    }
    definition.as_object_mut().unwrap().remove("bandit");
    let refused = edit(&definition);
    assert_eq!(refused.status, 409, "visitors would be moved: {}", refused.text);
}

#[test]
fn what_is_due_is_learnt_without_anybody_asking() {
    let house = House::open_with(|config| config.learning = Duration::from_millis(50));
    let acme = house.tenant("Acme");
    let bandit = json!({ "objective": "signup", "burnIn": 50, "everyMinutes": 0.001 });
    author(&house, &acme, bandit);
    let mut crowd = Crowd::new();
    let flags = published(&house, &acme, 0);
    let rate = |_: &Value, variation: &str| if variation == "1" { 0.5 } else { 0.1 };
    crowd.visit(&house, &acme, &flags, 300, rate);
    let version = eventually(|| {
        let version = results(&house, &acme)["bandit"]["weights"]["version"].as_i64().unwrap();
        (version > 0).then_some(version)
    });
    assert!(version > 0);
}

#[test]
fn a_rising_score_is_an_objective_too() {
    let house = patient();
    let acme = house.tenant("Acme");
    author(&house, &acme, json!({ "objective": "$score", "burnIn": 50 }));
    let flags = published(&house, &acme, 0);
    let mut crowd = Crowd::new();
    crowd.visit(&house, &acme, &flags, 300, |_, _| 0.0);
    let shown: BTreeMap<_, _> = crowd.shown.iter().map(|one| (&one.0, &one.2)).collect();
    let warm = shown.iter().filter(|(_, variation)| **variation == "1");
    let views: Vec<Value> = warm
        .map(|(visitor, _)| house::page(visitor, &format!("{visitor} looks"), "/pricing"))
        .collect();
    house.send(&acme, json!(views));
    let lesson = eventually(|| {
        let status = house.get("/v1/profiles/status").key(&acme.admin_key).send().json();
        (status["lag"] == 0).then(|| learn(&house, &acme))
    });
    assert!(number(&lesson["weights"]["leaves"][0]["weights"][1]) > 0.9, "{lesson}");
}

#[test]
fn what_cannot_learn_is_refused_where_it_is_authored() {
    let house = patient();
    let acme = house.tenant("Acme");
    author(&house, &acme, json!({ "objective": "signup" }));
    for (bandit, at, reason) in [
        (json!({}), "bandit", "missing field"),
        (json!({ "objective": "signup", "colour": 1 }), "bandit", "unknown field"),
        (json!({ "objective": "nothing" }), "bandit.objective", "there is no goal"),
        (json!({ "objective": "signup", "floor": 0.6 }), "bandit.floor", "at most 0.5"),
        (json!({ "objective": "signup", "floor": 0 }), "bandit.floor", "at least 0.001"),
        (json!({ "objective": "signup", "everyMinutes": 0 }), "bandit.everyMinutes", "more than 0"),
        (json!({ "objective": "signup", "kind": "leaves" }), "bandit.attributes", "by attributes"),
        (
            json!({ "objective": "signup", "kind": "leaves", "attributes": ["$band"] }),
            "bandit.attributes",
            "only $score",
        ),
    ] {
        let definition = json!({ "feature": "hero", "variations": ["a", "b"], "bandit": bandit });
        let reply = create(&house, &acme, "experiments", "wrong", definition);
        assert_eq!(reply.status, 422, "{bandit}: {}", reply.text);
        let errors = reply.json()["errors"].clone();
        assert_eq!(errors[0]["at"], format!("experiments.wrong.{at}"), "{errors}");
        assert!(errors[0]["reason"].as_str().unwrap().contains(reason), "{errors}");
    }
    made(
        &house,
        &acme,
        "experiments",
        "plain",
        json!({ "feature": "hero", "variations": ["a", "b"] }),
    );
    let taught = house.post("/v1/experiments/plain/learn").key(&acme.admin_key).send();
    assert_eq!(
        (taught.status, house.post("/v1/experiments/plain/learn").send().status),
        (409, 401)
    );
}

#[test]
fn a_slot_and_a_page_learn_as_well() {
    let house = patient();
    let acme = house.tenant("Acme");
    made(&house, &acme, "goals", "signup", json!({ "event": "Signed Up" }));
    let text = |text: &str| json!({ "type": "text", "text": text });
    let bandit = json!({ "objective": "signup" });
    let slot = json!({ "slot": "hero", "variations": [text("a"), text("b")], "bandit": bandit });
    made(&house, &acme, "experiences", "greeting", slot);
    let page = json!({ "variations": [{}, { "css": "h1 { color: red }" }], "weights": [0.2, 0.8], "bandit": bandit });
    made(&house, &acme, "experiments", "title", page);
    let flags = eventually(|| {
        let config = house.get(&format!("/v1/sdk/{}.json", acme.write_key)).send().json();
        let bytes = house.get(config["parts"]["flags"].as_str()?).send().bytes;
        Some(Flags::open(&bytes).unwrap()).filter(|flags| !flags.experiments.is_empty())
    });
    let slot = ask(&flags, "v1", &json!({}), &json!({}));
    assert_eq!(slot["experimentResult"]["variationWeights"], json!([0.5, 0.5]), "{slot}");
    let context: CoreValue<'_> =
        serde_json::from_value(json!({ "attributes": { "id": "v1" } })).unwrap();
    let page = serde_json::to_value(Asker::new(&context).experiment(&flags, 0)).unwrap();
    assert_eq!(page["experimentResult"]["variationWeights"], json!([0.2, 0.8]), "{page}");
    assert_eq!(page["experimentResult"]["banditVersion"], 0);
}
