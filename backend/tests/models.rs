//! Models that customers bring, from their file to the scores that people see.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use house::{House, Reply, Tenant, additive, bundle, eventually, model, page};
use rapport_backend::models::Engines;
use rapport_core::model::{BroughtModel, Model, Runtime};
use rapport_core::profile::{Profile, SignalWire, Signals, compile_signals};
use rapport_core::scoring::{Scorer, ScorerFault};
use serde_json::{Value, json};
use std::sync::Arc;

/// A WebAssembly scorer of `pricing_views` and `page_views` that answers `answer`.
fn guest(answer: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
            (func (export "score") (param $row i32) (param $length i32) (result f64) {answer}))"#
    ))
    .unwrap()
}

/// 0.2, and 0.1 more for each look at pricing, up to 0.9.
const HONEST: &str = "(f64.min (f64.const 0.9) (f64.add (f64.const 0.2) (f64.mul (f64.const 0.1)
    (select (f64.load (local.get $row)) (f64.const 0) (f64.gt (f64.load (local.get $row)) (f64.const 0))))))";
/// As the honest one, but it gives up at the first look at pricing.
const TRAPS: &str =
    "(if (f64.gt (f64.load (local.get $row)) (f64.const 0)) (then (unreachable))) (f64.const 0.2)";

fn card(name: &str) -> Value {
    json!({
        "name": name, "bands": { "not_below": 0.25, "qualified_from": 0.45 },
        "signals": [{ "name": "pricing_views", "missing": 0 }, { "name": "page_views", "missing": 0 }],
        "background": [[0, 1], [1, 4]],
    })
}

fn post(house: &House, tenant: &Tenant, path: &str, body: &Value) -> Reply {
    house.post(path).key(&tenant.admin_key).json(body).send()
}

fn add(house: &House, tenant: &Tenant, card: Value, file: &[u8]) -> Reply {
    let body = json!({ "card": card, "file": BASE64_STANDARD.encode(file) });
    post(house, tenant, "/v1/models", &body)
}

/// Adds and promotes.
fn bring(house: &House, tenant: &Tenant, name: &str, file: &[u8]) -> Value {
    let added = add(house, tenant, card(name), file);
    assert_eq!(added.status, 201, "{}", added.text);
    let promoted = post(house, tenant, &format!("/v1/models/{name}/promote"), &json!({}));
    assert_eq!(promoted.status, 200, "{}", promoted.text);
    promoted.json()
}

fn add_native(house: &House, tenant: &Tenant, file: &[u8]) -> i64 {
    let body = json!({ "file": BASE64_STANDARD.encode(file) });
    let added = post(house, tenant, "/v1/models", &body);
    assert_eq!(added.status, 201, "{}", added.text);
    added.json()["version"].as_i64().unwrap()
}

fn decide(house: &House, tenant: &Tenant, browser: &str) -> Value {
    let body = json!({ "anonymousId": browser });
    let reply = house.post("/v1/decide").key(&tenant.write_key).json(&body).send();
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

#[test]
fn a_question_may_say_the_profile_the_time_and_how_many_reasons() {
    let house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([page("ann", "m1", "/pricing")]));
    house.settle(&acme, 1);
    bring(&house, &acme, "theirs", &guest(HONEST));
    let ask = |question: Value| {
        let reply = house.post("/v1/decide").key(&acme.admin_key).json(&question).send();
        (reply.status, reply.json())
    };
    // An empty profile stands for what the server knows, and what the log holds counts again on top.
    let declared: Vec<SignalWire> = serde_json::from_value(bundle()["signals"].clone()).unwrap();
    let signals = Signals::open(&compile_signals(&declared).0).unwrap();
    let empty = BASE64_STANDARD.encode(Profile::new(&signals).encode(&signals));
    let score = |question: Value| ask(question).1["score"].clone();
    assert_eq!(score(json!({ "anonymousId": "ann" })), 30);
    assert_eq!(score(json!({ "anonymousId": "ann", "profile": empty })), 20);
    let again = json!([page("ann", "m1", "/pricing")]);
    assert_eq!(score(json!({ "anonymousId": "ann", "events": again })), 30);
    assert_eq!(score(json!({ "anonymousId": "ann", "events": again, "profile": empty })), 30);
    let (_, said) = ask(json!({ "anonymousId": "ann", "reasons": 0, "now": 1_795_435_200_000.0 }));
    assert_eq!((&said["reasons"], &said["asOf"]), (&json!([]), &json!(1_795_435_200_000_i64)));
    for damaged in ["?", "AAAA"] {
        let (status, said) = ask(json!({ "anonymousId": "ann", "profile": damaged }));
        assert_eq!(status, 400);
        assert!(said["detail"].as_str().unwrap().contains("none of this bundle"), "{said}");
    }
}

fn list(house: &House, tenant: &Tenant) -> Value {
    house.get("/v1/models").key(&tenant.admin_key).send().json()
}

fn adds_up(score: &Value) {
    let points: i64 = score["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["points"].as_i64().unwrap())
        .sum();
    let whole = score["base"].as_i64().unwrap() + points + score["rest"].as_i64().unwrap();
    assert_eq!(whole, score["score"].as_i64().unwrap(), "{score}");
}

#[test]
fn a_webassembly_scorer_scores_wherever_a_trained_model_does_until_it_is_rolled_back() {
    let house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([page("ann", "m1", "/pricing"), page("ann", "m2", "/pricing")]));
    let before = house.settle(&acme, 2)[0].clone();
    assert!(before.get("scoredBy").is_none(), "{before}");

    let added = add(&house, &acme, card("theirs"), &guest(HONEST));
    assert_eq!(added.status, 201, "{}", added.text);
    let added = added.json();
    assert_eq!((&added["kind"], &added["state"]), (&json!("wasm"), &json!("added")));
    assert_eq!(added["scoreInPage"], "edge");
    let checked = post(&house, &acme, "/v1/models/1/check", &json!({})).json();
    assert_eq!((&checked["ok"], &checked["scores"]), (&json!(true), &json!([20, 30])), "{checked}");
    assert_eq!(checked["bands"], json!(["not", "undecided"]));
    assert_eq!(decide(&house, &acme, "ann")["score"], before["score"], "adding changes nothing");

    let promoted = post(&house, &acme, "/v1/models/theirs/promote", &json!({})).json();
    assert_eq!((&promoted["live"], &promoted["was"]), (&json!(1), &Value::Null));
    let decided = decide(&house, &acme, "ann");
    assert_eq!((&decided["score"], &decided["band"]), (&json!(40), &json!("undecided")));
    assert_eq!(decided["scoredBy"], "theirs");
    assert!(decided.get("fault").is_none());
    assert!(decided["reasons"][0]["error"].is_number(), "{decided}");
    assert!(!decided["reasons"][0]["text"].as_str().unwrap().is_empty());
    adds_up(&decided);
    let listed = house.visitors(&acme);
    assert_eq!((&listed[0]["score"], &listed[0]["scoredBy"]), (&json!(40), &json!("theirs")));
    // Stored scores follow: how the score moved is told by the model that is live.
    eventually(|| {
        let trail = house.visitors(&acme)[0]["trail"].clone();
        (trail.as_array()?.last()?[1] == 40).then_some(())
    });

    let config = house.get(&format!("/v1/sdk/{}.json", acme.write_key)).send().json();
    for part in ["decision", "frame", "brought"] {
        assert!(config["parts"].get(part).is_none(), "pages ask the server: {config}");
    }
    let status = house.get("/v1/profiles/status").key(&acme.admin_key).send().json();
    assert!(status["brought"]["asked"].as_u64().unwrap() > 0);
    assert_eq!(status["brought"]["faults"], json!({}));

    let back = post(&house, &acme, "/v1/models/rollback", &json!({})).json();
    assert_eq!((&back["live"], &back["was"]), (&Value::Null, &json!(1)));
    let after = decide(&house, &acme, "ann");
    assert_eq!(after["score"], before["score"]);
    assert!(after.get("scoredBy").is_none());
    let models = list(&house, &acme);
    assert_eq!(models["models"][0]["state"], "retired");
    let history: Vec<_> =
        models["history"].as_array().unwrap().iter().map(|one| one["action"].clone()).collect();
    assert_eq!(history, ["promote", "rollback"]);
    let audit = house.get("/v1/audit").key(&acme.admin_key).send().json();
    let audit = audit["entries"].as_array().unwrap().clone();
    for action in ["model.add", "model.promote", "model.rollback"] {
        assert!(audit.iter().any(|entry| entry["action"] == action), "{action}");
    }
}

#[test]
fn a_fault_costs_its_call_and_says_why_and_who_answered() {
    let house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([page("ann", "m1", "/pricing"), page("bob", "m2", "/blog")]));
    house.settle(&acme, 2);
    let own = decide(&house, &acme, "ann");
    let trap = json!({ "background": [[0, 1]] });
    let mut theirs = card("theirs");
    theirs["background"] = trap["background"].clone();
    assert_eq!(add(&house, &acme, theirs, &guest(TRAPS)).status, 201);
    assert_eq!(post(&house, &acme, "/v1/models/1/promote", &json!({})).status, 200);

    let ann = decide(&house, &acme, "ann");
    assert_eq!((&ann["scoredBy"], &ann["fault"]), (&json!("buyers"), &json!("trap")));
    assert_eq!((&ann["score"], &ann["reasons"]), (&own["score"], &own["reasons"]));
    let bob = decide(&house, &acme, "bob");
    assert_eq!((&bob["scoredBy"], &bob["score"]), (&json!("theirs"), &json!(20)));
    assert!(bob.get("fault").is_none());
    let faults = list(&house, &acme)["brought"]["faults"].clone();
    assert!(faults["trap"].as_u64().unwrap() > 0, "{faults}");
}

#[test]
fn the_fallback_is_the_native_model_that_was_live_last() {
    let house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([page("ann", "m1", "/pricing")]));
    house.settle(&acme, 1);
    let native = add_native(&house, &acme, &additive(&[("pricing_views", 3.0)]));
    let promoted = post(&house, &acme, &format!("/v1/models/{native}/promote"), &json!({}));
    assert_eq!(promoted.status, 200, "{}", promoted.text);
    let trained = decide(&house, &acme, "ann");
    assert!(trained.get("scoredBy").is_none(), "a trained model needs no mention");
    let config = house.get(&format!("/v1/sdk/{}.json", acme.write_key)).send().json();
    assert!(config["parts"]["decision"].is_string(), "pages score by it themselves");

    let moved = bring(&house, &acme, "theirs", &guest("(f64.const 0.2)"));
    assert_eq!(moved["fallback"], native);
    let states: Vec<_> = list(&house, &acme)["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["state"].clone())
        .collect();
    assert_eq!(states, ["fallback", "live"]);

    // Where nothing native is, points that are built in answer.
    let bolt = house.bare_tenant("Bolt");
    let mut only = bundle();
    only.insert("models".to_owned(), json!([]));
    let publish = json!({ "bundle": only });
    assert_eq!(post(&house, &bolt, "/v1/bundles", &publish).status, 201);
    let mut theirs = card("theirs");
    theirs["background"] = json!([[0, 1]]);
    assert_eq!(add(&house, &bolt, theirs, &guest(TRAPS)).status, 201);
    assert_eq!(post(&house, &bolt, "/v1/models/theirs/promote", &json!({})).status, 200);
    house.send(&bolt, json!([page("ann", "m1", "/pricing")]));
    house.settle(&bolt, 1);
    let decided = decide(&house, &bolt, "ann");
    assert_eq!((&decided["scoredBy"], &decided["fault"]), (&json!("built-in"), &json!("trap")));
    assert!(decided["score"].as_u64().unwrap() > 0);
    adds_up(&decided);
}

#[test]
fn what_is_promoted_stays_live_when_a_bundle_is_published_and_refuses_one_that_it_does_not_fit() {
    let house = House::open();
    let acme = house.tenant("Acme");
    bring(&house, &acme, "theirs", &guest(HONEST));
    house.publish(&acme, 2.0);
    assert_eq!(decide(&house, &acme, "ann")["scoredBy"], "theirs");
    let mut without = bundle();
    let signals = without["signals"].as_array().unwrap().iter();
    let signals: Vec<_> =
        signals.filter(|signal| signal["name"] != "pricing_views").cloned().collect();
    without.insert("signals".to_owned(), json!(signals));
    let file = BASE64_STANDARD.encode(additive(&[("page_views", 0.5)]));
    let body = json!({ "bundle": without, "models": { "buyers": file } });
    let refused = post(&house, &acme, "/v1/bundles", &body);
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(refused.text.contains("pricing_views"), "{}", refused.text);
    assert_eq!(decide(&house, &acme, "ann")["scoredBy"], "theirs");
    // Features are published beside it.
    let feature = json!({ "key": "hero", "definition": { "defaultValue": "plain" } });
    assert_eq!(post(&house, &acme, "/v1/features", &feature).status, 201);
    eventually(|| {
        let config = house.get(&format!("/v1/sdk/{}.json", acme.write_key)).send().json();
        config["parts"]["flags"].is_string().then_some(())
    });
    assert_eq!(decide(&house, &acme, "ann")["scoredBy"], "theirs");
    assert_eq!(post(&house, &acme, "/v1/models/rollback", &json!({})).status, 200);
    let current = house.get("/v1/bundles/current").key(&acme.admin_key).send().json();
    let manifest = current["manifest"].as_str().unwrap();
    assert!(manifest.contains("flags") && !manifest.contains("brought"), "{manifest}");
}

#[test]
fn what_is_wrong_is_refused_with_what_came_what_was_expected_and_what_to_do() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let file = guest(HONEST);
    let (mut wrong_kind, mut no_signal, mut no_rows) =
        (card("theirs"), card("theirs"), card("theirs"));
    wrong_kind["kind"] = json!("onnx");
    no_signal["signals"][1]["name"] = json!("age_of_the_moon");
    no_rows["background"] = json!([]);
    let mut narrow = card("theirs");
    narrow["background"] = json!([[1]]);
    for (what, card, file, status, says) in [
        ("another kind", wrong_kind, file.clone(), 422, "card.kind"),
        ("no background", no_rows, file.clone(), 422, "card.background"),
        ("a narrow row", narrow, file.clone(), 422, "1 values came; 2 were expected"),
        ("a cut file", card("theirs"), file[..file.len() - 9].to_vec(), 400, "WebAssembly"),
        ("a damaged model", card("theirs"), b"RPM1 and so on".to_vec(), 400, "model file"),
        ("nothing", card("theirs"), Vec::new(), 400, ""),
        ("a picture", card("theirs"), b"\x89PNG and so on".to_vec(), 400, ""),
        (
            "an import",
            card("theirs"),
            wat::parse_str("(module (import \"a\" \"b\" (func)))").unwrap(),
            400,
            "imports a.b",
        ),
    ] {
        let refused = add(&house, &acme, card, &file);
        assert_eq!(refused.status, status, "{what}: {}", refused.text);
        assert!(refused.text.contains(says), "{what}: {}", refused.text);
        assert_eq!(refused.header("content-type"), "application/problem+json");
    }
    for (body, says) in [
        (json!({ "file": BASE64_STANDARD.encode(&file) }), "needs a card"),
        (json!({ "file": "…" }), "base 64"),
        (json!({ "card": card("a") }), "file"),
        (json!({ "card": { "name": "a" }, "file": "" }), "signals"),
        (
            json!({ "card": card("a"), "file": BASE64_STANDARD.encode(&file), "scoreInPage": "local" }),
            "pages do not run",
        ),
    ] {
        let refused = post(&house, &acme, "/v1/models", &body);
        assert!(matches!(refused.status, 400 | 422), "{}", refused.text);
        assert!(refused.text.contains(says), "{says}: {}", refused.text);
    }
    let huge = vec![b'A'; 24 * 1024 * 1024];
    assert_eq!(house.post("/v1/models").key(&acme.admin_key).body(huge).send().status, 413);
    assert_eq!(list(&house, &acme)["models"], json!([]), "nothing of it is kept");

    // It fits its card, but not what is published: it is kept, and not promoted.
    assert_eq!(add(&house, &acme, no_signal, &file).status, 201);
    let checked = post(&house, &acme, "/v1/models/theirs/check", &json!({})).json();
    assert_eq!(checked["ok"], false);
    assert!(checked["problems"][0].as_str().unwrap().contains("age_of_the_moon"), "{checked}");
    let refused = post(&house, &acme, "/v1/models/theirs/promote", &json!({}));
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(refused.text.contains("age_of_the_moon"));

    let back = post(&house, &acme, "/v1/models/rollback", &json!({}));
    assert_eq!(back.status, 409, "{}", back.text);
    assert!(back.text.contains("nothing to roll back to"));
    assert_eq!(post(&house, &acme, "/v1/models/99/promote", &json!({})).status, 404);
    let bolt = house.bare_tenant("Bolt");
    assert_eq!(add(&house, &bolt, card("theirs"), &file).status, 201);
    let early = post(&house, &bolt, "/v1/models/theirs/promote", &json!({}));
    assert_eq!(early.status, 404, "{}", early.text);
    assert!(early.text.contains("no bundle is published"));
}

#[test]
fn of_promotes_at_once_each_happens_and_the_last_is_live() {
    let house = House::open();
    let acme = house.tenant("Acme");
    let natives: Vec<i64> =
        (1..=4).map(|weight| add_native(&house, &acme, &model(f64::from(weight)))).collect();
    std::thread::scope(|scope| {
        let (house, acme) = (&house, &acme);
        for version in &natives {
            scope.spawn(move || {
                let reply = post(house, acme, &format!("/v1/models/{version}/promote"), &json!({}));
                assert_eq!(reply.status, 200, "{}", reply.text);
            });
        }
    });
    let models = list(&house, &acme);
    let history = models["history"].as_array().unwrap();
    assert_eq!(history.len(), 4);
    assert_eq!(models["live"], history[3]["version"]);
    let live = models["models"].as_array().unwrap().iter().filter(|one| one["state"] == "live");
    assert_eq!(live.count(), 1);
    assert_eq!(
        post(&house, &acme, &format!("/v1/models/{}/promote", models["live"]), &json!({})).status,
        409
    );
    // Back through all of them, to the bundle's own.
    for place in [2, 1, 0] {
        let back = post(&house, &acme, "/v1/models/rollback", &json!({})).json();
        assert_eq!(back["live"], history[place]["version"]);
    }
    assert_eq!(post(&house, &acme, "/v1/models/rollback", &json!({})).json()["live"], Value::Null);
    assert_eq!(post(&house, &acme, "/v1/models/rollback", &json!({})).status, 409);
}

#[test]
fn what_is_live_outlives_a_restart() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    bring(&house, &acme, "theirs", &guest(HONEST));
    house.stop();
    house.start();
    let decided = decide(&house, &acme, "ann");
    assert_eq!((&decided["scoredBy"], &decided["score"]), (&json!("theirs"), &json!(20)));
    assert_eq!(list(&house, &acme)["live"], 1);
}

/// Stands for an engine of ONNX: says half of everything.
struct Half;

impl Scorer for Half {
    fn probability(&self, row: &[f64]) -> Result<f64, ScorerFault> {
        if row.len() == 2 { Ok(0.5) } else { Err(ScorerFault::Shape("two values".to_owned())) }
    }
}

#[test]
fn a_page_that_may_run_a_model_gets_it_with_what_reads_its_row() {
    let house = House::open_with(|config| {
        config.engines = Engines::of(|runtime, file, signals| {
            assert_eq!((runtime, file), (Runtime::Onnx, b"a graph".as_slice()));
            assert_eq!(signals[0].name, "pricing_views", "a graph may know inputs by name");
            Ok(Arc::new(Half))
        });
    });
    let acme = house.tenant("Acme");
    let body = json!({
        "card": card("net"), "file": BASE64_STANDARD.encode(b"a graph"), "scoreInPage": "local",
    });
    assert_eq!(post(&house, &acme, "/v1/models", &body).status, 201);
    assert_eq!(post(&house, &acme, "/v1/models/net/promote", &json!({})).status, 200);
    assert_eq!(decide(&house, &acme, "ann")["score"], 50);
    let config = house.get(&format!("/v1/sdk/{}.json", acme.write_key)).send().json();
    assert!(config["parts"].get("decision").is_none());
    let part = |name: &str| house.get(config["parts"][name].as_str().unwrap()).send().bytes;
    let brought = BroughtModel::decode(&part("brought")).unwrap();
    assert_eq!(brought.file, b"a graph");
    let frame = part("frame");
    let length = |at: usize| u32::from_le_bytes(frame[at..at + 4].try_into().unwrap()) as usize;
    let model = &frame[12 + length(0)..][..length(4)];
    assert_eq!(model, brought.frame);
    assert_eq!(Model::open(model).unwrap().signals().len(), 2);
    let manifest: Value = serde_json::from_str(config["manifest"].as_str().unwrap()).unwrap();
    let kinds: Vec<_> =
        manifest["parts"].as_array().unwrap().iter().map(|part| part["kind"].clone()).collect();
    assert_eq!(kinds, ["signals", "words", "brought", "fallback"]);
}

#[test]
fn a_model_that_no_longer_opens_fails_each_time_and_the_fallback_answers() {
    let runs = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let switch = runs.clone();
    let mut house = House::open_with(|config| {
        config.engines =
            Engines::of(move |_, _, _| match switch.load(std::sync::atomic::Ordering::Relaxed) {
                true => Ok(Arc::new(Half)),
                false => Err(ScorerFault::Absent("onnx")),
            });
    });
    let acme = house.tenant("Acme");
    bring(&house, &acme, "net", b"a graph");
    runs.store(false, std::sync::atomic::Ordering::Relaxed);
    house.stop();
    house.start();
    let decided = decide(&house, &acme, "ann");
    assert_eq!((&decided["scoredBy"], &decided["fault"]), (&json!("buyers"), &json!("absent")));
}
